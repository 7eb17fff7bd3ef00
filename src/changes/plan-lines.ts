// Plan → sentences: what a dry run prints and a log says, with the memberships of one user in one line.
import { type Change, sentenceOf } from './change.ts';

/**
 * One sentence for each change, in order; the memberships granted to (or revoked from) one user are joined into the first of them,
 * and those of a user that is created are in its own sentence already.
 */
export const planLines = (changes: readonly Change[]): string[] => planSentences(changes).map(({ sentence }) => sentence);

/** The same, each with the change that it is about; of those that are joined, the first. */
export function planSentences(changes: readonly Change[]): { readonly change: Change; readonly sentence: string }[] {
  const created = new Set(changes.flatMap((change) => (change.kind === 'create_role' && change.entity === 'user' ? [change.role] : [])));
  const joined = new Map<string, { readonly change: Change & { kind: 'grant_membership' | 'revoke_membership' }; readonly roles: string[] }>();
  const lines: { readonly change: Change; readonly say: () => string }[] = [];
  for (const change of changes) {
    const plain = change.kind === 'grant_membership' || (change.kind === 'revoke_membership' && !change.adminOnly && !change.cascade);
    if (!plain) {
      lines.push({ change, say: () => sentenceOf(change) });
      continue;
    }
    if (change.kind === 'grant_membership' && created.has(change.member) && !change.admin) continue;
    const key = `${change.kind}\0${change.member}`;
    const group = joined.get(key);
    if (group !== undefined) {
      group.roles.push(change.role);
      continue;
    }
    const roles = [change.role];
    joined.set(key, { change, roles });
    lines.push({ change, say: () => sentenceOf({ ...change, role: roles.join(', ') }) });
  }
  return lines.map(({ change, say }) => ({ change, sentence: say() }));
}
