// plan on a real server: what a dry run of the daemon says, in every output, with the exit codes of pipelines; and nothing is written for it.
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { expect, it } from 'vitest';
import { sentenceOf } from '../../src/changes/change.ts';
import type { PlanView } from '../../src/commands/plan-view.ts';
import { daemonEnv } from '../support/daemon.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { scratch } from '../support/scratch.ts';
import { createSteward, ddlOf, type Steward } from '../support/steward.ts';
import { type Called, callHere } from './call.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  {},
  (started) => (server = started),
  () => steward,
);

/** The verb with the settings of the steward's daemon. */
const plan = (...args: readonly string[]): Promise<Called> =>
  callHere(['plan', ...args], '', { ...daemonEnv(server, steward.manifests.folder), STATE_FILE: steward.config.stateFile });

async function viewOf(...args: readonly string[]): Promise<PlanView & { readonly code: number | null }> {
  const { code, stdout, stderr } = await plan('-o', 'json', ...args);
  expect(stderr).toBe('');
  return { ...(JSON.parse(stdout) as PlanView), code };
}

const READS = [{ database: 'shop', schemas: ['public'], tables: { '*': ['SELECT'] } }];

it('says what a dry run of the daemon says, writes nothing, and nothing at all once that is done', async () => {
  await server.query('CREATE DATABASE shop');
  await server.query('CREATE TABLE goods (id int)', 'shop');
  steward = await createSteward(server);
  steward.manifests.users([{ username: 'alice', database: 'shop', roles: ['readers'], grants: READS }]);
  steward.manifests.secret('alice', 'the first of alice');
  server.mark();
  const first = await viewOf();
  expect(first.code).toBe(2);
  expect(ddlOf(server.log())).toEqual([]);
  expect(existsSync(steward.config.stateFile)).toBe(false);
  const dry = await steward.restart({ DRY_RUN: 'true' });
  const { planned } = await dry.cycle();
  expect([...first.remembered, ...first.changes].map(({ sentence }) => sentence).toSorted()).toEqual(planned.map(sentenceOf).toSorted());

  steward = await dry.restart({ DRY_RUN: 'false' });
  expect((await steward.cycle()).result).toBe('changed');
  const second = await plan();
  expect(second).toMatchObject({ code: 0, stderr: '' });
  expect(second.stdout).toContain('changes: 0; only remembered: 0');
  await server.query('GRANT INSERT ON goods TO alice', 'shop');
  const third = await viewOf();
  expect(third).toMatchObject({ code: 2, result: 'differs', changes: [{ kind: 'revoke_privilege', loses: 'rights', role: 'alice', database: 'shop' }] });
});

it('ends with 0 where only event triggers of its own are missing, and shows them', async () => {
  await server.query('CREATE DATABASE untouched');
  steward = await createSteward(server, { EVENT_TRIGGERS: 'off' });
  const grants = READS.map((reads) => ({ ...reads, database: 'untouched' }));
  steward.manifests.users(stringify({ roles: [{ name: 'readers', grants }], users: [{ username: 'bob', login: false, roles: ['readers'] }] }));
  await steward.cycle();
  const { code, changes, result } = await viewOf();
  expect({ code, result }).toEqual({ code: 0, result: 'as_declared' });
  expect(changes.map(({ kind, database }) => [kind, database])).toEqual([['install_event_trigger', 'untouched']]);
});

const users = (...entries: readonly object[]): string => stringify({ users: entries });

function fileWith(text: string, name = 'users.yaml'): string {
  const file = join(scratch('documents'), name);
  writeFileSync(file, text);
  return file;
}

it('takes documents and Secrets as options, also several, and does without Secrets', async () => {
  steward = await createSteward(server);
  steward.manifests.secret('alice', 'the first of alice');
  const file = fileWith(users({ username: 'alice' }));
  writeFileSync(join(file, '../more.yaml'), users({ username: 'bob' }));
  const { folder } = steward.manifests;
  const sentences = ({ changes }: PlanView): readonly string[] => changes.map(({ sentence }) => sentence);
  expect(sentences(await viewOf('--document', file, '--secrets', folder))).toEqual([
    'create user: alice with roles []',
    'grant CONNECT on database postgres to: alice',
    'set password of user: alice (first password)',
  ]);
  const both = await viewOf('--document', join(file, '..'), '--secrets', folder);
  expect(both).toMatchObject({ code: 1, result: 'error', notices: [{ kind: 'secret', subject: 'bob' }] });
  const without = await viewOf('--document', join(file, '..'), '--without-secrets');
  expect(without).toMatchObject({ code: 2, notices: [], withSecrets: false });
  expect(sentences(without).filter((sentence) => sentence.startsWith('create user'))).toHaveLength(2);
  expect(sentences(without).join()).not.toContain('password');
});

it('ends with 3 where something is refused, and with 1 where something is wrong as well', async () => {
  steward = await createSteward(server);
  const refused = { username: 'alice', roles: ['postgres'] };
  expect(await viewOf('--without-secrets', '--document', fileWith(users(refused)))).toMatchObject({
    code: 3,
    notices: [{ kind: 'refused', subject: 'alice' }],
  });
  const { code, stdout } = await plan('--without-secrets', '--document', fileWith(users(refused, { username: 'bob', rols: [] })));
  expect(code).toBe(1);
  expect(stdout).toMatch(/users\.yaml:\d+:\d+: users\[1\]\.rols: error: unknown key `rols`/);
  steward.manifests.users(Array.from({ length: 9 }, (_, index) => ({ username: `u${index}`, password: 'none' })));
  await steward.cycle();
  expect(await viewOf('--document', fileWith(users({ username: 'u0', password: 'none' })))).toMatchObject({
    code: 3,
    notices: [{ kind: 'breaker' }],
    changes: [],
  });
});

