// The roles of a server as one database sees them, and the question of access that is asked there: one snapshot.
import type pg from 'pg';
import type { Realm } from '../explain/securable.ts';
import { query } from './query.ts';
import { membershipRows, membershipsOf, membershipsQuery, namesOfRoles, roleRows, rolesOf, rolesQuery } from './read-roles.ts';
import { beginSql, type Timeouts } from './transaction.ts';

const HERE = `SELECT pg_catalog.current_setting('server_version_num')::int / 10000, pg_catalog.pg_get_userbyid(d.datdba),
  (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000)::pg_catalog.float8 FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()`;

/** Runs `work` with the realm in one snapshot that nothing is written in. @throws whatever the server answers. */
export async function inRealm<T>(client: pg.ClientBase, timeouts: Timeouts, work: (realm: Realm) => Promise<T>): Promise<T> {
  try {
    const begun = await query(client, `${beginSql(timeouts, 'REPEATABLE READ READ ONLY')}; ${HERE}`);
    const [major, databaseOwner, now] = (begun.at(-1)?.[0] ?? []) as readonly [number, string, number];
    const answer = await work(await readRealm(client, { major, databaseOwner, now }));
    await client.query('COMMIT');
    return answer;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** The realm as the transaction sees it that has begun. */
export async function readRealm(client: pg.ClientBase, facts: Pick<Realm, 'major' | 'databaseOwner' | 'now'>): Promise<Realm> {
  const [roles = [], memberships = []] = await query(client, [rolesQuery(false), membershipsQuery(facts.major)].join(';\n'));
  const rows = roleRows(roles);
  return { ...facts, roles: rolesOf(rows, new Map()), memberships: membershipsOf(membershipRows(memberships), namesOfRoles(rows).nameOf) };
}
