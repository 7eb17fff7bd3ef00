// An author's documents within its scope: each entry judged by it, then all of them by its quotas, and databases by the roles that are left.
import { nameKey, namesIn } from './claims.ts';
import type { DatabaseDraft, DocumentDraft, Draft, ItemDraft, MemberDraft, RoleDraft } from './draft.ts';
import { beyondQuota, type Excess, isThere, type ItsRoles } from './quota.ts';
import { databaseFindings, NEVER, roleFindings, userFindings } from './scope.ts';
import type { Finding, ScopeFacts } from './scope-facts.ts';
import { show } from './show.ts';
import type { Author } from '../model/fleet.ts';
import { isWithin } from '../model/pattern.ts';

/** What is an author's, with what is beyond its scope found wrong. */
export function inScope(drafts: readonly DocumentDraft[], author: Author, its: ItsRoles, defaultDatabase: string | undefined): readonly DocumentDraft[] {
  const facts: ScopeFacts = { scope: author.may, namespace: author.from.namespace, defaultDatabase };
  const judged = drafts.map((draft): DocumentDraft => {
    for (const { position } of draft.guardrails)
      draft.report.addAt(position, { path: ['guardrails'], message: `${NEVER.map(show).join(', ')} hold for everybody, so only the operator writes them` });
    return {
      ...draft,
      guardrails: [],
      said: draft.said.filter(({ list }) => list !== 'guardrails'),
      users: draft.users.map((user) => judgeMember(user, user.entry, (entry) => userFindings(entry, facts), { entry: undefined })),
      roles: draft.roles.map((role) => judgeMember(role, role.declaration, (entry) => roleFindings(entry, facts), { declaration: undefined })),
    };
  });
  const within = withinQuota(withinNames(judged, facts), author, its);
  const names = namesIn(within);
  return within.map((draft) => ({ ...draft, databases: draft.databases.map((database) => judgeDatabase(database, facts, names)) }));
}

/** @param names of users and roles that the author declares and may have. */
function judgeDatabase(draft: DatabaseDraft, facts: ScopeFacts, names: ReadonlySet<string>): DatabaseDraft {
  const { entry } = draft;
  if (entry === undefined) return draft;
  const owned = (name: string | undefined, path: Finding['path'], position?: Finding['position']): readonly Finding[] =>
    name === undefined || names.has(name)
      ? []
      : [{ path, message: `${show(name)} is no role or user that this author declares; declare it, or name one that it does`, position }];
  const findings = [
    ...databaseFindings(entry, facts),
    ...owned(entry.owner, ['owner']),
    ...entry.schemas.flatMap(({ owner, position }, index) => owned(owner, ['schemas', index, 'owner'], position)),
    ...entry.createdBy.flatMap((name, index) => owned(name, ['createdBy', index])),
  ];
  return report(draft, entry.position, findings) ? draft : { ...draft, entry: undefined };
}

/** What is already there under a name that was allowed once stays as it is. */
const withinNames = (drafts: readonly DocumentDraft[], facts: ScopeFacts): readonly DocumentDraft[] =>
  drafts.map((draft) => ({
    ...draft,
    users: draft.users.map((user) => (isOutOfNames(user, facts) ? { ...user, entry: undefined } : user)),
    roles: draft.roles.map((role) => (isOutOfNames(role, facts) ? { ...role, declaration: undefined } : role)),
  }));

function isOutOfNames(member: MemberDraft, { scope }: ScopeFacts): boolean {
  const outside = member.names.find((name) => !scope.names.some((pattern) => isWithin(name, pattern)));
  if (outside === undefined) return false;
  const message = `the name ${show(outside)} is beyond what this author may by now; it stays as it is. It may declare the names: ${scope.names.slice(0, 20).map(show).join(', ')}`;
  member.report.add({ offset: member.nameOffset, path: [...member.path, nameKey(member)], message, username: outside });
  return true;
}

function judgeMember<T extends Draft | RoleDraft, E extends { readonly position: Finding['position'] & {} }>(
  draft: T,
  entry: E | undefined,
  findingsOf: (entry: E) => readonly Finding[],
  without: Partial<T>,
): T {
  if (entry === undefined || report(draft, entry.position, findingsOf(entry), draft.names[0])) return draft;
  return { ...draft, ...without };
}

/** @returns whether there is nothing to report. */
function report(item: ItemDraft, position: NonNullable<Finding['position']>, findings: readonly Finding[], username?: string): boolean {
  for (const finding of findings.slice(0, 100))
    item.report.addAt(finding.position ?? position, { path: [...item.path, ...finding.path], message: finding.message, username });
  return findings.length === 0;
}

/** One that is there stays as it is; one that is new is nobody's yet, also where it is named. */
function withinQuota(drafts: readonly DocumentDraft[], author: Author, its: ItsRoles): readonly DocumentDraft[] {
  const beyond = beyondQuota({ users: drafts.flatMap(({ users }) => users), roles: drafts.flatMap(({ roles }) => roles) }, author.may, its);
  if (beyond.size === 0) return drafts;
  const excessOf = (member: MemberDraft): Excess | undefined => {
    const excess = beyond.get(member);
    if (excess === undefined) return undefined;
    const severity = excess.waits ? 'warning' : 'error';
    member.report.add({ offset: member.nameOffset, path: member.path, message: excess.message, username: member.names[0], severity });
    return excess;
  };
  const without = <T extends MemberDraft>(member: T, nothing: Partial<T>): readonly T[] =>
    excessOf(member) === undefined ? [member] : isThere(member, its) ? [{ ...member, ...nothing }] : [];
  return drafts.map((draft) => ({
    ...draft,
    users: draft.users.flatMap((user) => without(user, { entry: undefined })),
    roles: draft.roles.flatMap((role) => without(role, { declaration: undefined })),
  }));
}
