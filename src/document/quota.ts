// Quotas: how many users and roles an author may declare, and what its users' connection limits may be together.
import type { Draft, ItemDraft, RoleDraft } from './draft.ts';
import type { Scope } from '../model/fleet.ts';

interface Counted {
  readonly users: readonly Draft[];
  readonly roles: readonly RoleDraft[];
}

/** Entries beyond a quota, each with what is said of it. Who is there already goes before who is new, and then the order of the documents counts. */
export function beyondQuota({ users, roles }: Counted, scope: Scope, isRecorded: (name: string) => boolean): ReadonlyMap<ItemDraft, string> {
  const beyond = new Map<ItemDraft, string>();
  const valid = recordedFirst(
    users.filter(({ entry }) => entry !== undefined),
    isRecorded,
  );
  if (scope.users !== undefined) for (const draft of valid.slice(scope.users)) beyond.set(draft, tooMany('users', scope.users));
  if (scope.declaredRoles !== undefined) {
    const declared = recordedFirst(
      roles.filter(({ declaration }) => declaration !== undefined),
      isRecorded,
    );
    for (const draft of declared.slice(scope.declaredRoles)) beyond.set(draft, tooMany('roles', scope.declaredRoles));
  }
  if (scope.connections !== undefined) limitConnections(valid, scope.connections, beyond);
  return beyond;
}

function limitConnections(users: readonly Draft[], most: number, beyond: Map<ItemDraft, string>): void {
  let sum = 0;
  for (const draft of users) {
    const { login = true, connectionLimit = -1 } = draft.entry ?? {};
    if (!login || beyond.has(draft)) continue;
    if (connectionLimit < 0) beyond.set(draft, `needs a \`connectionLimit\`, as this author's users may have ${most} connections together`);
    else if (sum + connectionLimit > most)
      beyond.set(
        draft,
        `is too much with \`connectionLimit: ${connectionLimit}\`: this author's users may have ${most} connections together, and others have ${sum}`,
      );
    else sum += connectionLimit;
  }
}

const tooMany = (what: string, most: number): string => `is one too many: this author may declare ${most} ${what}`;

function recordedFirst<T extends { readonly names: readonly string[] }>(drafts: readonly T[], isRecorded: (name: string) => boolean): readonly T[] {
  const isThere = ({ names }: T): boolean => names.some(isRecorded);
  return [...drafts.filter(isThere), ...drafts.filter((draft) => !isThere(draft))];
}
