// Several real servers under one daemon: each is kept by itself, and they come, change and go while it runs.
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { callHere } from '../commands/call.ts';
import type { Daemon } from '../support/daemon.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { resetServer } from '../support/steward.ts';
import { entryOf, FleetFolder, shownBy, startFleet, until } from './folder.ts';
import { logsIn } from '../support/logs-in.ts';

let one: Postgres;
let two: Postgres;
let folder: FleetFolder;
let daemon: Daemon | undefined;
beforeAll(async () => {
  [one, two] = await Promise.all([startPostgres(), startPostgres()]);
});
afterAll(() => Promise.all([one.stop(), two.stop()]));
beforeEach(() => {
  folder = new FleetFolder();
  folder.admin('one-admin', one);
  folder.admin('two-admin', two);
  folder.document('one-users', [{ username: 'alice' }]);
  folder.document('two-users', [{ username: 'bob' }]);
  folder.secret('user-alice-secret', { password: 'alice-1' });
  folder.secret('user-bob-secret', { password: 'bob-1' });
  folder.servers([entryOf('one'), entryOf('two')]);
});
afterEach(async () => {
  await daemon?.kill9();
  daemon = undefined;
  await Promise.all([resetServer(one), resetServer(two)]);
});

const start = async (env: Readonly<Record<string, string>> = {}): Promise<Daemon> => (daemon = await startFleet(folder, env));
const isRight = (name: string) => async (at: Daemon) => (await shownBy(at)).servers[name]?.lastCycle?.result === 'converged';
const converged = async (at: Daemon, ...names: readonly string[]): Promise<void> => {
  for (const name of names)
    await until(
      `${name} is as declared`,
      async () => ({ is: await isRight(name)(at), shown: await shownBy(at) }),
      ({ is }) => is,
    );
};
const holds = (what: string, read: () => Promise<boolean>): Promise<{ is: boolean }> =>
  until(
    what,
    async () => ({ is: await read() }),
    ({ is }) => is,
  );
const rolesOf = async (server: Postgres): Promise<readonly unknown[]> =>
  (await server.query("SELECT rolname FROM pg_roles WHERE rolname IN ('alice','bob','carol') ORDER BY 1")).map(({ rolname }) => rolname as string);

it('each server has its own users, state file, metrics, status and log lines', async () => {
  const at = await start();
  await converged(at, 'one', 'two');
  expect([await rolesOf(one), await rolesOf(two)]).toEqual([['alice'], ['bob']]);
  expect([await logsIn(one, 'alice', 'alice-1'), await logsIn(two, 'bob', 'bob-1')]).toEqual([true, true]);
  for (const name of ['one', 'two']) expect(existsSync(join(folder.folder, `.state.${name}.json`))).toBe(true);
  const { body } = await at.get('/metrics');
  const lines = body.split('\n');
  const value = (name: string): number =>
    Number(
      lines
        .find((line) => line.startsWith(`postgres_controller_${name} `))
        ?.split(' ')
        .at(-1),
    );
  expect([value('users_managed'), value('server_users_managed{server="one"}'), value('is_writer{server="two"}'), value('servers')]).toEqual([2, 1, 1, 2]);
  expect(value('reconciliations_total')).toBe(value('server_reconciliations_total{server="one"}') + value('server_reconciliations_total{server="two"}'));
  for (const family of new Set(lines.filter((line) => line.startsWith('# TYPE ')))) expect(lines.filter((line) => line === family)).toHaveLength(1);
  expect([(await at.get('/healthz')).code, (await at.get('/readyz')).code]).toEqual([200, 200]);
  expect(at.lines().filter((line) => line['server'] === 'one' && /alice/.test(line.message)).length).toBeGreaterThan(0);
  expect(JSON.parse((await at.get('/status?server=two')).body)).toMatchObject({ server: 'two', role: 'writer', users: 1 });
  expect(await at.stop()).toBe(0);
  daemon = undefined;
});

