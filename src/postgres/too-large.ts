// A server about which there is more to read than is read: what there is most of, as nothing but that helps to find who made it.
import type pg from 'pg';
import { LIMITS } from '../model/limits.ts';
import { Outage } from '../model/outage.ts';
import { AnswerTooLarge } from './bounded-answers.ts';
import type { Connections } from './connection.ts';
import { pinnedRows } from './query.ts';

/** What it is called, how many there are, and about how many bytes they take in an answer. */
const COUNTED: readonly (readonly [what: string, from: string, bytes: string])[] = [
  [
    'roles',
    `pg_catalog.pg_roles r LEFT JOIN pg_catalog.pg_shdescription d ON d.objoid = r.oid AND d.classoid = 'pg_catalog.pg_authid'::pg_catalog.regclass`,
    `100 + pg_catalog.length(r.rolname::pg_catalog.text) + least(pg_catalog.length(coalesce(d.description, '')), ${LIMITS.comment})`,
  ],
  ['memberships', 'pg_catalog.pg_auth_members', '50'],
  ['roles and databases with settings', 'pg_catalog.pg_db_role_setting', `least(pg_catalog.length(setconfig::pg_catalog.text), ${LIMITS.settingsLength})`],
  ['databases', 'pg_catalog.pg_database', '150'],
  ['entries in the ACLs of databases', 'pg_catalog.pg_database', '50 * coalesce(pg_catalog.cardinality(datacl), 0)'],
];

/** As `connections.withAdmin`, for a look at the whole server. @throws Outage where an answer is longer than is read, with what there is most of. */
export async function withWholeServer<T>(connections: Connections, work: (client: pg.ClientBase) => Promise<T>): Promise<T> {
  try {
    return await connections.withAdmin(work);
  } catch (error) {
    if (!(error instanceof AnswerTooLarge)) throw error;
    const most = await connections.withAdmin(mostOf).catch(() => '');
    throw new Outage('too_large', `${error.message}${most}`);
  }
}

async function mostOf(client: pg.ClientBase): Promise<string> {
  const counts = COUNTED.map(
    ([, from, bytes]) => `(SELECT count(*)::pg_catalog.float8 FROM ${from}), (SELECT coalesce(sum(${bytes}), 0)::pg_catalog.float8 FROM ${from})`,
  );
  const [row = []] = (await pinnedRows(client, `SELECT ${counts.join(', ')}`)) as readonly (readonly number[])[];
  const most = COUNTED.map(([what], index) => ({ what, count: row[index * 2] ?? 0, bytes: row[index * 2 + 1] ?? 0 }))
    .toSorted((a, b) => b.bytes - a.bytes)
    .slice(0, 3)
    .map(({ what, count, bytes }) => `${count} ${what} (${(bytes / 1_048_576).toFixed(1)} MiB)`);
  return `; there is most of ${most.join(', ')}`;
}
