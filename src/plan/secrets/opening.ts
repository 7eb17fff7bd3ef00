// Opening: whoever may log in again gets the right to it and the password of its Secret in one statement. Pure.
import type { Catalog } from '../../model/catalog.ts';
import type { Change, Opening, PasswordReason } from '../../changes/change.ts';
import { type Document, hasPassword } from '../../model/entries.ts';
import type { Role } from '../../model/cluster.ts';

/** Whether nobody can log in as the role now, whatever its password is. */
export const isClosed = ({ login, validUntil }: Pick<Role, 'login' | 'validUntil'>, now: number): boolean =>
  !login || (validUntil !== null && !(Date.parse(validUntil) > now));

export interface OpeningFacts {
  readonly document: Document;
  readonly catalog: Catalog;
  /** Passwords to be set. */
  readonly passwords: ReadonlyMap<string, PasswordReason>;
  readonly withoutSecret: ReadonlyMap<string, string>;
}

/**
 * The changes with what opens a login taken out of them and put beside the password that it comes with; where the password is not known it
 * waits. Who worked as the role while nobody could log in as it may have given it a password, and many admins cannot see that one.
 */
export function openWithPassword(
  changes: readonly Change[],
  { document, catalog, passwords, withoutSecret }: OpeningFacts,
): { readonly changes: readonly Change[]; readonly openings: ReadonlyMap<string, Opening> } {
  const withPassword = new Set(document.users.flatMap((user) => (hasPassword(user) ? [user.username] : [])));
  const openings = new Map<string, Opening>();
  const left = changes.flatMap((change): readonly Change[] => {
    if (change.kind !== 'alter_role' || change.entity !== 'user' || !withPassword.has(change.role)) return [change];
    const actual = catalog.cluster.roles.get(change.role);
    if (actual === undefined || !isClosed(actual, catalog.server.now) || isClosed({ ...actual, ...change.attributes }, catalog.server.now)) return [change];
    const { login, validUntil, ...others } = change.attributes;
    const opening: Opening = { ...(login === undefined ? {} : { login }), ...(validUntil === undefined ? {} : { validUntil }) };
    if (passwords.has(change.role) || !withoutSecret.has(change.role)) openings.set(change.role, opening);
    return Object.keys(others).length === 0 ? [] : [{ ...change, attributes: others }];
  });
  return { changes: left, openings };
}
