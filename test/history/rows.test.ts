// What was done, as text, JSON, CSV and OCSF: by role, object, time and revision, with names that are values everywhere, and no password.
import { expect, it } from 'vitest';
import { callHere, type Called } from '../commands/call.ts';
import { daemonEnv } from '../support/daemon.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { expectNoSecrets } from '../support/secrets.ts';
import { createSteward, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  {},
  (started) => (server = started),
  () => steward,
);

const HOSTILE = ['it"s', "o'x", 'a\nb', 'a\u001fb', `'; DROP TABLE pgsteward.audit_log; --`, '=1+1', '+a', '-b', '@c,d', 'ünï\u202ecode', '%s'];

const call = async (...args: readonly string[]): Promise<Called> => {
  const called = await callHere(['history', ...args], '', daemonEnv(server, steward.manifests.folder));
  expectNoSecrets(called.stdout + called.stderr, args.join(' '));
  return called;
};
interface Row {
  readonly id: number;
  readonly change: string;
  readonly role: string;
  readonly object: string;
  readonly revision: number;
}
const rows = async (...args: readonly string[]): Promise<readonly Row[]> => {
  const { code, stdout, stderr } = await call('-o', 'json', ...args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as readonly Row[];
};

/** Users with passwords and such names, and a role that one of them is in. */
async function begin(): Promise<void> {
  await server.query('CREATE TABLE IF NOT EXISTS goods (id int)');
  steward = await createSteward(server);
  steward.manifests.users([
    { username: 'alice', roles: ['readers'], grants: [{ schemas: ['public'], tables: { goods: ['SELECT'] } }] },
    ...HOSTILE.map((username) => ({ username, login: false, comment: '\u001b[2J' })),
  ]);
  steward.manifests.secret('alice', 'the password of alice');
  const { error, problems } = await steward.cycle();
  expect([error, problems]).toEqual([undefined, []]);
}

it('each row is said once in every form, and what asks for some of them gets these', async () => {
  await begin();
  const all = await rows();
  const stored = await server.query<{ id: string }>('SELECT id FROM pgsteward.audit_log ORDER BY id');
  expect(all.map(({ id }) => id)).toEqual(stored.map(({ id }) => Number(id)));
  expect(all.every(({ revision }) => revision === 1)).toBe(true);
  for (const name of HOSTILE) {
    const its = await rows('--role', name);
    expect(its.map(({ change }) => change)).toContain('create_role');
    expect(its.every(({ role }) => role === name)).toBe(true);
  }
  expect((await rows('--object', 'goods')).map(({ change, role }) => [change, role])).toEqual([['grant_privilege', 'alice']]);
  expect(await rows('--revision', '2')).toEqual([]);
  expect(await rows('--since', '2020-01-01')).toEqual(all);
  expect(await rows('--since', '1h', '--role', 'alice', '--object', 'readers')).toHaveLength(1);
  expect(await rows('--since', '2100-01-01')).toEqual([]);
  const text = (await call()).stdout;
  expect(text.trimEnd().split('\n')).toHaveLength(all.length);
  expect((await call('--role', 'nobody')).stdout).toBe('there is nothing of that in the audit log\n');
});

it('nothing of a name is a command to a terminal, a formula to a spreadsheet, or SQL to the server', async () => {
  await begin();
  for (const format of ['text', 'json', 'csv', 'ocsf']) expect((await call('-o', format)).stdout, format).not.toMatch(/[^\P{Cc}\n]|\u202e/u);
  const csv = (await call('-o', 'csv')).stdout.trimEnd().split('\n');
  expect(csv).toHaveLength((await rows()).length + 1);
  expect(csv.filter((line) => /(?:^|,)"?[=+\-@]/.test(line))).toEqual([]);
  expect(csv.find((line) => line.includes('create_role') && line.includes('@c,d'))).toContain(`"'@c,d"`);
});

it('what is about access is an event of OCSF: accounts, groups, and what they may', async () => {
  await begin();
  const { stdout, stderr } = await call('-o', 'ocsf');
  const events = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
  const said = events.map(({ class_uid: of, activity_id: activity, user, group, resource }) => ({ of, activity, user, group, resource }));
  expect(said).toContainEqual({ of: 3001, activity: 1, user: { name: 'alice' }, group: undefined, resource: undefined });
  expect(said).toContainEqual({ of: 3001, activity: 3, user: { name: 'alice' }, group: undefined, resource: undefined });
  expect(said).toContainEqual({ of: 3006, activity: 6, user: undefined, group: { name: 'readers' }, resource: undefined });
  expect(said).toContainEqual({ of: 3006, activity: 3, user: { name: 'alice' }, group: { name: 'readers' }, resource: undefined });
  expect(said).toContainEqual(expect.objectContaining({ of: 3005, activity: 1, user: { name: 'alice' } }));
  for (const event of events) {
    expect(event).toMatchObject({ category_uid: 3, severity_id: 1, status_id: 1, metadata: { version: '1.3.0', product: { name: 'pgsteward' } } });
    expect(event['type_uid']).toBe(Number(event['class_uid']) * 100 + Number(event['activity_id']));
    expect(Math.abs(Date.now() - Number(event['time']))).toBeLessThan(3_600_000);
  }
  expect(stderr).toMatch(/^pgsteward: \d+ row\(s\) are about nobody's access, and have no class there\n$/);
});

it('what cannot be meant is refused with what could be', async () => {
  await begin();
  for (const [args, told] of [
    [['--since', 'yesterday'], '--since is a moment'],
    [['--revision', '0'], 'a revision is a number'],
    [['--revision', '7', '-o', 'yaml'], 'there is no revision 7; 1 to 1 are kept'],
    [['-o', 'yaml'], '-o yaml is the document of one revision'],
    [['--verify', '--role', 'alice'], '--verify is about all of it'],
    [['--verify', '-o', 'csv'], '--verify is said as text or json'],
    [['--head', 'x'], '--head is what --verify compares'],
    [['--verify', '--head', '1:xyz'], '--head is what auditHead'],
    [['--role', ''], '--role needs a value'],
  ] as const)
    expect(await call(...args), args.join(' ')).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining(told) as string });
  await server.query('DROP SCHEMA pgsteward CASCADE');
  expect(await call('--verify')).toMatchObject({ code: 1, stderr: expect.stringContaining('there is no ledger in the admin database') as string });
});