it.each([
  [['--docment', 'x'], 'did you mean --document?'],
  [['--password', 'sesame'], 'unknown argument(s): --password'],
  [['-o', 'yaml'], '-o needs a value: text, json, markdown, sql'],
  [['--port', 'many'], 'DB_PORT=many: must be a number'],
  [['--host', ''], '--host needs a value'],
  [['--document', '/nowhere/users.yaml'], 'there is no such file'],
  [['--secrets', '/nowhere'], '--without-secrets does without Secrets'],
  [['--secrets', '/tmp', '--without-secrets'], 'cannot both be meant'],
  [['--host', '127.0.0.1', '--port', '1'], 'ECONNREFUSED'],
  [['--user', 'nobody\u001B[2J'], 'look at DB_USER'],
  [['--database', 'nowhere'], 'look at DB_NAME'],
])('refuses %j', async (args, said) => {
  steward = await createSteward(server);
  steward.manifests.users([{ username: 'alice', password: 'none' }]);
  const { code, stdout, stderr } = await plan(...args);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toContain(said);
  expect(stderr).not.toMatch(/[^\P{Cc}\n]|sesame/u);
});

it('a document that cannot be read is said at its place, and no server is asked for it', async () => {
  steward = await createSteward(server);
  const { code, stdout } = await plan('--without-secrets', '--port', '1', '--document', fileWith('users:\n  - {username: [}\n'));
  expect(code).toBe(1);
  expect(stdout).toMatch(/users\.yaml:2:\d+: /);
});

it('a name that is longer in our encoding than in that of its database is a name like any other', async () => {
  await server.query(`CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'`);
  steward = await createSteward(server);
  const grants = [{ database: 'latin', schemas: ['*'], tables: { '*': ['SELECT'] } }];
  steward.manifests.users([{ username: 'alice', database: 'latin', password: 'none', grants }]);
  await steward.cycle();
  const name = `"${'é'.repeat(63)}"`;
  await server.query(
    `CREATE SCHEMA ${name}; CREATE TABLE ${name}.${name} (${name} int); CREATE TYPE ${name}.${name.replace('é', 'è')} AS ENUM ('a');
     CREATE FUNCTION ${name}.${name}(${name}.${name.replace('é', 'è')}) RETURNS int LANGUAGE sql AS 'SELECT 1'; ALTER DEFAULT PRIVILEGES IN SCHEMA ${name} GRANT INSERT ON TABLES TO alice;
     GRANT CREATE ON SCHEMA ${name} TO alice; GRANT INSERT, UPDATE (${name}) ON ${name}.${name} TO alice; GRANT EXECUTE ON FUNCTION ${name}.${name} TO alice`,
    'latin',
  );
  const { code, stdout } = await plan('-o', 'sql');
  expect(code).toBe(2);
  expect(stdout).toContain(`REVOKE INSERT ON TABLE ${name}.${name} FROM "alice";`);
  expect(await steward.cycle()).toMatchObject({ result: 'changed' });
  expect((await plan()).code).toBe(0);
  expect(await server.query(`SELECT has_table_privilege('alice', '${name}.${name}', 'INSERT') AS may`, 'latin')).toEqual([{ may: false }]);
});

it('works beside whoever writes, with every option of a text for people', async () => {
  steward = await createSteward(server);
  steward.manifests.users([{ username: 'alice', password: 'none', roles: ['a\u001B[2Jb'] }]);
  await server.query('CREATE ROLE alice LOGIN CREATEDB');
  for (const format of ['text', 'markdown', 'sql']) {
    const { code, stdout, stderr } = await plan('-o', format, '--full');
    expect({ code, stderr }).toEqual({ code: 2, stderr: '' });
    expect(stdout).toContain('alice');
    expect(stdout).not.toContain('\u001B');
  }
});

it('ends with 2 where REVOKES=report leaves something, and with 1 where a database cannot be looked at', async () => {
  await server.query('CREATE DATABASE shop');
  await server.query('CREATE TABLE goods (id int)', 'shop');
  steward = await createSteward(server, { REVOKES: 'report' });
  steward.manifests.users([{ username: 'alice', password: 'none', database: 'shop', grants: READS }]);
  await steward.cycle();
  await server.query('GRANT INSERT ON goods TO alice', 'shop');
  const settings = { ...daemonEnv(server, steward.manifests.folder), STATE_FILE: steward.config.stateFile, REVOKES: 'report' };
  const held = await callHere(['plan', '-o', 'json'], '', settings);
  expect({ ...(JSON.parse(held.stdout) as PlanView), code: held.code }).toMatchObject({ code: 2, result: 'differs', changes: [], notices: [{ kind: 'held' }] });
  await server.query('ALTER DATABASE shop CONNECTION LIMIT 0; CREATE ROLE steward LOGIN CREATEROLE PASSWORD $$the steward$$');
  const unread = await callHere(['plan', '-o', 'json'], '', {
    ...settings,
    DB_USER: 'steward',
    DB_PASS: 'the steward',
    STATE_FILE: join(scratch('state'), 'none.json'),
  });
  expect({ ...(JSON.parse(unread.stdout) as PlanView), code: unread.code }).toMatchObject({ code: 1, result: 'error' });
  expect(unread.stdout).toContain('too many connections');
});
