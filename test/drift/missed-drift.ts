// Missed drift: many databases without listeners, answers of the server that come when they like, and changes by hand. The first cycle after a
// change has to find it: nothing else would.
import { afterAll, beforeAll, expect, it } from 'vitest';
import type pg from 'pg';
import { QUIET } from '../privileges/quiet.ts';
import { type DelayingProxy, startDelayingProxy } from '../support/delaying-proxy.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';
import { type ByHand, CONTENTS, documentFor, inCluster, inDatabase, USER } from './changes.ts';

/** A change in a database; undefined for what all share. */
type Done = ByHand & { readonly database: string };

/** How many changes are made before a cycle, in turn: one alone is what two looks side by side could hide from each other. */
const TOGETHER = [1, 30];
const DELAY_MS = 6;

export function findsEveryChange(count: number, changes: number): void {
  const names = Array.from({ length: count }, (_, index) => `drift_${index}`);
  const clients = new Map<string, pg.Client>();
  const inside = (database: string): pg.Client => clients.get(database) as pg.Client;
  let server: Postgres;
  let proxy: DelayingProxy;
  let steward: Steward;
  beforeAll(async () => {
    server = await startPostgres({ settings: { ...QUIET, log_statement: 'none', max_connections: '120' } });
    await server.query('CREATE DATABASE pattern');
    await server.query(CONTENTS, 'pattern');
    for (const name of names) {
      await server.query(`CREATE DATABASE ${name} TEMPLATE pattern`);
      clients.set(name, await server.client(name));
    }
    proxy = await startDelayingProxy(server.port, DELAY_MS);
    steward = await createSteward(
      { ...server, port: proxy.port },
      { EVENT_TRIGGERS: 'off', MAX_LISTENERS: '0', DB_SSLMODE: 'disable', ALLOWED_SETTINGS: 'log_duration' },
    );
    steward.manifests.users(documentFor(names, server.major));
    steward.manifests.secret(USER, 'missed-drift-only');
    for (let cycle = 0; cycle < 3; cycle += 1) await steward.cycle();
  });
  afterAll(async () => {
    for (const client of clients.values()) await client.end();
    await steward.close();
    await proxy.close();
    await server.stop();
  });

  /** Which of the changes stand. */
  async function standing(done: readonly Done[]): Promise<string[]> {
    const stands = await Promise.all(
      [...Map.groupBy(done, ({ database }) => database)].map(async ([database, some]) => {
        const sql = `SELECT ARRAY[${some.map((change) => change.stands).join(', ')}]::boolean[] AS answers`;
        const { rows } = await inside(database).query<{ answers: boolean[] }>(sql);
        return some.flatMap(({ what }, index) => (rows[0]?.answers[index] === true ? [`${what} in ${database}`] : []));
      }),
    );
    return stands.flat();
  }

  it(`each of ${changes} changes by hand in ${count} databases is put right by the first cycle after it`, async () => {
    expect(await steward.cycle()).toMatchObject({ result: 'converged', unchanged: true });
    const kinds = new Set<string>();
    const shuffled = <T>(items: readonly T[]): T[] =>
      items
        .map((item) => ({ item, at: Math.random() }))
        .toSorted((a, b) => a.at - b.at)
        .map(({ item }) => item);
    let queue: ByHand[] = [];
    for (let made = 0, turn = 0; made < changes; turn += 1) {
      const together = Math.min(TOGETHER[turn % TOGETHER.length] ?? 1, names.length, changes - made);
      const done: Done[] = [];
      // A database has one change in a turn, and a kind too: what one does is not undone by another.
      const free = shuffled(names);
      while (done.length < together) {
        if (queue.length === 0) queue = shuffled([...inDatabase(made + done.length), ...inCluster(server.major)]);
        const change = queue.pop() as ByHand;
        if (done.some(({ what }) => what === change.what)) continue;
        const database = free.pop() ?? '';
        await inside(database).query(change.sql);
        expect(await standing([{ ...change, database }]), `${change.what} stands once it is made`).toHaveLength(1);
        done.push({ ...change, database });
        kinds.add(change.what);
      }
      const report = await steward.cycle();
      expect(
        await standing(done),
        `after a cycle that says ${report.result}, of ${JSON.stringify(done.map(({ what, database }) => `${what} in ${database}`))}`,
      ).toEqual([]);
      expect(report.unchanged).toBe(false);
      made += done.length;
    }
    if (changes >= 100) expect(kinds.size).toBe(inDatabase(0).length + inCluster(server.major).length);
  }, 1_800_000);
}
