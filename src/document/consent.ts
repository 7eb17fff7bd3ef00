// Consent: an author's user or role is a member of somebody else's role only where that one shares it, or the operator lends it. Taking that back takes the membership.
import { type Member, membershipCycles } from './cycles.ts';
import { show } from './show.ts';
import { membershipKey } from '../model/cluster.ts';
import type { Document, Problem, RoleEntry } from '../model/entries.ts';
import { isAgreed, type Sources } from '../model/sources.ts';

interface Judged {
  readonly roles: readonly RoleEntry[];
  readonly problems: readonly Problem[];
  readonly tolerated: readonly string[];
}

/**
 * The document with the memberships that are agreed on. Those that are not are in no entry of it, so that they are revoked where they are held; those of which
 * nobody can tell are neither granted nor revoked.
 */
export function withConsent(document: Document): Document {
  const { sources } = document;
  if (sources === undefined) return document;
  const onCycles = crossingCycles(document, sources);
  const users = document.users.map((user) => ({ entry: user, judged: judge(user.username, user.roles, sources, onCycles) }));
  const roles = document.roles.map((role) => ({ entry: role, judged: judge(role.name, role.memberOf ?? [], sources, onCycles) }));
  const all = [...users, ...roles].map(({ judged }) => judged);
  return {
    ...document,
    users: users.map(({ entry, judged }) => {
      if (judged.roles.length === entry.roles.length) return entry;
      const lost = new Set(entry.roles.map(({ name }) => name)).difference(new Set(judged.roles.map(({ name }) => name)));
      return { ...entry, roles: judged.roles, assumeRole: lost.has(entry.assumeRole ?? '') ? undefined : entry.assumeRole };
    }),
    roles: roles.map(({ entry, judged }) => (judged.roles.length === (entry.memberOf ?? []).length ? entry : { ...entry, memberOf: judged.roles })),
    problems: [...document.problems, ...all.flatMap(({ problems }) => problems)],
    sources: { ...sources, tolerated: new Set(all.flatMap(({ tolerated }) => tolerated)) },
  };
}

function judge(member: string, wanted: readonly RoleEntry[], sources: Sources, onCycles: ReadonlySet<string>): Judged {
  const source = sources.claims.get(member);
  const problems: Problem[] = [];
  const tolerated: string[] = [];
  const roles = wanted.filter((role) => {
    const verdict = whyNotAgreed(role, source, sources) ?? (onCycles.has(membershipKey(role.name, member)) ? LOOP : undefined);
    if (verdict === undefined) return true;
    if (verdict === UNDECIDED || verdict === LOOP) tolerated.push(membershipKey(role.name, member));
    const message = `the membership in ${show(role.name)} ${verdict}`;
    problems.push({ severity: 'warning', position: role.position, path: '', message, username: member, source });
    return false;
  });
  return { roles, problems, tolerated };
}

const UNDECIDED = 'stays as it is, as nobody can tell now whether it is shared: what declares it is wrong or could not be read';
const LOOP = 'stays as it is: with memberships of others it would make a role a member of itself';

const whyNotAgreed = (role: RoleEntry, source: string | undefined, sources: Sources): string | undefined =>
  source === undefined ? undefined : whyNot(role, source, sources);

function whyNot({ name, admin }: RoleEntry, source: string, sources: Sources): string | undefined {
  if (sources.claims.get(name) === source) return undefined;
  if (isAgreed(name, source, sources)) return admin === true ? 'would be with `admin: true`, and only whoever has a role says who hands it on' : undefined;
  if (sources.undecided.has(name)) return UNDECIDED;
  const { name: author = '', lent = [] } = sources.authors.get(source) ?? {};
  const may = lent.length === 0 ? '' : `; the operator lends this author: ${lent.slice(0, 20).map(show).join(', ')}`;
  return `waits: it is no role of this author, and becomes one of its own only as it declares it, or as whoever has it writes \`sharedWith: [${author}]\`${may}`;
}

/** Memberships between sources that lie on a cycle of such as are agreed on, by membershipKey. Nobody takes a membership of others by asking for one. */
function crossingCycles({ users, roles }: Document, sources: Sources): ReadonlySet<string> {
  const { claims } = sources;
  const memberOf = (member: string, of: readonly RoleEntry[]): Member => ({
    names: [member],
    roles: of.flatMap((role) => (whyNotAgreed(role, claims.get(member), sources) === undefined ? [{ name: role.name, offset: 0, path: [] }] : [])),
  });
  const members = [...users.map((user) => memberOf(user.username, user.roles)), ...roles.map((role) => memberOf(role.name, role.memberOf ?? []))];
  const found = membershipCycles(members);
  const keys = found.map(({ draft, role }) => [role.name, draft.names[0] ?? ''] as const).filter(([role, member]) => claims.get(role) !== claims.get(member));
  return new Set(keys.map(([role, member]) => membershipKey(role, member)));
}
