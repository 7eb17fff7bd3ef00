// Canaries: what tells that somebody else's code ran as pgsteward, or that somebody got a right or a row that only it could give.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Postgres } from '../support/postgres.ts';
import { literal } from './random.ts';

/** Logins of pgsteward in this suite. */
export const LOGINS = { superuser: 'steward', 'plain admin': 'adm' } as const;
const STRONG = ['postgres', ...Object.values(LOGINS)].map((name) => `'${name}'`).join(', ');
const SESSIONS = Object.values(LOGINS)
  .map((name) => `'${name}'`)
  .join(', ');
const ATTACKERS = ['m', 'trudy', 'app', 'team'] as const;

/** In the server's log where code that has this in it ran with other rights than its maker's, or in our session. */
const RAN = 'CANARY ran';
const tries = (sql: string): string => `BEGIN EXECUTE ${literal(sql)}; EXCEPTION WHEN OTHERS THEN NULL; END;`;

/** Statements of PL/pgSQL that tell when they run as we do, and then try for everything. */
export const PAYLOAD = `IF current_user IN (${STRONG}) OR session_user IN (${SESSIONS}) THEN
    RAISE LOG '${RAN} as % in a session of %', current_user, session_user;
    ${['INSERT INTO canary.r VALUES (1)', 'ALTER ROLE m SUPERUSER', `COPY (SELECT 1) TO PROGRAM 'cat>CANARY'`, 'SET ROLE NONE', 'ALTER ROLE m SUPERUSER', 'INSERT INTO canary.r VALUES (1)'].map(tries).join('\n    ')}
  END IF;`;

/** Made by the server's superuser in each database: only pgsteward's login may write it. */
export const canaryTable = (login: string): string =>
  `CREATE SCHEMA IF NOT EXISTS canary; CREATE TABLE IF NOT EXISTS canary.r (id int); ALTER SCHEMA canary OWNER TO ${login}; ALTER TABLE canary.r OWNER TO ${login}`;

/** A query of the harness, which must not work as whom an attacker set the database's sessions to. */
export const asOurselves = <T extends Record<string, unknown>>(server: Postgres, sql: string, database: string): Promise<T[]> =>
  server.query<T>(
    `SET ROLE NONE; SET default_transaction_read_only = off; SET standard_conforming_strings = on; SET search_path = pg_catalog; ${sql}`,
    database,
  );

/** Everything that should not be, in words; the server's log is looked at since its mark. */
export async function canaries(server: Postgres, databases: readonly string[]): Promise<readonly string[]> {
  const attackers = ATTACKERS.map((name) => `'${name}'`).join(', ');
  const roles = await asOurselves<{ what: string }>(
    server,
    `
    SELECT format('%I has attributes that nobody gave it', rolname) AS what FROM pg_roles
      WHERE rolname NOT IN (${STRONG}) AND rolname !~ '^pg_' AND (rolsuper OR rolcreaterole OR rolreplication OR rolbypassrls)
    UNION ALL SELECT format('%I is a member of %I', a.rolname, r.rolname) FROM pg_roles a, pg_roles r
      WHERE a.rolname IN (${attackers}) AND pg_has_role(a.oid, r.oid, 'MEMBER') AND (r.rolsuper OR r.rolname IN (${STRONG}) OR r.rolname ~ '^pg_(execute|read_server|write_server)')`,
    'postgres',
  );
  const found = roles.map(({ what }) => what);
  for (const database of databases) {
    const rows = await asOurselves<{ what: string }>(
      server,
      `SELECT format('function %s belongs to %s', p.oid::regprocedure, pg_get_userbyid(p.proowner)) AS what FROM pg_proc p WHERE p.prosrc LIKE '%${RAN}%' AND pg_get_userbyid(p.proowner) IN (${STRONG})
       UNION ALL SELECT format('relation %s belongs to %s', c.oid::regclass, pg_get_userbyid(c.relowner)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p', 'v', 'm') AND n.nspname !~ '^(pg_|information_schema$|pgsteward$|canary$)' AND pg_get_userbyid(c.relowner) IN (${STRONG})
       UNION ALL SELECT format('%s canary rows', count(*)) FROM canary.r HAVING count(*) > 0`,
      database,
    );
    found.push(...rows.map(({ what }) => `${what} in ${database}`));
  }
  if (existsSync(join(server.dataDir, 'CANARY'))) found.push('a program ran');
  found.push(
    ...server
      .log()
      .split('\n')
      .filter((line) => line.includes(`LOG:  ${RAN}`)),
  );
  return found;
}
