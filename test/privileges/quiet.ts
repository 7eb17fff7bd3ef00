// Whether something wrote to the server: by the statements in its log, and by the transaction numbers that only writing uses up.
import { expect } from 'vitest';
import { ddlOf, type Steward } from '../support/steward.ts';
import type { Postgres } from '../support/postgres.ts';

/** Autovacuum uses transaction numbers of its own. */
export const QUIET = { synchronous_commit: 'off', autovacuum: 'off', full_page_writes: 'off' } as const;

const nextTransaction = async (server: Postgres): Promise<string> =>
  (await server.query<{ xid: string }>('SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS xid'))[0]?.xid ?? '';

const WRITES = /(?:statement: |: |;)\s*(?:CREATE|ALTER|DROP|GRANT|REVOKE|COMMENT|INSERT|UPDATE|DELETE|REASSIGN|TRUNCATE|DO)\b/;

/** What was written meanwhile; empty where nothing was. The server has to run with QUIET. */
export async function writesDuring(server: Postgres, action: () => Promise<unknown>): Promise<readonly string[]> {
  const before = await nextTransaction(server);
  server.mark();
  await action();
  const written = ddlOf(server.log()).filter((line) => WRITES.test(line));
  const after = await nextTransaction(server);
  return written.length === 0 && before !== after ? [`transactions ${before} to ${after} wrote something that the log does not show`] : written;
}

/** One cycle makes everything right, and the next writes nothing. */
export async function settles(server: Postgres, steward: Steward): Promise<void> {
  const report = await steward.cycle();
  expect(['changed', 'converged'], JSON.stringify([report.problems, report.notices, report.error])).toContain(report.result);
  expect(await writesDuring(server, () => steward.cycle())).toEqual([]);
}