it('one that refuses keeps nobody else, and goes on when its Secret is mended or rotated, without a restart', async () => {
  await two.query("CREATE ROLE keeper LOGIN SUPERUSER PASSWORD 'keeper-1'");
  const keeper = { ...two, user: 'keeper' };
  folder.admin('two-admin', { ...keeper, password: 'wrong' });
  const at = await start();
  try {
    await converged(at, 'one');
    const shown = await until(
      'two is refused',
      () => shownBy(at),
      ({ servers }) => servers['two']?.outage?.reason === 'login_refused',
    );
    expect(shown.servers['one']?.outage).toBeNull();
    expect((await at.get('/readyz')).code).toBe(200);
    folder.admin('two-admin', { ...keeper, password: 'keeper-1' });
    await converged(at, 'two');
    // The password is rotated under it: sessions that are open go on, and the next one logs in anew.
    await two.query("ALTER ROLE keeper PASSWORD 'keeper-2'");
    folder.admin('two-admin', { ...keeper, password: 'keeper-2' });
    await two.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'keeper'");
    folder.document('two-users', [{ username: 'bob' }, { username: 'carol' }]);
    folder.secret('user-carol-secret', { password: 'carol-1' });
    await holds('carol is there', () => logsIn(two, 'carol', 'carol-1'));
  } finally {
    await daemon?.kill9();
    daemon = undefined;
    await two.query('REASSIGN OWNED BY keeper TO postgres; DROP OWNED BY keeper');
  }
});

it('servers come, change and go; one that goes is let go, with all that is on it', async () => {
  folder.servers([entryOf('one')]);
  const at = await start();
  await converged(at, 'one');
  folder.servers([entryOf('one'), entryOf('two', { policy: { dryRun: true } })]);
  await until(
    'two is shown',
    () => shownBy(at),
    ({ servers }) => servers['two']?.lastCycle?.result === 'dry_run' || servers['two']?.role === 'dry_run',
  );
  await until(
    'its first look',
    () => shownBy(at),
    ({ servers }) => servers['two']?.lastCycle !== null,
  );
  expect(await rolesOf(two)).toEqual([]);
  folder.servers([entryOf('one'), entryOf('two')]);
  await converged(at, 'two');
  await holds('bob is there', () => logsIn(two, 'bob', 'bob-1'));
  folder.servers([entryOf('two')]);
  await until(
    'one is let go',
    () => shownBy(at),
    ({ servers }) => servers['one'] === undefined,
  );
  await holds('its sessions end', async () => (await one.query("SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'pgsteward%'")).length === 0);
  expect(await rolesOf(one)).toEqual(['alice']);
  expect((await at.get('/metrics')).body).not.toContain('server="one"');
  // It comes again, and nothing is done twice.
  folder.servers([entryOf('one'), entryOf('two')]);
  await converged(at, 'one');
});

