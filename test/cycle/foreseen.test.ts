// What a cycle does was in the dry run before it: the ledger, event triggers and their end included, each step once and without an error of the server.
import { expect, it } from 'vitest';
import { planLines } from '../../src/changes/plan-lines.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  {},
  (started) => (server = started),
  () => steward,
);

/** What a dry run says, and then what a cycle does. */
const both = async (env: Readonly<Record<string, string>> = {}): Promise<{ readonly said: string[]; readonly done: string[] }> => {
  const dry = await steward.restart({ ...env, DRY_RUN: 'true' });
  const said = planLines((await dry.cycle()).planned);
  steward = await dry.restart({ ...env, DRY_RUN: 'false' });
  server.mark();
  const { outcomes, error } = await steward.cycle();
  expect([error, outcomes.filter(({ result }) => result !== 'applied')]).toEqual([undefined, []]);
  expect(
    server
      .log()
      .split('\n')
      .filter((line) => /(ERROR|WARNING): /.test(line)),
  ).toEqual([]);
  return { said, done: planLines(outcomes.map(({ change }) => change)) };
};
const LEDGER = 'create schema: pgsteward in database postgres (the ledger: which roles are ours, and every change)';

it('the ledger and the event trigger are said before they are made, and their end before it comes', async () => {
  await server.query('CREATE DATABASE "sh\'op"');
  await server.query('CREATE SCHEMA app; CREATE TABLE app.t (id int)', "sh'op");
  steward = await createSteward(server, { EVENT_TRIGGERS: 'auto' });
  steward.manifests.users([{ username: 'alice', login: false, grants: [{ database: "sh'op", schemas: ['app'], tables: { '*': ['SELECT'] } }] }]);
  const made = await both({ EVENT_TRIGGERS: 'auto' });
  expect(made.said).toContain(LEDGER);
  expect(made.said).toContain("install the event trigger in database sh'op");
  expect(made.done.toSorted()).toEqual(made.said.toSorted());
  expect(await both({ EVENT_TRIGGERS: 'auto' })).toEqual({ said: [], done: [] });
  const removed = await both({ EVENT_TRIGGERS: 'off' });
  expect(removed.said).toEqual(["remove the event trigger, and then what it followed, in database sh'op"]);
  expect(removed.done).toEqual([...removed.said, "remove what the event trigger followed in database sh'op"]);
  expect(await both({ EVENT_TRIGGERS: 'off' })).toEqual({ said: [], done: [] });
});

it('where only the tables are to be made, as in a schema that an operator gave us, that is said', async () => {
  await server.query(`CREATE ROLE adm LOGIN CREATEROLE PASSWORD 'adm-secret'`);
  const env = { DB_USER: 'adm', DB_PASS: 'adm-secret' };
  steward = await createSteward(server, env);
  steward.manifests.users([{ username: 'alice', login: false }]);
  const without = await both(env);
  expect([without.said, without.done].map((lines) => lines.filter((line) => line.includes('pgsteward')))).toEqual([[], []]);
  await server.query('CREATE SCHEMA pgsteward AUTHORIZATION adm');
  const given = await both(env);
  expect(given.said).toEqual(['create the tables of the ledger: schema pgsteward in database postgres']);
  expect(given.done).toEqual(given.said);
});

it('a pause says it as well, and makes nothing', async () => {
  steward = await createSteward(server);
  steward.manifests.users([{ username: 'alice', login: false }]);
  steward.manifests.annotate({ 'pgsteward.dev/paused': 'true' });
  expect(planLines((await steward.cycle()).planned)[0]).toBe(LEDGER);
  expect(await server.query(`SELECT FROM pg_namespace WHERE nspname = 'pgsteward'`)).toEqual([]);
});
