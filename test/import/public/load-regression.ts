// PostgreSQL's regression tests, run by psql one after the other and not cleaned up: a database with all that they make, and their roles.
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Postgres } from '../../support/postgres.ts';
import { scratch } from '../../support/scratch.ts';
import { regressionEnvironment, regressionTests } from './material.ts';

/**
 * Whoever makes roles cleans up after itself; so nothing is dropped there, and what is made twice fails the second time. Databases are: one gets an ACL of half a million
 * entries, written into the catalog and not granted, which is more than is read.
 */
const MAKES_ROLES = /^\s*CREATE (ROLE|USER|GROUP)\b/im;
const DROPS = /^\s*(DROP (?!EVENT TRIGGER|DATABASE)|REASSIGN OWNED|SELECT lo_unlink|ROLLBACK;|BEGIN;)/i;

/** Text of a test without what cleans up: only statements that stand in one line are left out. */
function kept(sql: string): string {
  if (!MAKES_ROLES.test(sql)) return sql;
  const lines = sql.split('\n');
  return lines.filter((line) => !(DROPS.test(line) && line.trimEnd().endsWith(';'))).join('\n');
}

/** What gives rights, or says whose something is; and what makes the tables that all of them use. */
const ABOUT_ACCESS = /\b(GRANT|REVOKE|CREATE (ROLE|USER|GROUP)|ALTER DEFAULT PRIVILEGES|OWNER TO)\b/i;
const FOUNDATIONS: ReadonlySet<string> = new Set([
  'test_setup',
  'copy',
  'create_table',
  'create_function_sql',
  'create_schema',
  'create_view',
  'create_procedure',
]);

/**
 * Runs them in a database of their own.
 * @param isShort only those that are about access, which are a quarter of the time.
 * @returns how many ended.
 */
export async function loadRegression(server: Postgres, from: string, isShort: boolean): Promise<number> {
  await server.query(`CREATE DATABASE regression TEMPLATE template0`);
  await server.query(`ALTER DATABASE regression SET lc_messages TO 'C'; ALTER DATABASE regression SET allow_in_place_tablespaces = on`).catch(() => undefined);
  const results = scratch('regress');
  for (const name of ['results', 'testtablespace']) mkdirSync(join(results, name));
  for (const path of [results, join(results, 'results'), join(results, 'testtablespace')]) chmodSync(path, 0o777);
  const env = {
    ...process.env,
    ...regressionEnvironment(from, results),
    PGPASSWORD: server.password,
    PGHOST: server.host,
    PGPORT: String(server.port),
    PGUSER: server.user,
  };
  let ran = 0;
  for (const name of regressionTests(from)) {
    const file = join(from, 'sql', `${name}.sql`);
    if (!existsSync(file) || (isShort && !FOUNDATIONS.has(name) && !ABOUT_ACCESS.test(readFileSync(file, 'utf8')))) continue;
    try {
      execFileSync('psql', ['-X', '-a', '-q', '-d', 'regression', '-v', 'HIDE_TABLEAM=on', '-v', 'HIDE_TOAST_COMPRESSION=on'], {
        env,
        cwd: results,
        input: kept(readFileSync(file, 'utf8')),
        stdio: ['pipe', 'ignore', 'ignore'],
        timeout: 120_000,
      });
      ran += 1;
    } catch (error) {
      process.stdout.write(`${name} did not end well: ${String(error).split('\n')[0]}\n`);
    }
  }
  return ran;
}