it('a servers.yaml that is broken, empty of sense or gone keeps every server as it was, and an entry that is wrong its own', async () => {
  const at = await start();
  await converged(at, 'one', 'two');
  const keeps = async (problem: RegExp): Promise<void> => {
    await until(
      `it is told: ${problem}`,
      () => shownBy(at),
      ({ fleet }) => problem.test(JSON.stringify(fleet)),
    );
    const before = (await shownBy(at)).servers;
    expect(Object.keys(before)).toEqual(['one', 'two']);
    for (const name of ['one', 'two']) {
      const { end } = before[name]?.lastCycle ?? { end: '' };
      await until(
        `${name} goes on`,
        () => shownBy(at),
        ({ servers }) => servers[name]?.lastCycle?.end !== end,
      );
    }
  };
  folder.servers('servers: [');
  await keeps(/"problems":\[\{"severity":"error"/);
  folder.servers('servers: []');
  await keeps(/the list of servers is empty/);
  folder.servers([entryOf('One'), entryOf('two')]);
  await keeps(/a server is called by 1 to 63 lower-case letters/);
  folder.servers('servers: [{nam: one}]');
  await keeps(/the key `name` is missing/);
  folder.gone('configmap-servers');
  await keeps(/there is no ConfigMap postgres\/servers/);
  folder.servers([{ ...entryOf('one'), polcy: {} }, { ...entryOf('three'), documents: [{ name: 'two-users' }] }, entryOf('two')]);
  await keeps(/"invalid":\["one","three","two"\]/);
  folder.document('two-users', [{ username: 'bob' }, { username: 'carol' }]);
  folder.secret('user-carol-secret', { password: 'carol-1' });
  await holds('carol is there', () => logsIn(two, 'carol', 'carol-1'));
  expect((await at.get('/metrics')).body).toMatch(/^postgres_controller_servers_errors [1-9]/m);
  expect(await rolesOf(one)).toEqual(['alice']);
});

it('guardrails of a policy hold on that server, beside those of the environment, and an edit of them counts', async () => {
  const rail = (name: string, table: string, except: readonly string[] = []): object => ({
    name,
    never: 'SELECT',
    on: { database: '*', schema: 'public', tables: [table] },
    by: '*',
    ...(except.length === 0 ? {} : { except }),
  });
  const file = join(folder.folder, '.guardrails.txt');
  folder.configMap('x', {});
  writeFileSync(file, JSON.stringify({ guardrails: [rail('everywhere', 'secrets')] }));
  await Promise.all([one, two].map((server) => server.query('CREATE TABLE public.salaries (i int); CREATE TABLE public.secrets (i int)')));
  try {
    const grants = [{ schemas: ['public'], tables: { salaries: ['SELECT'], secrets: ['SELECT'] } }];
    folder.document('one-users', [{ username: 'alice', grants }]);
    folder.document('two-users', [{ username: 'bob', grants }]);
    folder.servers([entryOf('one', { policy: { guardrails: [rail('payroll', 'salaries')] } }), entryOf('two')]);
    const at = await start({ GUARDRAILS_FILE: file });
    const may = async (server: Postgres, user: string): Promise<readonly unknown[]> =>
      (
        await server.query<{ may: boolean }>(
          `SELECT has_table_privilege(r.oid, 'public.' || t, 'SELECT') AS may FROM pg_roles r, unnest(ARRAY['salaries', 'secrets']) t WHERE rolname = '${user}' ORDER BY t`,
        )
      ).map((row) => row.may);
    await holds('bob may read salaries', async () => JSON.stringify(await may(two, 'bob')) === '[true,false]');
    const told = async (): Promise<string> => (await at.get('/status?server=one')).body;
    await holds('it is refused on one', async () => /the guardrail payroll of the operator refuses/.test(await told()));
    expect(await may(one, 'alice')).toEqual([false, false]);
    folder.servers([entryOf('one', { policy: { guardrails: [rail('payroll', 'salaries', ['alice'])] } }), entryOf('two')]);
    await holds('alice is left out of it by now', async () => JSON.stringify(await may(one, 'alice')) === '[true,false]');
    // The verbs know them as well.
    folder.servers([entryOf('one', { policy: { guardrails: [rail('other', 'salaries')] } }), entryOf('two')]);
    const env = { SOURCE: `dir:${folder.folder}`, SERVERS_CONFIGMAP: 'servers', STATE_FILE: join(folder.folder, '.state.json') };
    expect((await callHere(['plan', '--server', 'one'], '', env)).stdout).toContain('other');
  } finally {
    await daemon?.kill9();
    daemon = undefined;
    await Promise.all([one, two].map((server) => server.query('DROP TABLE public.salaries, public.secrets')));
  }
});

it('a Secret that changes its host or user is another login, to which no password that was accepted before is sent', async () => {
  const at = await start();
  await converged(at, 'one', 'two');
  await two.query("CREATE ROLE deputy LOGIN SUPERUSER PASSWORD 'deputy-1'");
  try {
    folder.admin('two-admin', { ...two, user: 'deputy', password: 'deputy-1' });
    await two.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = current_user AND pid <> pg_backend_pid()');
    await holds('it logs in as the deputy', async () => (await two.query("SELECT 1 FROM pg_stat_activity WHERE usename = 'deputy'")).length > 0);
    expect(await rolesOf(one)).toEqual(['alice']);
    await sleep(200);
    expect((await shownBy(at)).servers['one']?.outage).toBeNull();
  } finally {
    await daemon?.kill9();
    daemon = undefined;
    await two.query('REASSIGN OWNED BY deputy TO postgres; DROP OWNED BY deputy');
  }
});

it('the login of a server whose entry is wrong from the start is nobody else’s password either', async () => {
  folder.servers([{ ...entryOf('one'), polcy: {} }, entryOf('two')]);
  folder.document('two-users', [{ username: 'bob' }, { username: 'eve', passwordSecretRef: { name: 'one-admin' } }]);
  const at = await start();
  await holds('bob is there', () => logsIn(two, 'bob', 'bob-1'));
  await until(
    'it is told',
    () => at.get('/status?server=two'),
    ({ body }) => /the Secret one-admin .*no document may name it/.test(body),
  );
  expect(await logsIn(two, 'eve', one.password)).toBe(false);
});

it('no document has the login of a server, of this or of another one, as a password', async () => {
  folder.document('two-users', [
    { username: 'bob' },
    { username: 'eve', passwordSecretRef: { name: 'one-admin' } },
    { username: 'eve2', passwordSecretRef: { name: 'two-admin', key: 'host' } },
  ]);
  const at = await start();
  const { body } = await until(
    'it is told',
    () => at.get('/status?server=two'),
    (found) => found.body.includes('one-admin'),
  );
  for (const name of ['one-admin', 'two-admin']) expect(body).toMatch(new RegExp(`the Secret ${name} .*no document may name it`));
  await holds('bob is there', () => logsIn(two, 'bob', 'bob-1'));
  expect([await logsIn(two, 'eve', one.password), await logsIn(two, 'eve2', two.host)]).toEqual([false, false]);
});
