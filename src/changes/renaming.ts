// The change that gives a role another name. It stays the very role: its OID, and with it all that it owns, holds and belongs to.
import type { Entity } from '../model/cluster.ts';
import { identifier } from '../sql/sql-text.ts';
import { type Advised, neverDrift, OF_ROLE } from './definition.ts';

export interface RenameRole {
  readonly kind: 'rename_role';
  /** The new name. */
  readonly role: string;
  /** The name on the server now: the new one where somebody renamed it, and only our memory follows. */
  readonly from: string;
  /** As what it is remembered; undefined for one that is not ours yet. */
  readonly recorded: string | undefined;
  readonly oid: number;
  readonly entity: Entity;
  /** Its password is one of MD5, which the server clears: the old name is part of it. */
  readonly clearsPassword: boolean;
}

export const renameRole: Advised<RenameRole> = {
  ...OF_ROLE,
  key: ({ role, from, recorded }) => [role, from, recorded ?? ''],
  object: ({ role, from, recorded }) => `${role} (was ${recorded ?? from})`,
  sentence: ({ role, from, recorded, entity, clearsPassword }) =>
    from === role
      ? `remember ${entity}: ${recorded ?? from} as ${role} (somebody renamed it)`
      : `rename ${entity}: ${from} to ${role} (what it owns, holds and belongs to stays${clearsPassword ? '; its MD5 password ends, as the server clears it' : ''})`,
  statements: ({ role, from }) => (from === role ? [] : [`ALTER ROLE ${identifier(from)} RENAME TO ${identifier(role)}`]),
  needs: ({ role, from }) => (from === role ? [] : [{ what: 'administer', role: from }]),
  isDrift: neverDrift,
  isAdvised: true,
  endsHolders: 'any',
  forLogin: true,
  remembers: ({ recorded, oid }) => ({ what: 'renamed', recorded, oid }),
};
