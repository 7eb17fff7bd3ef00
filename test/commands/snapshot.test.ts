// snapshot and plan --snapshot on a real server: the plan without the server is the plan, no secret is in the file, and what others wrote into one is refused in words.
import { readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { stringify } from 'yaml';
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

const settings = () => ({ ...daemonEnv(server, steward.manifests.folder), STATE_FILE: steward.config.stateFile });
const onServer = (...args: readonly string[]): Promise<Called> => callHere(args, '', settings());
/** As in a pipeline, which has no settings and reaches no server. */
const elsewhere = (args: readonly string[], stdin = ''): Promise<Called> => callHere(args, stdin);

const PASSWORDS = { alice: 'corrEct "horse" bättery\\', bob: 'the password of bob' } as const;
const NAME = `o'x\u001f\n"; DROP TABLE t --`;

interface Planned {
  readonly server: { readonly host: string; readonly snapshot: { readonly ageSeconds: number; readonly isStale: boolean } | null };
}
const planOf = (stdout: string) => {
  const { server: _server, document: _document, ...plan } = JSON.parse(stdout) as Planned & Record<string, unknown>;
  return plan;
};

/** A server with two users of ours, by their passwords, and a document that wants something else. */
async function start(): Promise<{ readonly folder: string; readonly document: string; readonly file: string }> {
  await server.query('CREATE DATABASE shop');
  await server.query(
    `CREATE TABLE goods (id int); CREATE ROLE "${NAME.replaceAll('"', '""')}"; CREATE ROLE hashed PASSWORD 'another secret of the server'`,
    'shop',
  );
  steward = await createSteward(server);
  const users = [
    { username: 'alice', database: 'shop', roles: ['readers'], grants: [{ database: 'shop', schemas: ['public'], tables: { '*': ['SELECT'] } }] },
    { username: 'bob' },
  ];
  steward.manifests.users(users);
  steward.manifests.secrets(new Map(Object.entries(PASSWORDS)));
  expect((await steward.cycle()).result).toBe('changed');
  await server.query('GRANT INSERT ON goods TO alice', 'shop');
  const folder = scratch('snapshot');
  const document = join(folder, 'users.yaml');
  writeFileSync(document, stringify({ users: [...users.slice(0, 1), { username: 'carol', database: 'shop' }], roles: [{ name: NAME, grants: [] }] }));
  return { folder, document, file: join(folder, 'server.json') };
}

it('plans the same without the server, and says of when it is', async () => {
  const { folder, document, file } = await start();
  server.mark();
  const taken = await onServer('snapshot', file);
  expect([taken.code, taken.stdout]).toEqual([0, '']);
  expect(taken.stderr).toMatch(/^pgsteward: a snapshot with \d+ role\(s\) and 3 database\(s\), 0\.\d MiB\n$/);
  expect(ddlOf(server.log())).toEqual([]);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const toStdout = await onServer('snapshot');
  expect(toStdout.stdout.replace(/"now":[\d.]+|"takenAt":"[^"]*"/g, '')).toBe(readFileSync(file, 'utf8').replace(/"now":[\d.]+|"takenAt":"[^"]*"/g, ''));

  const live = await onServer('plan', '--document', document, '--without-secrets', '-o', 'json');
  for (const [args, stdin] of [
    [['--snapshot', file], ''],
    [['--snapshot', '-'], toStdout.stdout],
  ] as const) {
    const cold = await elsewhere(['plan', ...args, '--document', document, '--without-secrets', '-o', 'json'], stdin);
    expect([cold.code, cold.stderr]).toEqual([live.code, '']);
    expect(planOf(cold.stdout)).toEqual(planOf(live.stdout));
    expect((JSON.parse(cold.stdout) as Planned).server).toMatchObject({ host: server.host, snapshot: { isStale: false } });
  }
  expect((JSON.parse(live.stdout) as Planned).server.snapshot).toBe(null);
  const said = await elsewhere(['plan', '--snapshot', file, '--document', document]);
  expect(said.stderr).toBe('pgsteward: a snapshot has no passwords to compare Secrets with: they are left out, as with --without-secrets\n');
  expect(said.stdout).toMatch(/as postgres\) as in a snapshot of [\d:.TZ-]+, \d+ second\(s\) old, of .*; passwords are left out\n/);
  expect(said.stdout).toContain('drop user: bob');
  expect((await elsewhere(['plan', '--snapshot', file, '--document', document, '-o', 'markdown'])).stdout).toContain('as in a snapshot of');
  symlinkSync(file, join(folder, 'link'));
  expect(await onServer('snapshot', join(folder, 'link'))).toMatchObject({ code: 1, stderr: expect.stringContaining('is no regular file') as string });
});

it('holds no password, no verifier, no salt and no proof, in any form', async () => {
  const { file } = await start();
  await onServer('snapshot', file);
  const text = readFileSync(file, 'utf8');
  const stored = await server.query<{ secret: string }>(
    `SELECT unnest(ARRAY[rolpassword] || regexp_split_to_array(rolpassword, '[$:]')) AS secret FROM pg_authid WHERE rolpassword IS NOT NULL
     UNION ALL SELECT unnest(ARRAY[witness_salt, witness_proof, witness_version]) FROM pgsteward.managed_role WHERE witness_proof IS NOT NULL`,
  );
  const values = [...new Set([...stored.map(({ secret }) => secret), ...Object.values(PASSWORDS), 'another secret of the server', server.password])];
  const secrets = values.filter((value) => value.length > 6 && value !== 'SCRAM-SHA-256');
  expect(secrets.length).toBeGreaterThan(16);
  for (const secret of secrets) {
    const decoded = Buffer.from(secret, 'base64');
    const forms = [
      secret,
      JSON.stringify(secret).slice(1, -1),
      encodeURIComponent(secret),
      Buffer.from(secret).toString('base64').replace(/=+$/, ''),
      Buffer.from(secret).toString('base64url'),
      Buffer.from(secret).toString('hex'),
      ...(decoded.length >= 6 ? [decoded.toString('hex'), decoded.toString('base64url'), decoded.toString('latin1')] : []),
    ];
    for (const form of forms) expect(text.toLowerCase().includes(form.toLowerCase()), `${values.indexOf(secret)}`).toBe(false);
  }
  // What a plan needs of them is.
  expect(text).toContain('["hashed",{"method":"scram-sha-256","iterations":4096}]');
});

