// Moments of a standby: its snapshots do not list what is still open on the primary, and so show nothing of a transaction that ends between others.
import { expect, it } from 'vitest';
import { glanceOf, momentOf } from '../../src/postgres/moment.ts';
import { makeStandby } from '../support/outages.ts';
import { startPostgres } from '../support/postgres.ts';

it('no two moments of a standby are taken for one, as a row can be another one behind what its snapshot says', async () => {
  const primary = await startPostgres();
  await primary.query('CREATE TABLE t (id int); CREATE ROLE r');
  await primary.shutDown();
  const conninfo = `host=127.0.0.1 port=${primary.port} user=postgres password=${primary.password}`;
  const standby = await startPostgres({ copyOf: primary.dataDir, settings: { primary_conninfo: conninfo } });
  await primary.start();
  await makeStandby(standby);
  const [open, other, reader, also] = [await primary.client(), await primary.client(), await standby.client(), await standby.client()];
  const arrives = async (): Promise<void> => {
    const [row] = await primary.query<{ lsn: string }>('SELECT pg_current_wal_lsn()::text AS lsn');
    await expect
      .poll(async () => (await reader.query<[boolean]>({ text: `SELECT pg_last_wal_replay_lsn() >= '${row?.lsn ?? ''}'`, rowMode: 'array' })).rows[0]?.[0], {
        timeout: 60_000,
      })
      .toBe(true);
  };
  const seen = async (): Promise<string> => JSON.stringify((await reader.query(`SELECT relacl::text FROM pg_class WHERE relname = 't'`)).rows);
  await open.query('BEGIN; CREATE TABLE stays_open (id int)');
  await other.query('BEGIN; GRANT SELECT ON t TO r');
  await primary.query('CREATE TABLE ended (id int)');
  await arrives();
  const before = [await seen(), (await reader.query('SELECT pg_current_snapshot()::text AS at')).rows, await momentOf(reader), await glanceOf(also)];
  await other.query('COMMIT');
  await arrives();
  const after = [await seen(), (await reader.query('SELECT pg_current_snapshot()::text AS at')).rows, await momentOf(reader), await glanceOf(also)];
  expect(after[0]).not.toBe(before[0]);
  // This is what makes it so.
  expect(after[1]).toEqual(before[1]);
  expect(after[2]).not.toBe(before[2]);
  expect(after[3]).not.toBe(before[3]);
  await Promise.all([open, other, reader, also].map((client) => client.end()));
  await standby.stop();
  await primary.stop();
});
