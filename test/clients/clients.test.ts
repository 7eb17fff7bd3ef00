// Programs log in with nothing but the connection Secret that is mounted for them: generated passwords, and every character in those that are given by hand.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nodeCanLogIn } from '../../src/model/saslprep.ts';
import { MemorySecrets } from '../support/memory-secrets.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';
import { allCases, type Case } from './cases.ts';
import { KNOWN } from './known.ts';
import { type Answers, go, java, keyOf, nodeByKeys, nodeByUri, psqlByEnvironment, psqlByUri } from './ways.ts';

const NAMESPACE = 'postgres';
const folder = mkdtempSync(join(tmpdir(), 'pgsteward-clients-'));
/** By the folder of the Secret. */
const cases = new Map(allCases().map((one, index) => [String(index).padStart(4, '0'), one]));
const usernameOf = (id: string, { username }: Case): string => username ?? `user-${id}`;
const databaseOf = ({ database }: Case): string => database ?? 'postgres';

let server: Postgres;
let steward: Steward;
beforeAll(async () => {
  server = await startPostgres({ settings: { log_statement: 'none' } });
  const databases = new Set([...cases.values()].flatMap(({ database }) => database ?? []));
  for (const database of databases) await server.query(`CREATE DATABASE "${database.replaceAll('"', '""')}" STRATEGY FILE_COPY`);
  const secrets = new MemorySecrets();
  // The tests' server speaks no TLS.
  steward = await createSteward(server, { CONNECTION_SSLMODE: 'disable', SECRET_READS_PER_CYCLE: '10000' }, undefined, undefined, secrets);
  const entries = [...cases];
  steward.manifests.users(
    entries.map(([id, one]) => ({
      username: usernameOf(id, one),
      database: databaseOf(one),
      connectionSecret: `db-${id}`,
      ...(one.password === undefined ? { password: { generate: {} } } : {}),
    })),
  );
  steward.manifests.secrets(new Map(entries.flatMap(([id, one]) => (one.password === undefined ? [] : [[usernameOf(id, one), one.password]]))));
  for (let cycle = 0; cycle < 5 && (await steward.cycle()).result !== 'converged';) cycle += 1;
  expect(await steward.cycle()).toMatchObject({ result: 'converged', notices: [] });
  for (const id of cases.keys()) secrets.mount(NAMESPACE, `db-${id}`, join(folder, id));
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await steward.close();
  await server.stop();
});

const connected = (id: string, one: Case): string => `${usernameOf(id, one)} in ${databaseOf(one)}`;
/** As parsers give it back. */
const parts = (id: string, one: Case): string => [usernameOf(id, one), keyOf(folder, id, 'password'), `/${databaseOf(one)}`].join('\0');

/** Every case but those that are known must have the answer, and those must not: what a newer driver can do shall not go unnoticed. */
function check(answers: Answers | undefined, known: readonly string[], expected = connected): void {
  expect(answers?.size).toBe(cases.size);
  const others = [...cases].flatMap(([id, one]) => {
    const answer = answers?.get(id);
    return answer?.ok === true && answer.text === expected(id, one) ? [] : [one.about];
  });
  expect(others.toSorted()).toEqual(known.toSorted());
}
const { 'node-postgres': node = [], 'the path of node-postgres': path = [], pgjdbc = [], pgx = [] } = KNOWN;

it('the Secrets hold every password as it was given', () => {
  for (const [id, { password, about }] of cases) if (password !== undefined) expect(keyOf(folder, id, 'password'), about).toBe(password);
});

describe('node-postgres', () => {
  it('logs in by the URI', async () => check(await nodeByUri(folder), [...node, ...path]));
  it('is known for what it cannot log in with, which the login probe leaves out', () => {
    const left = [...cases].filter(([id]) => !nodeCanLogIn(keyOf(folder, id, 'password'))).map(([, { about }]) => about);
    expect(left.toSorted()).toEqual(node.toSorted());
  });
  it('logs in by the single keys', async () => check(await nodeByKeys(folder), node));
});

describe.runIf(process.env['CLIENT_PSQL'])('psql', () => {
  it('logs in by the URI, whatever the password', async () => check(await psqlByUri(folder), []));
  it('logs in by the PG variables alone, whatever the password', async () => check(await psqlByEnvironment(folder), []));
});

describe.runIf(process.env['CLIENT_JDBC'])('JDBC', () => {
  it('logs in by its URI', async () => check((await java(folder)).get('jdbc-uri'), pgjdbc));
});

describe.runIf(process.env['CLIENT_PGX'])('Go', () => {
  it('gives everything back by net/url and by pgx, and logs in by the URI', async () => {
    const ways = await go(folder);
    check(ways.get('net/url'), [], parts);
    check(ways.get('pgx.ParseConfig'), [], parts);
    check(ways.get('pgx'), pgx);
  });
});

it('a wrong password is refused', async () => {
  const [id = ''] = cases.keys();
  await expect(server.client('postgres', { user: `user-${id}`, password: `${keyOf(folder, id, 'password')}x` })).rejects.toThrow('authentication failed');
});
