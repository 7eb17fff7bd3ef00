// An answer of the server that is longer than we hold ends its session and nothing else.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { LIMITS } from '../../src/model/limits.ts';
import { type Connections, createConnections } from '../../src/postgres/connection.ts';
import { classify } from '../../src/postgres/failures.ts';
import { query } from '../../src/postgres/query.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';

let server: Postgres;
let connections: Connections;
beforeAll(async () => {
  server = await startPostgres();
  connections = createConnections(readConfig({ DB_HOST: server.host, DB_PORT: String(server.port), DB_PASS: server.password }).server, () => undefined);
});
afterAll(async () => {
  await connections.close();
  await server.stop();
});

const FRAME = 1000;
const ask = (select: string): Promise<number> =>
  connections.withAdmin(async (client) => (await query(client, select)).flat(2).reduce<number>((sum, text) => sum + String(text).length, 0));

it('as many rows of nothing come as are held, and of one more nothing', async () => {
  const rows = (count: number): Promise<number> =>
    connections.withAdmin(async (client) => (await query(client, `SELECT FROM generate_series(1, ${count})`))[0]?.length ?? 0);
  expect(await rows(LIMITS.answerRows - 10)).toBe(LIMITS.answerRows - 10);
  await expect(rows(LIMITS.answerRows + 1)).rejects.toThrow(`or ${LIMITS.answerRows} rows`);
  expect(await ask("SELECT 'well'")).toBe(4);
});

it.each([
  ['one value', (bytes: number) => `SELECT repeat('x', ${bytes})`],
  [
    'many rows of many statements',
    (bytes: number) => Array.from({ length: 4 }, () => `SELECT repeat('x', 990) FROM generate_series(1, ${bytes / 4000})`).join(';'),
  ],
])('%s may be as long as the limit, and is refused beyond it while the next is answered', async (_what, select) => {
  expect(await ask(select(LIMITS.answerBytes - 100 * FRAME))).toBeGreaterThan(LIMITS.answerBytes * 0.9);
  // What was answered before does not count.
  expect(await ask(select(LIMITS.answerBytes - 100 * FRAME))).toBeGreaterThan(LIMITS.answerBytes * 0.9);
  const error = await ask(select(LIMITS.answerBytes + 100 * FRAME)).catch((thrown: unknown) => thrown);
  expect(String(error)).toContain("the server's answer has more than 24 MiB");
  expect(classify(error)).toBe('defect');
  expect(await ask("SELECT 'well'")).toBe(4);
});
