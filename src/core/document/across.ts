// Checks across entries: names and Secrets that two of them claim, cycles, contradictions, and roles to assume.
import { checkConnectionSecrets } from './connection-names.ts';
import { reportContradictions } from './contradictions.ts';
import { membershipCycles } from './cycles.ts';
import type { Draft } from './entry.ts';
import type { Report } from './report.ts';
import { checkSlotNames } from './rotation.ts';
import type { RoleDraft } from './roles.ts';
import type { GrantRule } from './types.ts';
import { show } from './show.ts';

/** How many others a message names. */
const NAMED = 5;

type AnyDraft = Draft | RoleDraft;

/** Reports what only shows when entries are seen together. @returns the drafts that are invalid because of it. */
export function checkAcross(users: readonly Draft[], roles: readonly RoleDraft[], report: Report, defaultDatabase: string | undefined): ReadonlySet<AnyDraft> {
  const all = [...users, ...roles];
  return new Set([
    ...checkNames(all, report),
    ...checkSecrets(users, report),
    ...checkConnectionSecrets(users, report),
    ...checkSlotNames(users, roles, report),
    ...checkCycles(all, report),
    ...checkRules(all, report, defaultDatabase),
    ...checkAssumedRoles(users, roles, report),
  ]);
}

const isUser = (draft: AnyDraft): draft is Draft => draft.path[0] === 'users';

function checkNames(drafts: readonly AnyDraft[], report: Report): readonly AnyDraft[] {
  const groups = [...grouped(drafts, (draft) => draft.names)].filter(([, group]) => group.length > 1);
  for (const [username, group] of groups)
    for (const draft of group) {
      const message = `the ${isUser(draft) ? 'user' : 'role'} ${show(username)} stands here and in ${others(group, draft, pathOf)}; keep one entry`;
      report.add({ offset: draft.nameOffset, path: [...draft.path, isUser(draft) ? 'username' : 'name'], message, username });
    }
  return groups.flatMap(([, group]) => group);
}

const pathOf = (draft: AnyDraft): string => `\`${draft.path[0] ?? ''}[${draft.path[1] ?? ''}]\``;

/** The rules with the database that they are about. */
const placed = (rules: readonly GrantRule[], defaultDatabase: string | undefined): readonly GrantRule[] =>
  defaultDatabase === undefined ? rules : rules.map((rule) => (rule.database === undefined ? { ...rule, database: defaultDatabase } : rule));

/** Contradictions among what an entry grants, with the permissions that it is composed of. */
const checkRules = (drafts: readonly AnyDraft[], report: Report, defaultDatabase: string | undefined): readonly AnyDraft[] =>
  drafts.filter((draft) => {
    const rules = 'entry' in draft ? draft.entry?.rules : draft.declaration?.rules;
    return rules !== undefined && reportContradictions(placed(rules, defaultDatabase), draft.names[0] ?? '', draft.path, report);
  });

/** A session can start in a role only where declared memberships lead there, each with SET. */
function checkAssumedRoles(users: readonly Draft[], roles: readonly RoleDraft[], report: Report): readonly AnyDraft[] {
  const memberOf = new Map(
    roles.flatMap(({ declaration }) => (declaration?.memberOf === undefined ? [] : [[declaration.name, declaration.memberOf] as const])),
  );
  return users.filter((draft) => {
    const { entry } = draft;
    if (entry?.assumeRole === undefined) return false;
    const reached = new Set(entry.roles.filter((role) => role.set !== false).map((role) => role.name));
    // A Set's iteration also visits what is added while it runs.
    for (const name of reached) for (const next of memberOf.get(name) ?? []) if (next.set !== false) reached.add(next.name);
    if (reached.has(entry.assumeRole)) return false;
    const message = `assumeRole needs the membership in ${show(entry.assumeRole)}, which nothing here declares with SET; add it to \`roles\``;
    report.addAt(entry.position, { path: [...draft.path, 'assumeRole'], message, username: entry.username });
    return true;
  });
}

function checkSecrets(drafts: readonly Draft[], report: Report): readonly Draft[] {
  const groups = grouped(drafts, (draft) => draft.derivedSecret ?? []);
  const refused: Draft[] = [];
  for (const [secret, group] of groups) {
    const users = [...new Map(group.map((draft) => [nameOf(draft), draft])).values()];
    if (users.length < 2) continue;
    refused.push(...group);
    for (const draft of group) {
      const message = `the Secret ${show(secret)} would also be that of ${others(users, draft, (other) => show(nameOf(other)))}; give one of them a \`passwordSecretRef\``;
      report.add({ offset: draft.nameOffset, path: [...draft.path, 'username'], message, username: nameOf(draft) });
    }
  }
  return refused;
}

const nameOf = (draft: AnyDraft): string => draft.names[0] ?? '';

function checkCycles(drafts: readonly AnyDraft[], report: Report): readonly AnyDraft[] {
  const found = membershipCycles(drafts);
  for (const { draft, role, cycle } of found) {
    const message = `a cycle of memberships, which the server refuses: ${cycle.map(show).join(' → ')}; remove one of them`;
    report.add({ offset: role.offset, path: role.path, message, username: nameOf(draft) });
  }
  return found.map(({ draft }) => draft);
}

function grouped<T>(drafts: readonly T[], keysOf: (draft: T) => string | readonly string[]): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const draft of drafts)
    for (const key of [keysOf(draft)].flat()) {
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [draft]);
      else group.push(draft);
    }
  return groups;
}

/** Some of the others in a group, in words; the cost does not grow with the group. */
function others<T>(group: readonly T[], draft: T, say: (other: T) => string): string {
  const said = say(draft);
  const some = group
    .slice(0, NAMED + 1)
    .map(say)
    .filter((other) => other !== said)
    .slice(0, NAMED);
  const rest = group.length - 1 - some.length;
  return rest > 0 ? `${some.join(', ')} and ${rest} more` : some.join(' and ');
}
