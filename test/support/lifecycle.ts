// The life of a server over the tests of a file, and of a steward over each of them.
import type pg from 'pg';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { type Postgres, startPostgres } from './postgres.ts';
import { resetServer, type Steward } from './steward.ts';

/**
 * One server for all tests of the file; after each, its steward is closed and everything that it left is dropped.
 * @param started takes the server, before the first test.
 * @param steward the steward of the test that has ended.
 */
export function serverForAll(settings: Readonly<Record<string, string>>, started: (server: Postgres) => void, steward: () => Steward): void {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres({ settings });
    started(server);
  });
  afterAll(() => server.stop());
  afterEach(async () => {
    await steward().close();
    await resetServer(server);
  });
}

/** One server that logs nothing, and a superuser's session, for all tests of the file. @param started takes both, before the first test. */
export function quietServerForAll(started: (server: Postgres, admin: pg.Client) => void): void {
  let server: Postgres;
  let admin: pg.Client;
  beforeAll(async () => {
    server = await startPostgres({ settings: { log_statement: 'none', log_min_messages: 'panic', log_min_error_statement: 'panic' } });
    admin = await server.client();
    started(server, admin);
  });
  afterAll(async () => {
    await admin.end();
    await server.stop();
  });
}
