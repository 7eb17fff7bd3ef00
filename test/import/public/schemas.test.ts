// Import is a fixed point of the schemas of applications that people run, with the roles and grants that such databases have after some years.
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, it } from 'vitest';
import { type Postgres, startPostgres } from '../../support/postgres.ts';
import { proveFixedPoint } from './fixed-point.ts';
import { applicationSchemas } from './material.ts';
import { grantsSql, rolesSql } from './usual-grants.ts';

let server: Postgres;
beforeAll(async () => {
  server = await startPostgres({ settings: { log_statement: 'none', max_locks_per_transaction: '512' } });
  await server.query(rolesSql);
});
afterAll(() => server.stop());

/** Its owner makes everything, as a deployment does; what this server lacks, as an extension, is left out. */
function load(database: string, file: string): void {
  execFileSync(
    'psql',
    ['-X', '-q', '-h', server.host, '-p', String(server.port), '-U', server.user, '-d', database, '-c', 'SET SESSION AUTHORIZATION app_owner', '-f', file],
    {
      env: { ...process.env, PGPASSWORD: server.password },
      stdio: 'ignore',
    },
  );
}

it.each(applicationSchemas())('of the schema of $name, with the roles and grants of an application', async ({ name, file }) => {
  await server.query(`CREATE DATABASE "${name}" TEMPLATE template0 OWNER app_owner`);
  await server.query('ALTER ROLE app_owner SUPERUSER');
  load(name, file);
  await server.query('ALTER ROLE app_owner NOSUPERUSER');
  await server.query(grantsSql(name), name);
  await proveFixedPoint(name, server);
  await server.query('DROP SCHEMA IF EXISTS pgsteward CASCADE');
  await server.query(`DROP DATABASE "${name}" WITH (FORCE)`);
});
