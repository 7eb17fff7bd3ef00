// Quotas: how many users and roles an author may have, and what its users' connection limits may be together. What is there counts, also where an entry is wrong or gone.
import type { DocumentDraft, Draft, ItemDraft, MemberDraft } from './draft.ts';
import type { Scope } from '../model/fleet.ts';
import type { Active } from '../model/sources.ts';

type Counted = Pick<DocumentDraft, 'users' | 'roles'>;

/** What is recorded as the author's. */
export interface ItsRoles {
  readonly has: (name: string) => boolean;
  /** Those that are in use. */
  readonly active: ReadonlyMap<string, Active>;
}

export interface Excess {
  readonly message: string;
  /** Whether there is room as soon as what the documents no longer name is gone: that must not wait for this one. */
  readonly waits: boolean;
}

/** Entries beyond a quota, each with what is said of it. Who is there already goes before who is new, and then the order of the documents counts. */
export function beyondQuota({ users, roles }: Counted, scope: Scope, its: ItsRoles): ReadonlyMap<ItemDraft, Excess> {
  const beyond = new Map<ItemDraft, Excess>();
  const named = new Set([...users, ...roles].flatMap(allNames));
  const left = [...its.active].flatMap(([name, role]) => (named.has(name) ? [] : [role]));
  const leftOf = (kind: Active['entity']): number => left.filter(({ entity }) => entity === kind).length;
  if (scope.users !== undefined) limitNames(users, { what: 'users', most: scope.users, left: leftOf('user') }, its, beyond);
  if (scope.declaredRoles !== undefined) limitNames(roles, { what: 'roles', most: scope.declaredRoles, left: leftOf('role') }, its, beyond);
  if (scope.connections !== undefined) limitConnections(users, scope.connections, its, left, beyond);
  return beyond;
}

interface Quota {
  readonly what: string;
  readonly most: number;
  /** How many are there that no entry names. */
  readonly left: number;
}

/** Each name counts that an entry may mean: roles are also made as they are named, whatever is wrong with their entries. */
function limitNames(drafts: readonly MemberDraft[], { what, most, left }: Quota, its: ItsRoles, beyond: Map<ItemDraft, Excess>): void {
  const taken = new Set<string>();
  for (const draft of recordedFirst(drafts, its)) {
    const names = draft.names.filter((name) => !taken.has(name));
    const count = taken.size + names.length;
    const isNew = !isThere(draft, its);
    if (names.length > 0 && count > most) beyond.set(draft, { message: `is one too many: this author may declare ${most} ${what}`, waits: false });
    else if (names.length > 0 && isNew && count + left > most)
      beyond.set(draft, {
        message: `waits: this author may have ${most} ${what}, and ${left} are there that its documents do not name, until they are removed`,
        waits: true,
      });
    else for (const name of names) taken.add(name);
  }
}

/** @param left who is there and is not named. */
function limitConnections(users: readonly Draft[], most: number, its: ItsRoles, left: readonly Active[], beyond: Map<ItemDraft, Excess>): void {
  /** One whose entry is wrong keeps what it has; where that is not known it may be everything. */
  const present = ({ login, connectionLimit = -1 }: Active): number => (login === false ? 0 : connectionLimit < 0 ? most : connectionLimit);
  const wrong = users.filter(({ entry }) => entry === undefined).flatMap((draft) => allNames(draft).flatMap((name) => its.active.get(name) ?? []));
  let sum = [...left.filter(({ entity }) => entity === 'user'), ...wrong].reduce((all, role) => all + present(role), 0);
  const waits = sum > 0;
  for (const draft of recordedFirst(users, its)) {
    if (draft.entry === undefined) continue;
    const { login, connectionLimit = -1 } = draft.entry;
    if (!login || beyond.has(draft)) continue;
    const now = allNames(draft)
      .map((name) => its.active.get(name))
      .find((role) => role !== undefined);
    const before = beyond.size;
    if (connectionLimit < 0)
      beyond.set(draft, { message: `needs a \`connectionLimit\`, as this author's users may have ${most} connections together`, waits: false });
    else if (sum + connectionLimit > most && !(waits && now !== undefined && connectionLimit <= present(now)))
      beyond.set(draft, {
        message: `is too much with \`connectionLimit: ${connectionLimit}\`: this author's users may have ${most} connections together, and others have ${sum}`,
        waits,
      });
    // One that is refused keeps what it has.
    sum += beyond.size === before ? connectionLimit : now === undefined ? 0 : present(now);
  }
}

/** Also what its role was called. */
const allNames = ({ names, former }: MemberDraft): readonly string[] => (former === undefined ? names : [...names, former.name]);

/** Whether the role of an entry is recorded, by the one name or the other. */
export const isThere = (draft: MemberDraft, { has }: ItsRoles): boolean => allNames(draft).some(has);

const recordedFirst = <T extends MemberDraft>(drafts: readonly T[], its: ItsRoles): readonly T[] => [
  ...drafts.filter((draft) => isThere(draft, its)),
  ...drafts.filter((draft) => !isThere(draft, its)),
];