it('refuses what is no snapshot, a newer one, and one that somebody changed, in words and without a word of it', async () => {
  const { folder, document, file } = await start();
  await onServer('snapshot', file);
  const good = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown> & { catalog: { cluster: { roles: [string, Record<string, unknown>][] } } };
  const changed = (change: (copy: typeof good) => unknown): string => {
    const copy = structuredClone(good);
    change(copy);
    return JSON.stringify(copy);
  };
  const cases: readonly (readonly [string | Buffer, RegExp])[] = [
    ['', /no snapshot of pgsteward, or only a part of one/],
    ['{"users": []}', /it is no snapshot of pgsteward\n/],
    ['[1]', /it is no snapshot of pgsteward\n/],
    [readFileSync(file).subarray(0, -10), /only a part of one/],
    [Buffer.concat([readFileSync(file).subarray(0, -3), Buffer.from([0xff, 0xfe])]), /only a part of one/],
    [changed((copy) => (copy['version'] = 2)), /a newer pgsteward made it: its version is 2, and this one reads version 1/],
    [changed((copy) => (copy['version'] = '\u001b[2J')), /its version is none that there is/],
    [changed((copy) => (copy['more'] = '\u001b[2J')), /it is broken, or somebody changed it: what stands at its top/],
    [changed((copy) => (copy['port'] = 0)), /what stands at port is not/],
    [changed((copy) => (copy['takenAt'] = 'now()')), /what stands at takenAt/],
    [changed((copy) => ((copy.catalog.cluster.roles[0] ?? [])[0] = 'a\0b')), /what stands at catalog.cluster.roles/],
    [changed((copy) => ((copy.catalog.cluster.roles[0] as unknown[])[1] = { name: '\u001b[2J' })), /what stands at catalog.cluster.roles/],
    // What stands in SQL as it is, and names that nothing can be called.
    [JSON.stringify(good).replaceAll('"INSERT"', JSON.stringify('\u001b[2J')), /what stands at databases.shop/],
    [JSON.stringify(good).replaceAll('"goods"', JSON.stringify(`\u001b[2J${'g'.repeat(70)}`)), /something in it has a name that no server gives/],
    [`{"__proto__": {"format": "pgsteward snapshot"}}`, /it is no snapshot/],
    ['['.repeat(1_000_000), /only a part of one/],
  ];
  for (const [text, said] of cases) {
    const broken = join(folder, 'broken.json');
    writeFileSync(broken, text);
    const { code, stdout, stderr } = await elsewhere(['plan', '--snapshot', broken, '--document', document, '--without-secrets']);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(said);
    expect(stderr).not.toContain('\u001b');
  }
  const missing = await elsewhere(['plan', '--snapshot', join(folder, 'none'), '--document', document]);
  expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining('there is no such file') as string });
  for (const other of ['--host=db', '--user=x', '--secrets=.', '--out=saved'])
    expect(await elsewhere(['plan', '--snapshot', file, other, '--document', document])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('cannot both be meant') as string,
    });
  expect(await elsewhere(['plan', '--snapshot-max-age', '1d', '--document', document])).toMatchObject({ code: 1 });
  expect(await onServer('snapshot', 'a', 'b')).toMatchObject({ code: 1, stderr: expect.stringContaining('one FILE') as string });
  expect(await onServer('snapshot', folder)).toMatchObject({ code: 1, stderr: expect.stringContaining('is no regular file') as string });
  expect(await onServer('snapshot', join(folder, 'no', 'such'))).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('cannot be written: there is no such folder') as string,
  });
});

it('says that an old one is stale, and refuses it where it may not be so old', async () => {
  const { document, folder, file } = await start();
  await onServer('snapshot', file);
  const aged = (ms: number): string => {
    const old = join(folder, `old-${ms}.json`);
    writeFileSync(
      old,
      readFileSync(file, 'utf8').replace(/"now":([\d.]+)/, (_, now) => `"now":${Number(now) - ms}`),
    );
    return old;
  };
  const HOUR = 3_600_000;
  const plan = (old: string, ...more: readonly string[]) => elsewhere(['plan', '--snapshot', old, '--document', document, '--without-secrets', ...more]);
  expect((await plan(aged(5 * HOUR))).stderr).toBe('');
  expect((await plan(aged(5 * HOUR))).stdout).toContain('5 hour(s) old');
  const stale = await plan(aged(50 * HOUR));
  expect(stale.stderr).toMatch(/2 day\(s\) old: much may be otherwise by now; take another one with pgsteward snapshot/);
  expect(stale.stdout).toContain('2 day(s) old, which is stale');
  expect((await plan(aged(-50 * HOUR))).stdout).toContain('still to come by our clock, which is stale');
  expect(await plan(aged(5 * HOUR), '--snapshot-max-age', '1h')).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringContaining('5 hour(s) old, and --snapshot-max-age allows 1h') as string,
  });
  expect((await plan(aged(5 * HOUR), '--snapshot-max-age', '6h')).code).not.toBe(1);
  expect(await plan(file, '--snapshot-max-age', 'soon')).toMatchObject({ code: 1, stderr: expect.stringContaining('needs a duration') as string });
});
