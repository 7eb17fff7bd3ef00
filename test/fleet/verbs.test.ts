// The verbs where several servers are declared: one is named by --server, who-can asks all of them, status shows each, and discover proposes entries.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseServers } from '../../src/document/servers.ts';
import { callHere, type Called } from '../commands/call.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { entryOf, FleetFolder, startFleet, shownBy, until } from './folder.ts';

let one: Postgres;
let two: Postgres;
let folder: FleetFolder;
const ENV = (): Record<string, string> => ({ SOURCE: `dir:${folder.folder}`, SERVERS_CONFIGMAP: 'servers', STATE_FILE: `${folder.folder}/.state.json` });
const called = (...args: readonly string[]): Promise<Called> => callHere(args, '', ENV());

beforeAll(async () => {
  [one, two] = await Promise.all([startPostgres(), startPostgres()]);
  folder = new FleetFolder();
  folder.admin('one-admin', one);
  folder.admin('two-admin', two);
  folder.admin('down-admin', { ...two, port: 1 });
  for (const [name, user] of [
    ['one', 'alice'],
    ['two', 'bob'],
    ['down', 'carol'],
  ] as const) {
    folder.document(`${name}-users`, [{ username: user, grants: [{ database: 'postgres', schemas: ['public'], tables: { t: ['SELECT'] } }] }]);
    folder.secret(`user-${user}-secret`, { password: `${user}-1` });
  }
  await Promise.all([one, two].map((server) => server.query('CREATE TABLE public.t (i int)')));
  folder.servers([entryOf('one'), entryOf('two', { policy: { dryRun: true } }), { ...entryOf('wrong'), polcy: 1 }, entryOf('down')]);
});
afterAll(() => Promise.all([one.stop(), two.stop()]));

describe('--server', () => {
  it('plans, applies, imports and takes a snapshot of that one, with its login and document', async () => {
    const planned = await called('plan', '--server', 'one');
    expect(planned).toMatchObject({ code: 2 });
    expect(planned.stdout).toContain('alice');
    expect(planned.stdout).not.toContain('bob');
    expect(await called('apply', '--server', 'one')).toMatchObject({ code: 0 });
    expect(await called('plan', '--server', 'one')).toMatchObject({ code: 0 });
    expect((await called('import', '--server', 'one')).stdout).toContain('alice');
    expect((await called('snapshot', '--server', 'one')).stdout).toContain('alice');
    expect(await called('explain', '--server', 'one', 'alice', 'SELECT', 'postgres.public.t')).toMatchObject({ code: 0 });
    expect((await called('what-can', '--server', 'one', 'alice')).stdout).toContain('SELECT on table');
    // Its policy holds as well.
    expect(await called('apply', '--server', 'two')).toMatchObject({ code: 3, stderr: expect.stringContaining('DRY_RUN') as string });
  });

  it('names what is wrong', async () => {
    expect((await called('plan', '--server', 'twoo')).stderr).toContain('did you mean two?');
    expect((await called('plan', '--server', 'wrong')).stderr).toMatch(/the entry of the server wrong is wrong: .*unknown key `polcy`/);
    expect((await called('plan')).stderr).toContain('--server says which one is meant: one, two, down');
    expect((await called('plan', '--server', 'one', '--host', 'x')).stderr).toContain('cannot both be meant');
    expect((await callHere(['plan', '--server', 'one'], '', { SOURCE: `dir:${folder.folder}` })).stderr).toContain('SERVERS_CONFIGMAP');
    expect((await callHere(['plan', '--server', 'one'], '', { ...ENV(), SERVERS_CONFIGMAP: 'none' })).stderr).toContain('servers.yaml cannot be read');
    for (const { stderr } of await Promise.all([called('plan', '--server', 'down'), called('plan', '--server', 'x\u001b[31m')]))
      expect(stderr).not.toContain('\u001b');
  });
});

it('who-can asks all servers, and says which could not be asked', async () => {
  await called('apply', '--server', 'one');
  const { code, stdout } = await called('who-can', 'SELECT', 'postgres.public.t');
  expect(code).toBe(2);
  expect(stdout).toMatch(/^server one:\n(?: {2}.*\n|\n)*? {2}.*alice/);
  expect(stdout).toMatch(/server down:\n {2}.*ECONNREFUSED/);
  expect(stdout).toContain('server wrong:\n  its entry in servers.yaml is wrong');
  const json = JSON.parse((await called('who-can', 'SELECT', 'postgres.public.t', '-o', 'json')).stdout) as {
    readonly servers: readonly { readonly server: string; readonly error?: string }[];
  };
  expect(json.servers.map(({ server, error }) => [server, error === undefined])).toEqual([
    ['one', true],
    ['two', true],
    ['down', false],
    ['wrong', false],
  ]);
  expect(await called('who-can', '--server', 'one', 'SELECT', 'postgres.public.t')).toMatchObject({ code: 0 });
});

it('status has a line for each server, and all of one', async () => {
  const daemon = await startFleet(folder);
  try {
    await until(
      'one is right',
      () => shownBy(daemon),
      ({ servers }) => servers['one']?.lastCycle?.result === 'converged' && servers['down']?.outage != null && servers['two']?.lastCycle != null,
    );
    const url = `http://127.0.0.1:${daemon.port}`;
    const { code, stdout } = await called('status', '--url', url);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^3 server\(s\), declared by directory .*\n {2}servers.yaml {2}1 error\(s\)/);
    expect(stdout).toMatch(/\n {2}one {11}the server is as declared\n/);
    expect(stdout).toMatch(/\n {2}down {10}nothing can be done: .*ECONNREFUSED/);
    expect(await called('status', '--url', url, '--server', 'one')).toMatchObject({ code: 0, stdout: expect.stringContaining('1 user(s)') as string });
    expect((await called('status', '--url', url, '--server', 'nobody')).stderr).toContain('there is no such server; there are: down, one, two');
  } finally {
    await daemon.kill9();
  }
});

it('discover prints entries that servers.yaml takes as they are', async () => {
  const { code, stdout, stderr } = await called('discover');
  expect(code).toBe(0);
  const { servers, problems } = parseServers(Buffer.from(stdout), 'servers.yaml');
  expect(problems).toEqual([]);
  expect(servers.map(({ adminSecretRef }) => adminSecretRef.name)).toEqual(['down-admin', 'one-admin', 'two-admin']);
  for (const text of [stdout, stderr]) expect(text).not.toContain(one.password);
});
