// Revisions: each desired state that was in force is written down once, with who wrote it; what was in force then can be read and compared, and no password is in it.
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { callHere, type Called } from '../commands/call.ts';
import { parseServers } from '../../src/document/servers.ts';
import { daemonEnv } from '../support/daemon.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { expectNoSecrets, rememberPassword } from '../support/secrets.ts';
import { createSteward, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  {},
  (started) => (server = started),
  () => steward,
);

const call = async (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Called> => {
  const called = await callHere(args, '', { ...daemonEnv(server, steward.manifests.folder), ...env });
  expectNoSecrets(called.stdout + called.stderr, args.join(' '));
  return called;
};
const json = async (...args: readonly string[]): Promise<unknown> => {
  const { code, stdout, stderr } = await call([...args, '-o', 'json']);
  if (code === 1) throw new Error(stderr);
  return JSON.parse(stdout) as unknown;
};
const revisions = async (): Promise<readonly { readonly id: number; readonly digest: string; readonly sources: readonly object[] }[]> =>
  (await json('history', '--revisions')) as never;
const documentOf = async (revision: number): Promise<unknown> => {
  const { code, stdout, stderr } = await call(['history', '--revision', String(revision), '-o', 'yaml']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return parse(stdout);
};

/** What names may have in them. */
const HOSTILE = ['it"s', "o'x", 'a\nb', 'a\u001fb', '"; DROP TABLE pgsteward.audit_log; --', '=1+1', '+a', '-b', '@c', 'ünï\u202ecode', '__proto__'];

it('a new desired state is a revision with who wrote it, and what says the same, or an unchanged cycle, is none', async () => {
  steward = await createSteward(server);
  const { manifests } = steward;
  manifests.annotate({ 'pgsteward.dev/revision': '0123abc', 'pgsteward.dev/author': 'ann <ann@example.org>' });
  manifests.users([{ username: 'alice', login: false }]);
  await steward.cycle();
  const [first] = await revisions();
  expect(first).toMatchObject({ id: 1, sources: [{ ref: 'postgres/postgres-users-config', revision: '0123abc', author: 'ann <ann@example.org>' }] });
  await steward.cycle();
  // Comments, order and spelling of the text change nothing that is said.
  manifests.users(`# a comment with the password hunter2-hunter2\nusers:\n  - login: false\n    username: "alice"\n`);
  await steward.cycle();
  await server.query('ALTER ROLE alice CONNECTION LIMIT 3');
  await steward.cycle();
  expect(await revisions()).toHaveLength(1);
  manifests.users([{ username: 'alice', login: false, connectionLimit: 2 }]);
  await steward.cycle();
  steward = await steward.restart();
  await steward.cycle();
  expect((await revisions()).map(({ id }) => id)).toEqual([1, 2]);
  const rows = (await json('history', '--role', 'alice')) as readonly { readonly change: string; readonly revision: number }[];
  expect(rows.map(({ change, revision }) => [change, revision])).toEqual([
    ['create_role', 1],
    ['grant_privilege', 1],
    // What somebody did by hand is undone for the revision in force.
    ['alter_role', 1],
    ['alter_role', 2],
  ]);
  expect(await documentOf(1)).toEqual({ users: [{ username: 'alice', login: false }] });
  expect(await documentOf(2)).toEqual({ users: [{ username: 'alice', login: false, connectionLimit: 2 }] });
});

it('what a document has of an entry that is wrong is in no revision, and what stays in force of it is', async () => {
  steward = await createSteward(server);
  rememberPassword('correct-horse-battery');
  steward.manifests.users([
    { username: 'alice', login: false },
    { username: 'bob', login: false },
  ]);
  await steward.cycle();
  steward.manifests.users(
    `permissions: [{name: read, schemas: [public], preset: read_only}, {name: wrong, password: correct-horse-battery}]
password: correct-horse-battery
users:
  - {username: alice, login: false, password: correct-horse-battery}
  - {username: bob, login: false, permissions: [read], comment: new}
  - {username: carol, login: false, secret: correct-horse-battery}`,
  );
  await steward.cycle();
  expect(await documentOf(2)).toEqual({
    permissions: [{ name: 'read', schemas: ['public'], preset: 'read_only' }],
    users: [
      { username: 'alice', login: false },
      { username: 'bob', login: false, permissions: ['read'], comment: 'new' },
    ],
  });
  const stored = await server.query<{ text: string }>(
    `SELECT r.sources::text || encode(d.content, 'escape') AS text FROM pgsteward.revision r, pgsteward.document d`,
  );
  expectNoSecrets(JSON.stringify(stored), 'the revisions');
});

it('diff says which entries differ, and where their documents come from; names are values', async () => {
  steward = await createSteward(server);
  const named = (name: string, more: object = {}): object => ({ username: name, login: false, ...more });
  steward.manifests.users(HOSTILE.map((name) => named(name)));
  await steward.cycle();
  steward.manifests.users([...HOSTILE.slice(1).map((name) => named(name, name === '=1+1' ? { comment: '\u001b[31m' } : {})), named('new')]);
  await steward.cycle();
  const { code, stdout } = await call(['diff', '1', '2']);
  expect(code).toBe(2);
  expect(stdout).not.toMatch(/[^\P{Cc}\n]|\u202e/u);
  expect(stdout.split('\n').slice(2)).toEqual([
    '~ user =1+1 (postgres/postgres-users-config)',
    '    comment: nothing → "\\u001b[31m"',
    '- user it"s (postgres/postgres-users-config)',
    '+ user new (postgres/postgres-users-config)',
    '',
  ]);
  const { changes } = (await json('diff', '2', '1')) as { readonly changes: readonly object[] };
  expect(changes).toEqual([
    {
      list: 'users',
      name: '=1+1',
      change: 'changed',
      document: 'postgres/postgres-users-config',
      keys: [{ key: 'comment', from: '"\\u001b[31m"' }],
    },
    { list: 'users', name: 'it"s', change: 'added', document: 'postgres/postgres-users-config', keys: [] },
    { list: 'users', name: 'new', change: 'removed', document: 'postgres/postgres-users-config', keys: [] },
  ]);
  expect((await call(['diff', '1', '1'])).code).toBe(0);
  // What was in force then is a document again.
  steward.manifests.users((await call(['history', '--revision', '1', '-o', 'yaml'])).stdout);
  const { problems } = await steward.cycle();
  expect(problems).toEqual([]);
  const [first, , third] = await revisions();
  expect(third?.digest).toBe(first?.digest);
});

it('documents of several sources are one revision, and an author who cannot be read after a restart keeps what it said', async () => {
  const authors = parseServers(
    Buffer.from(
      `servers: [{name: one, adminSecretRef: {name: x}, documents: [{name: d}], authors: [{name: shop, from: {namespace: shop, matchLabels: {author: shop}}, may: {names: ['shop_*'], databases: [shop, postgres]}}]}]`,
    ),
    'servers.yaml',
  ).servers[0]?.authors;
  steward = await createSteward(server, {}, undefined, undefined, undefined, true, authors);
  steward.manifests.users([{ username: 'alice', login: false }]);
  steward.manifests.author('shop', { users: [{ username: 'shop_web', login: false }] });
  expect((await steward.cycle()).error).toBeUndefined();
  const [first] = await revisions();
  expect(first?.sources).toMatchObject([{ ref: 'postgres/postgres-users-config' }, { ref: 'shop/users', of: 'author:shop' }]);
  steward.manifests.author('shop', undefined);
  steward = await steward.restart();
  await steward.cycle();
  expect(await revisions()).toHaveLength(1);
  const { stdout } = await call(['history', '--revision', '1', '-o', 'yaml']);
  expect(stdout.split('---\n').map((part) => parse(part) as unknown)).toEqual([
    { users: [{ username: 'alice', login: false }] },
    { users: [{ username: 'shop_web', login: false }] },
  ]);
});

it('as many revisions are kept as AUDIT_MAX_REVISIONS says, with their documents alone, and the chain knows of it', async () => {
  steward = await createSteward(server, { AUDIT_MAX_REVISIONS: '2' });
  for (const connectionLimit of [1, 2, 3, 4]) {
    steward.manifests.users([{ username: 'alice', login: false, connectionLimit }]);
    await steward.cycle();
  }
  expect((await revisions()).map(({ id }) => id)).toEqual([3, 4]);
  expect(await server.query('SELECT count(*)::int FROM pgsteward.document')).toEqual([{ count: 2 }]);
  expect(await call(['history', '--verify'])).toMatchObject({ code: 0, stdout: expect.stringContaining('2 revision(s)') as string });
  expect((await call(['diff', '1', '4'])).stderr).toBe('pgsteward: there is no revision 1; 3 to 4 are kept\n');
});

it('rollback says the document of then, the plan from now and what cannot come back, and writes nothing', async () => {
  steward = await createSteward(server, { DELETION_POLICY: 'drop', MAX_DELETIONS: '5' });
  const alice = { username: 'alice', login: false };
  steward.manifests.users([alice, { username: HOSTILE[0], login: false, roles: ['readers'] }]);
  await steward.cycle();
  steward.manifests.users([{ ...alice, connectionLimit: 3 }]);
  await steward.cycle();
  await steward.cycle();
  expect(await server.query(`SELECT FROM pg_roles WHERE rolname = 'it"s'`)).toEqual([]);
  const before = await server.query('SELECT * FROM pgsteward.audit_log');
  const { code, stdout, stderr } = await call(['rollback', '1', '--without-secrets']);
  expect({ code, stderr }).toEqual({ code: 2, stderr: '' });
  expect(stdout).toMatch(/^The document of revision 1, of \S+, from postgres\/postgres-users-config@\w+:\n\nusers:\n/);
  expect(stdout).toContain('The plan for it from now:\n');
  expect(stdout).toMatch(/create user: it"s with roles \[readers\]/);
  expect(stdout).toMatch(/- "it""s" was dropped at \S+ \(row \d+\): it is made anew/);
  expect(await server.query('SELECT * FROM pgsteward.audit_log')).toEqual(before);
  expect((await call(['rollback', '2', '--without-secrets'])).code).toBe(0);
  expect((await call(['rollback', '9'])).stderr).toContain('there is no revision 9');
});
