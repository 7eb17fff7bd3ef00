// A plan that is saved, shown and applied: what is agreed to is done and nothing else, and where anything is otherwise by then, nothing at all.
import { existsSync, lstatSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Change } from '../../src/changes/change.ts';
import { createConnections } from '../../src/postgres/connection.ts';
import { acquireWriterLock } from '../../src/postgres/writer-lock.ts';
import { createApproval } from '../../src/steward/approval.ts';
import type { Plan } from '../../src/plan/plan-input.ts';
import { daemonEnv } from '../support/daemon.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { scratch } from '../support/scratch.ts';
import { expectNoSecrets } from '../support/secrets.ts';
import { createSteward, ddlOf, type Steward } from '../support/steward.ts';
import { type Called, callHere } from './call.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  {},
  (started) => (server = started),
  () => steward,
);

const call = async (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Called> => {
  const called = await callHere(args, '', { ...daemonEnv(server, steward.manifests.folder), STATE_FILE: steward.config.stateFile, ...env });
  expectNoSecrets(called.stdout + called.stderr, args.join(' '));
  return called;
};

const READS = [{ database: 'shop', schemas: ['public'], tables: { '*': ['SELECT'] } }];

async function begin(): Promise<void> {
  await server.query('CREATE DATABASE shop');
  await server.query('CREATE TABLE goods (id int)', 'shop');
  steward = await createSteward(server);
  steward.manifests.users([{ username: 'alice', database: 'shop', roles: ['readers'], grants: READS }]);
  steward.manifests.secret('alice', 'the first of alice');
}

/** Saves the plan of this moment. */
async function saved(...more: readonly string[]): Promise<string> {
  const file = join(scratch('plans'), 'the.plan');
  const { code, stderr } = await call(['plan', '--out', file, ...more]);
  expect({ code, stderr }).toEqual({ code: 2, stderr: '' });
  return file;
}

it('without a plan it is one cycle: outcomes, ledger, audit log, and then the server is as declared', async () => {
  await begin();
  const { code, stdout, stderr } = await call(['apply']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toContain('done: create user: alice with roles [readers]\n');
  expect(stdout).toContain('failed: 0; skipped: 0');
  const [row] = await server.query<{ count: number }>(`SELECT count(*)::int FROM pgsteward.audit_log WHERE change = 'create_role' AND role = 'alice'`);
  expect(row?.count).toBe(1);
  expect(existsSync(steward.config.stateFile)).toBe(true);
  expect((await call(['plan'])).code).toBe(0);
  const again = await call(['apply', '-o', 'json']);
  expect(again.code).toBe(0);
  expect(JSON.parse(again.stdout)).toMatchObject({ version: 1, result: 'as_declared', outcomes: [], left: [] });
});

it('a saved plan is for our account alone, holds no secret, is shown as it was made, and is applied once', async () => {
  await begin();
  const file = await saved();
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const text = readFileSync(file, 'utf8');
  expectNoSecrets(text, 'the saved plan');
  expect(text).not.toContain('SCRAM-SHA-256$');
  const made = { json: '', sql: '', markdown: '', text: '' };
  for (const format of Object.keys(made)) {
    const without = (said: string): string => said.replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME');
    expect(without((await call(['show', file, '-o', format])).stdout)).toBe(without((await call(['plan', '-o', format])).stdout));
  }
  const { code, stderr, stdout } = await call(['apply', file]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toContain('done: set password of user: alice (first password)');
  expect((await call(['plan'])).code).toBe(0);
  expect(await call(['apply', file])).toMatchObject({ code: 3, stdout: '' });
  expect((await call(['show', file])).code).toBe(2);
});

interface Stored {
  readonly digest: string;
  readonly bound: { effect: string };
  readonly view: { readonly changes: { sentence: string; sql: readonly string[] }[]; result: string };
  readonly script: unknown[];
}

it.each<[string, (plan: Stored) => unknown]>([
  ['a sentence', ({ view }) => Object.assign(view.changes[0] ?? {}, { sentence: 'nothing to see' })],
  ['SQL that is shown', ({ view }) => Object.assign(view.changes[0] ?? {}, { sql: ['SELECT 1'] })],
  ['a change that is left out', ({ view }) => view.changes.pop()],
  ['the result', ({ view }) => Object.assign(view, { result: 'as_declared' })],
  ['the script', ({ script }) => script.push({ kind: 'alone', statements: ['DROP DATABASE shop'] })],
  ['what it holds for', ({ bound }) => Object.assign(bound, { effect: 'another' })],
])('a file in which somebody changed %s is neither shown nor applied', async (_, edit) => {
  await begin();
  const file = await saved();
  const plan = JSON.parse(readFileSync(file, 'utf8')) as Stored;
  // Written anew as it was, it is the same plan.
  writeFileSync(file, JSON.stringify(plan, undefined, 2));
  expect((await call(['show', file])).code).toBe(2);
  edit(plan);
  writeFileSync(file, JSON.stringify(plan));
  for (const args of [
    ['show', file],
    ['show', file, '-o', 'sql'],
    ['apply', file],
  ])
    expect(await call(args)).toEqual({
      code: 1,
      stdout: '',
      stderr: `pgsteward: the plan ${file} was changed since it was saved; pgsteward plan --out FILE saves another\n`,
    });
});

it('a database with a name of another use is one that the plan holds for', async () => {
  await begin();
  await server.query('CREATE DATABASE "__proto__"');
  const file = await saved();
  await server.query('DROP DATABASE "__proto__"');
  expect(await call(['apply', file])).toMatchObject({
    code: 3,
    stdout: '',
    stderr: expect.stringContaining('databases are gone or others: __proto__') as string,
  });
});

it('a plan is saved in place of a file, and of nothing else', async () => {
  await begin();
  const file = join(scratch('plans'), 'link');
  symlinkSync('/dev/null', file);
  expect(await call(['plan', '--out', file])).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('is no regular file') as string });
  expect(lstatSync(file).isSymbolicLink()).toBe(true);
});

it('a password that is set has another verifier each time, and the plan holds nevertheless', async () => {
  await begin();
  await steward.cycle();
  steward.manifests.secret('alice', 'the second of alice');
  const { code, stdout } = await call(['apply', await saved()]);
  expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining('done: set password of user: alice (its Secret changed)') as string });
});

