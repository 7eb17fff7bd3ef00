// Checks across entries: names and Secrets that two of them claim, cycles, contradictions, and roles to assume.
import { LIMITS } from '../model/limits.ts';
import { checkConnectionSecrets } from './connection-names.ts';
import { reportContradictions } from './contradictions.ts';
import { membershipCycles } from './cycles.ts';
import { checkDatabases } from './database-entries.ts';
import { type DocumentDraft, type Draft, fileOfOther, type ItemDraft, type RoleDraft } from './draft.ts';
import { checkFormerNames } from './former-names.ts';
import { checkTurnNames } from './rotation.ts';
import type { GrantRule } from '../model/entries.ts';
import { show, showPath } from './show.ts';

/** How many others a message names. */
const NAMED = 5;

type AnyDraft = Draft | RoleDraft;
type Together = Pick<DocumentDraft, 'users' | 'roles' | 'databases'>;

/** Reports what only shows when the entries of all documents are seen together. @returns the drafts that are invalid because of it. */
export function checkAcross({ users, roles, databases }: Together, defaultDatabase: string | undefined): ReadonlySet<ItemDraft> {
  return new Set([
    ...checkDatabases(databases),
    ...checkTogether({ users, roles, databases }),
    ...checkAssumedRoles(users, roles),
    ...checkRules([...users, ...roles], defaultDatabase),
  ]);
}

/** The same for what one entry can make wrong in any other one. */
export function checkTogether({ users, roles, databases }: Together): readonly ItemDraft[] {
  const all = [...users, ...roles];
  return [
    ...checkNames(all),
    ...checkSecrets(users),
    ...checkConnectionSecrets(users),
    ...checkTurnNames(users, roles),
    ...checkFormerNames(users, roles, databases),
    ...checkCycles(all),
  ];
}

const isUser = (draft: AnyDraft): draft is Draft => draft.path[0] === 'users';

function checkNames(drafts: readonly AnyDraft[]): readonly AnyDraft[] {
  const groups = [...grouped(drafts, (draft) => draft.names)].filter(([, group]) => group.length > 1);
  for (const [username, group] of groups)
    for (const draft of group) {
      const message = `the ${isUser(draft) ? 'user' : 'role'} ${show(username)} stands here and in ${others(group, draft, (other) => placeOf(other, draft))}; keep one entry`;
      draft.report.add({ offset: draft.nameOffset, path: [...draft.path, isUser(draft) ? 'username' : 'name'], message, username });
    }
  return groups.flatMap(([, group]) => group);
}

/** `users[3]`, with its file where that is another one than the reader's. */
function placeOf(draft: AnyDraft, reader: AnyDraft): string {
  const file = fileOfOther(draft, reader);
  return `\`${showPath(draft.path)}\`${file === undefined ? '' : ` of ${show(file)}`}`;
}

/** The rules with the database that they are about. */
const placed = (rules: readonly GrantRule[], defaultDatabase: string | undefined): readonly GrantRule[] =>
  defaultDatabase === undefined ? rules : rules.map((rule) => (rule.database === undefined ? { ...rule, database: defaultDatabase } : rule));

/** Contradictions among what an entry grants, with the permissions that it is composed of. */
function checkRules(drafts: readonly AnyDraft[], defaultDatabase: string | undefined): readonly AnyDraft[] {
  /** Entries of the same permissions have the same list: what is found right once is not looked at again. */
  const right = new Set<readonly GrantRule[]>();
  return drafts.filter((draft) => {
    const rules = 'entry' in draft ? draft.entry?.rules : draft.declaration?.rules;
    if (rules === undefined || right.has(rules)) return false;
    const contradicts = reportContradictions(placed(rules, defaultDatabase), draft.names[0] ?? '', draft.path, draft.report);
    if (!contradicts) right.add(rules);
    return contradicts;
  });
}

/** A session can start in a role only where declared memberships lead there, each with SET. */
export function checkAssumedRoles(users: readonly Draft[], roles: readonly RoleDraft[]): readonly AnyDraft[] {
  const memberOf = new Map(
    roles.flatMap(({ declaration }) => (declaration?.memberOf === undefined ? [] : [[declaration.name, declaration.memberOf] as const])),
  );
  return users.filter((draft) => {
    const { entry } = draft;
    if (entry?.assumeRole === undefined) return false;
    const reached = new Set(entry.roles.filter((role) => role.set !== false).map((role) => role.name));
    // A Set's iteration also visits what is added while it runs.
    for (const name of reached)
      for (const next of memberOf.get(name) ?? []) {
        if (reached.size > LIMITS.rolesToAssume) break;
        if (next.set !== false) reached.add(next.name);
      }
    if (reached.has(entry.assumeRole)) return false;
    const nearest = reached.size > LIMITS.rolesToAssume ? ` among the ${LIMITS.rolesToAssume} nearest roles` : '';
    const message = `assumeRole needs the membership in ${show(entry.assumeRole)}, which nothing here declares with SET${nearest}; add it to \`roles\``;
    draft.report.addAt(entry.position, { path: [...draft.path, 'assumeRole'], message, username: entry.username });
    return true;
  });
}

function checkSecrets(drafts: readonly Draft[]): readonly Draft[] {
  const groups = grouped(drafts, (draft) => draft.derivedSecret ?? []);
  const refused: Draft[] = [];
  for (const [secret, group] of groups) {
    const users = [...new Map(group.map((draft) => [nameOf(draft), draft])).values()];
    if (users.length < 2) continue;
    refused.push(...group);
    for (const draft of group) {
      const message = `the Secret ${show(secret)} would also be that of ${others(users, draft, (other) => show(nameOf(other)))}; give one of them a \`passwordSecretRef\``;
      draft.report.add({ offset: draft.nameOffset, path: [...draft.path, 'username'], message, username: nameOf(draft) });
    }
  }
  return refused;
}

const nameOf = (draft: AnyDraft): string => draft.names[0] ?? '';

function checkCycles(drafts: readonly AnyDraft[]): readonly AnyDraft[] {
  const found = membershipCycles(drafts);
  for (const { draft, role, cycle } of found) {
    const message = `a cycle of memberships, which the server refuses: ${cycle.map(show).join(' → ')}; remove one of them`;
    draft.report.add({ offset: role.offset, path: role.path, message, username: nameOf(draft) });
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
