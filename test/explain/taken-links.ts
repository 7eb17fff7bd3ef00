// The links of a path, and the SQL that takes each of them away.
import type { Path } from '../../src/explain/paths.ts';
import type { FoundObject } from '../../src/postgres/read-securable.ts';
import { quoted, type RandomServer, targetOf } from './random-access.ts';

/** What a path hangs on. */
export interface TakenLink {
  readonly kind: 'memberships' | 'entries' | 'attributes';
  /** The same link of another path has the same. */
  readonly key: string;
  readonly sql: string;
  /** The one object that it is about, as GRANT names it. */
  readonly target?: string;
}

/** A path by what it needs. */
export const keyOf = ({ holder, chain, setRole }: Path): string =>
  JSON.stringify([chain, setRole, holder.by, holder.role, ...(holder.by === 'grant' ? [holder.grantor, holder.column] : [])]);

const oidOf = (role: string): string => `(SELECT oid FROM pg_roles WHERE rolname = '${role.replaceAll("'", "''")}')`;

/** @returns every link of a path to a privilege on an object. */
export function linksOf({ chain, holder }: Path, { object }: FoundObject, reference: RandomServer['objects'][number], privilege: string): readonly TakenLink[] {
  const memberships = chain.slice(1).map((role, index): TakenLink => {
    const member = chain[index] ?? '';
    // No row makes the owner of a database a member of it.
    if (role === 'pg_database_owner') return { kind: 'attributes', key: role, sql: `UPDATE pg_database SET datdba = 10 WHERE datname = current_database()` };
    return {
      kind: 'memberships',
      key: JSON.stringify([member, role]),
      sql: `DELETE FROM pg_auth_members WHERE member = ${oidOf(member)} AND roleid = ${oidOf(role)}`,
    };
  });
  if (holder.by === 'superuser')
    return [...memberships, { kind: 'attributes', key: JSON.stringify(['superuser', holder.role]), sql: `ALTER ROLE ${quoted(holder.role)} NOSUPERUSER` }];
  if (holder.by === 'predefined') return memberships;
  const what = holder.column === undefined ? privilege : `${privilege} (${quoted(holder.column)})`;
  const target = targetOf(reference);
  const grantee = holder.role === 'public' ? 'PUBLIC' : quoted(holder.role);
  const entry: TakenLink = {
    kind: 'entries',
    key: JSON.stringify([target, holder.role, holder.grantor, what]),
    target,
    sql: `SET LOCAL ROLE ${quoted(holder.grantor === '' ? object.owner : holder.grantor)}; REVOKE ${what} ON ${target} FROM ${grantee} CASCADE; RESET ROLE`,
  };
  return [...memberships, entry];
}
