// The life of a server over the tests of a file, and of a steward over each of them.
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
