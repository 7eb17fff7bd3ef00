// What others raise in our transactions is the failure of one change: it is not the loss of the writer's claim, nor the end of a session, in any language.
import { createServer, connect, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import pg from 'pg';
import { classify, describeFailure } from '../../src/postgres/failures.ts';
import { fenceOf } from '../../src/postgres/fence.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
let proxy: Server | undefined;
serverForAll(
  {},
  (started) => (server = started),
  () => steward,
);
afterEach(async () => {
  await server.query('DROP EVENT TRIGGER IF EXISTS trap; DROP FUNCTION IF EXISTS trap()');
  proxy?.close();
  proxy = undefined;
});

const PASSES = fenceOf('(SELECT 1) one');
const trap = (body: string): Promise<unknown> =>
  server.query(
    `CREATE FUNCTION trap() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN IF current_query() ~ 'ON TABLE "public"."mine"' THEN ${body} END IF; END $$;
     CREATE EVENT TRIGGER trap ON ddl_command_start WHEN TAG IN ('GRANT') EXECUTE FUNCTION trap()`,
  );
const reads = (table: string): object => ({ username: `reads_${table}`, login: false, grants: [{ schemas: ['public'], tables: { [table]: ['SELECT'] } }] });
const classesOf = async (): Promise<unknown> => {
  const { outcomes, error } = await steward.cycle(PASSES);
  expect(error).toBeUndefined();
  const failed = new Set(outcomes.flatMap((one) => (one.result === 'failed' ? [`${one.change.kind} ${one.class}`] : [])));
  const [may] = await server.query(
    `SELECT has_table_privilege('reads_mine', 'mine', 'SELECT') AS mine, has_table_privilege('reads_yours', 'yours', 'SELECT') AS yours`,
  );
  return [[...failed], may];
};
const start = async (env: Record<string, string> = {}): Promise<void> => {
  await server.query('CREATE TABLE mine (id int); CREATE TABLE yours (id int)');
  steward = await createSteward(server, { EVENT_TRIGGERS: 'off', RETRY_BACKOFF_BASE: '1', ...env });
  steward.manifests.users([reads('mine'), reads('yours')]);
};
afterEach(() => server.query('DROP TABLE mine, yours'));

it.each([
  ['a division by zero', 'PERFORM 1 / 0;'],
  [
    'the very error of the fence, read from our statement',
    `RAISE EXCEPTION USING ERRCODE = '22P02', MESSAGE = format('invalid input syntax for type integer: "%s0"', substring(current_query() from 'pgsteward fence [0-9a-f]+ '));`,
  ],
  ['the cast of the fence itself', `PERFORM (substring(current_query() from 'pgsteward fence [0-9a-f]+ ') || '0')::int;`],
])('%s in an event trigger stops nothing but the change that it is raised at', async (_, body) => {
  await start();
  await trap(body);
  expect(await classesOf()).toEqual([['grant_privilege refused'], { mine: false, yours: true }]);
});

it('a code that would end a session stops nothing else where the server speaks another language', async () => {
  proxy = await translating();
  await start({ DB_PORT: String((proxy.address() as AddressInfo).port), DB_SSLMODE: 'disable' });
  await trap(`RAISE EXCEPTION USING ERRCODE = '57P01', MESSAGE = 'over';`);
  expect(await classesOf()).toEqual([['grant_privilege refused'], { mine: false, yours: true }]);
});

it("the error of the fence is told in a language with other quotes, and its text is nobody else's to read", async () => {
  await start();
  const [, secret = ''] = /'(pgsteward fence [0-9a-f]+ )'/.exec(fenceOf('nowhere')) ?? [];
  const text = `ungültige Eingabesyntax für Typ integer: »${secret}0«`;
  const error = Object.assign(new pg.DatabaseError(text, text.length, 'error'), { severity: 'ERROR', code: '22P02' });
  expect(secret).not.toBe('');
  expect(classify(error)).toBe('fenced');
  expect(describeFailure(error)).not.toContain(secret);
});

/** A server with another lc_messages, for which no build at hand has the texts: the severity that is translated stands before the one that is not. */
async function translating(): Promise<Server> {
  const between = createServer((client) => {
    const upstream = connect(server.port, server.host);
    client.on('data', (chunk) => upstream.write(chunk));
    upstream.on('data', (chunk: Buffer) => client.write(Buffer.from(chunk.toString('latin1').replaceAll('SERROR\0VERROR\0', 'SFEHLR\0VERROR\0'), 'latin1')));
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => between.listen(0, '127.0.0.1', resolve));
  return between;
}
