// Whose password is set, and why; and of whom it is taken away.
import type { Catalog } from '../../model/catalog.ts';
import type { Change, Entity, Opening, PasswordReason } from '../../changes/change.ts';
import type { Document } from '../../model/entries.ts';
import { usersOutOfTurn } from '../../model/turns.ts';

/**
 * @param reasons users whose stored password is not the one of their Secret.
 * @param openings users that are let in again, with what lets them in.
 */
export function passwordsToSet(
  reasons: ReadonlyMap<string, PasswordReason>,
  openings: ReadonlyMap<string, Opening>,
  entities: ReadonlyMap<string, Entity>,
): Change[] {
  const all = new Map([...[...openings.keys()].map((role) => [role, 'login'] as const), ...reasons]);
  return [...all].flatMap(([role, reason]): Change[] => {
    const opens = openings.get(role);
    return entities.get(role) === 'user' ? [{ kind: 'set_password', role, reason, ...(opens === undefined ? {} : { opens }) }] : [];
  });
}

/** Passwords of those whose turn is over for this time. */
export const passwordsOutOfTurn = (document: Document, catalog: Catalog, entities: ReadonlyMap<string, Entity>): Change[] =>
  usersOutOfTurn(document).flatMap(({ username }): Change[] => {
    // Where nobody can look, one that somebody else set is cleared together with the login.
    const isTold = (catalog.managed.get(username)?.witness ?? null) !== null || catalog.cluster.roles.get(username)?.login === true;
    const has = catalog.server.readsVerifiers ? catalog.verifiers.get(username) != null : isTold;
    return has && entities.get(username) === 'user' ? [{ kind: 'clear_password', role: username }] : [];
  });
