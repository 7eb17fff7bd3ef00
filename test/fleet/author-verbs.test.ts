// The verbs on a server with several documents and authors: they say and do what the daemon does, of all of them together.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { PlanView } from '../../src/commands/plan-view.ts';
import { callHere, type Called } from '../commands/call.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { entryOf, FleetFolder, startFleet, until } from './folder.ts';

let server: Postgres;
const folder = new FleetFolder();
const called = (...args: readonly string[]): Promise<Called> =>
  callHere(args, '', { SOURCE: `dir:${folder.folder}`, SERVERS_CONFIGMAP: 'servers', STATE_FILE: `${folder.folder}/.state.json` });
const plan = async (): Promise<PlanView & { readonly code: number | null }> => {
  const { code, stdout } = await called('plan', '--server', 'one', '-o', 'json');
  return { ...(JSON.parse(stdout) as PlanView), code };
};
const by = (namespace: string, document: object | string): void =>
  folder.write(`by-${namespace}`, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'users', namespace, labels: { server: 'one' } },
    data: { 'users.yaml': typeof document === 'string' ? document : stringify(document) },
  });
const user = (username: string, more: object = {}): object => ({ username, login: false, ...more });
const author = (name: string): object => ({
  name,
  from: { namespace: name, matchLabels: { server: 'one' } },
  may: { names: [`${name}_*`], databases: [name], create: true },
});
const reader = { name: 'shop_reader', sharedWith: ['bill'], grants: [{ database: 'shop', schemas: ['public'], tables: { '*': ['SELECT'] } }] };
const shop = (more: readonly object[] = []): object => ({
  users: [user('shop_app', { database: 'shop' })],
  roles: [reader, { name: 'shop_owner' }, ...more],
  databases: [{ name: 'shop', owner: 'shop_owner', create: true }],
});
const bill = { users: [user('bill_app', { database: 'bill', roles: ['shop_reader'] })], databases: [{ name: 'bill', create: true }] };

beforeAll(async () => {
  server = await startPostgres();
  folder.admin('one-admin', server);
  folder.servers([entryOf('one', { documents: [{ name: 'first' }, { name: 'second' }], authors: [author('shop'), author('bill')] })]);
  folder.document('first', [user('operator_one')]);
  folder.document('second', [user('operator_two')]);
  by('shop', shop());
  by('bill', bill);
});
afterAll(() => server.stop());

it('plan and apply have the entries of all, and plan is empty after the cycle of a daemon and after that of apply', async () => {
  const first = await called('plan', '--server', 'one');
  expect(first.code).toBe(2);
  for (const name of ['operator_one', 'operator_two', 'shop_app', 'shop_reader', 'bill_app', 'author shop, author bill', 'ConfigMap postgres/second'])
    expect(first.stdout).toContain(name);
  const saved = `${folder.folder}/.plan`;
  expect(await called('plan', '--server', 'one', '--out', saved)).toMatchObject({ code: 2 });
  const applied = await called('apply', '--server', 'one', saved);
  expect(applied).toMatchObject({ code: 0, stderr: '' });
  expect(await plan()).toMatchObject({ code: 0, changes: [], remembered: [], problems: [], notices: [] });
  expect(
    Object.fromEntries(
      (await server.query<{ name: string; source: string }>('SELECT name, source FROM pgsteward.managed_role')).map((row) => [row.name, row.source]),
    ),
  ).toEqual({
    operator_one: 'postgres/first',
    operator_two: 'postgres/first',
    shop_app: 'author:shop',
    shop_reader: 'author:shop',
    shop_owner: 'author:shop',
    bill_app: 'author:bill',
  });
  await server.query('CREATE TABLE public.t (i int)', 'shop');
  const daemon = await startFleet(folder);
  try {
    await until(
      'the daemon has granted on the table, and written down what holds',
      async () => ({ granted: await server.query(`SELECT WHERE has_table_privilege('shop_reader', 't', 'SELECT')`, 'shop'), plan: await plan() }),
      ({ granted, plan: { code } }) => granted.length === 1 && code === 0,
    );
  } finally {
    await daemon.stop();
  }
  expect(await plan()).toMatchObject({ code: 0, changes: [], remembered: [], problems: [], notices: [] });
});

it('explain, who-can and what-can name the line that wants each link, and whose it is', async () => {
  const explained = await called('explain', '--server', 'one', 'bill_app', 'SELECT', 'shop.public.t');
  expect(explained.stdout).toMatch(/bill_app in shop_reader: done .* for bill\/users@.*; wanted by bill\/users:\d+:\d+ \(author bill\)/);
  expect(explained.stdout).toMatch(/SELECT on .* to shop_reader: .*wanted by shop\/users:\d+:\d+ \(author shop\)/);
  const json = JSON.parse((await called('explain', '--server', 'one', 'shop_owner', 'CREATE', 'database', 'shop', '-o', 'json')).stdout) as {
    readonly origins: { readonly steps: readonly { readonly wanted: readonly object[] }[] };
  };
  expect(json.origins.steps.flatMap(({ wanted }) => wanted)).toContainEqual(expect.objectContaining({ file: 'shop/users', author: 'shop' }));
  expect((await called('who-can', 'SELECT', 'shop.public.t')).stdout).toMatch(/bill_app in shop_reader: .*\(author bill\)/);
  by('bill', { ...bill, users: [user('bill_app', { database: 'bill' })] });
  expect((await called('what-can', '--server', 'one', 'bill_app', '--after-plan')).stdout).toMatch(/lost by the plan:?\n.*SELECT/);
  by('bill', bill);
});

it('import and snapshot are of that server, and say whose its roles are', async () => {
  const imported = await called('import', '--server', 'one');
  expect(imported).toMatchObject({ code: 0 });
  expect(imported.stdout).toContain('operator_two');
  expect(imported.stderr).toContain('shop_reader: is left out: it belongs to the source author:shop\n');
  const snapshot = await called('snapshot', '--server', 'one');
  expect(snapshot.stdout).toContain('author:shop');
});

it('an entry that is refused is told at its place, and the others are planned', async () => {
  by('shop', shop([{ name: 'elsewhere' }, { name: 'shop_new' }]));
  const { code, changes, problems } = await plan();
  expect(code).toBe(1);
  expect(problems).toEqual([expect.objectContaining({ file: 'shop/users', message: expect.stringContaining('beyond what this author may') as string })]);
  expect(changes.map(({ kind, role }) => `${kind} ${role}`)).toEqual(['create_role shop_new']);
  by('shop', shop());
});

it('an author that cannot be read keeps all that it has', async () => {
  by('shop', 'users: [');
  expect(await plan()).toMatchObject({ code: 1, changes: [] });
  folder.gone('by-shop');
  const gone = await plan();
  expect(gone).toMatchObject({ changes: [] });
  expect(JSON.stringify(gone.problems)).toContain('no ConfigMap of the namespace shop');
  by('shop', shop());
  expect(await plan()).toMatchObject({ code: 0 });
});

it('--document is in place of the operator’s documents, and takes nothing from authors', async () => {
  const { code, stdout } = await called('plan', '--server', 'one', '--document', `${folder.folder}/configmap-first.yaml`, '-o', 'json');
  expect(code).toBe(2);
  expect((JSON.parse(stdout) as PlanView).changes.map(({ role }) => role)).not.toEqual(expect.arrayContaining([expect.stringMatching(/^shop|^bill/)]));
});
