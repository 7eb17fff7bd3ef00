// Verifiers in what the server keeps by itself: where we are a superuser, and where a plain admin has the SQL of docs/security.md, nothing has any.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { createAdminLogin } from '../../src/steward/admin-login.ts';
import { createAdminRotation } from '../../src/steward/admin-rotation.ts';
import { createConnections } from '../../src/postgres/connection.ts';
import { ROOT } from '../support/daemon.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { createSteward, resetServer } from '../support/steward.ts';

const PASSWORD = 'a password of our own';
/** What the page says that a superuser runs for an admin that is none, as it stands there. */
const PRINTED = [...readFileSync(join(ROOT, 'docs/security.md'), 'utf8').matchAll(/`(ALTER ROLE pgsteward SET [^`]+)`/g)].map(([, sql = '']) => sql);

let server: Postgres;
let operator: pg.Client;
beforeAll(async () => {
  // As a server is by default: it shows what failed, and the module keeps what was run.
  server = await startPostgres({
    settings: { log_statement: 'none', log_min_error_statement: 'error', shared_preload_libraries: 'pg_stat_statements' },
  });
  await server.query('CREATE EXTENSION pg_stat_statements');
});
afterAll(() => server.stop());
beforeEach(async () => {
  operator = await server.client();
});
afterEach(async () => {
  await operator.end();
  await resetServer(server);
});

const ADMINS = [
  ['a plain admin', 'CREATEROLE CREATEDB', false],
  ['a plain admin for whom the SQL of the page was run', 'CREATEROLE CREATEDB', true],
  ['a superuser', 'SUPERUSER', false],
] as const;

async function prepare(attributes: string, isTold: boolean): Promise<void> {
  await server.query(`CREATE ROLE pgsteward LOGIN ${attributes} PASSWORD '${PASSWORD}'`);
  await server.query('CREATE DATABASE home OWNER pgsteward');
  for (const sql of isTold ? PRINTED : []) await server.query(sql);
  // What was run until here was not ours.
  await server.query('SELECT pg_stat_statements_reset()');
  server.mark();
}

/** The role's row is held by somebody whom we cannot end, for as long as the work takes. */
async function whileHeld(role: string, work: () => Promise<unknown>): Promise<void> {
  await operator.query(`BEGIN; ALTER ROLE ${role} CONNECTION LIMIT 50`);
  try {
    await work();
  } finally {
    await operator.query('ROLLBACK');
  }
}

const kept = async (): Promise<{ readonly log: boolean; readonly module: boolean }> => ({
  log: server.log().includes('SCRAM-SHA-256$'),
  module: (await server.query(`SELECT FROM pg_stat_statements WHERE query LIKE '%SCRAM-SHA-256$%'`)).length > 0,
});

it('the page has the SQL for both', () => {
  expect(PRINTED).toHaveLength(2);
});

it.each(ADMINS)('a password that is set, and one that cannot be, by %s', async (_who, attributes, isTold) => {
  await prepare(attributes, isTold);
  const steward = await createSteward(server, { DB_USER: 'pgsteward', DB_PASS: PASSWORD, DB_NAME: 'home', DB_LOCK_TIMEOUT: '1' });
  try {
    steward.manifests.users([{ username: 'alice' }]);
    steward.manifests.secret('alice', 'the first password');
    expect((await steward.cycle()).result).toBe('changed');
    steward.manifests.secret('alice', 'the second password');
    await whileHeld('alice', async () => {
      const { outcomes } = await steward.cycle();
      expect(outcomes.map(({ change, result }) => [change.kind, result])).toContainEqual(['set_password', 'failed']);
    });
    expect(server.log()).toMatch(/ERROR: {2}canceling statement due to lock timeout/);
    const isLeft = attributes !== 'SUPERUSER' && !isTold;
    expect(await kept()).toEqual({ log: isLeft, module: isLeft });
  } finally {
    await steward.close();
  }
});

it.each(ADMINS)('a rotation of its own password that fails, by %s', async (_who, attributes, isTold) => {
  await prepare(attributes, isTold);
  const store = createMemoryStore({ password: PASSWORD });
  store.edit({ password: PASSWORD }, { 'pgsteward.dev/rotate-at': 'now' });
  const env = { ADMIN_ROTATION: 'on', ADMIN_SECRET: 'admin', DB_USER: 'pgsteward', DB_NAME: 'home', DB_LOCK_TIMEOUT: '1', RETRY_BACKOFF_BASE: '1' };
  const config = readConfig({ ...env, DB_HOST: server.host, DB_PORT: String(server.port) });
  const login = createAdminLogin(config, store);
  const connections = createConnections(config.server, () => undefined, login);
  try {
    const rotation = createAdminRotation({ config, store, connections, login });
    await whileHeld('pgsteward', async () => {
      const { outcomes } = await rotation.run('SELECT 1', false, new AbortController().signal);
      expect(outcomes.map(({ change, result }) => [change.kind, result])).toEqual([['rotate_admin_password', 'failed']]);
    });
    expect(server.log()).toMatch(/ERROR: {2}canceling statement due to lock timeout/);
    expect((await kept()).log).toBe(attributes !== 'SUPERUSER' && !isTold);
  } finally {
    await connections.close();
  }
});