it.each<[string, () => Promise<unknown>]>([
  [
    'the document is another one',
    async () =>
      steward.manifests.users([
        { username: 'alice', database: 'shop', roles: ['readers'], grants: READS },
        { username: 'bob', password: 'none' },
      ]),
  ],
  ['databases are gone or others: shop', () => server.query('DROP DATABASE shop').then(() => server.query('CREATE DATABASE shop'))],
  ['what would be done is something else', () => server.query('CREATE ROLE readers')],
  ['the ledger says something else', () => server.query(`UPDATE pgsteward.managed_role SET origin = 'adopted' WHERE name = 'old'`)],
])('refuses with 3 and does nothing where %s', async (why, happens) => {
  await begin();
  if (why.includes('ledger')) {
    const { folder } = steward.manifests;
    const before = readFileSync(join(folder, 'configmap.yaml'), 'utf8');
    steward.manifests.users([{ username: 'old', password: 'none' }]);
    await steward.cycle();
    writeFileSync(join(folder, 'configmap.yaml'), before);
  }
  const file = await saved();
  await happens();
  server.mark();
  const { code, stdout, stderr } = await call(['apply', file]);
  expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
  expect(stderr).toContain(why);
  expect(stderr).toContain('nothing was done');
  expect(ddlOf(server.log())).toEqual([]);
});

it('refuses with 3 in a dry run, for a plan without Secrets, and during a pause', async () => {
  await begin();
  expect(await call(['apply'], { DRY_RUN: 'true' })).toMatchObject({ code: 3, stdout: '' });
  expect((await call(['apply', await saved('--without-secrets')])).stderr).toContain('without Secrets');
  steward.manifests.annotate({ 'pgsteward.dev/paused': 'true' });
  expect(await call(['apply'])).toMatchObject({ code: 3, stderr: expect.stringContaining('pgsteward.dev/paused') as string });
});

it('ends with 1 where another one is the writer, and where a file is no plan', async () => {
  await begin();
  const connections = createConnections(steward.config.server, () => undefined);
  const { adminDatabase } = steward.config.server;
  const lock = await acquireWriterLock({
    connections,
    adminDatabase,
    source: steward.config.source.id,
    signal: new AbortController().signal,
    onWait: () => undefined,
  });
  try {
    const { code, stderr } = await call(['apply']);
    expect(code).toBe(1);
    expect(stderr).toContain('another instance is the writer');
  } finally {
    await lock.release();
    await connections.close();
  }
  const file = join(scratch('plans'), 'no.plan');
  for (const text of ['', '{}', '{"format": "pgsteward plan", "version": 2}']) {
    writeFileSync(file, text);
    for (const verb of ['show', 'apply']) expect(await call([verb, file])).toMatchObject({ code: 1, stdout: '' });
  }
  expect((await call(['show', '/nowhere'])).stderr).toContain('there is no such file');
  expect((await call(['apply'], { DB_PORT: '1' })).code).toBe(1);
});

it('what a later pass wants beside the saved plan waits', () => {
  const grant = (role: string): Change => ({ kind: 'clear_password', role });
  const sessions = (count: number): Change => ({ kind: 'end_sessions', role: 'alice', sessions: count });
  const planned = { changes: [grant('alice'), sessions(7), grant('bob')], deferred: [] } as unknown as Plan;
  const approval = createApproval(() => undefined);
  approval.check([grant('alice'), sessions(3)], {} as never, '');
  expect(approval.only(planned)).toEqual({ changes: [grant('alice'), sessions(7)], deferred: [grant('bob')] });
  expect(approval.left).toEqual([grant('bob')]);
});
