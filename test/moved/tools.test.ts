// A server moved by the tools that servers are moved with: pg_dumpall, also into another major, pg_upgrade, promotion of a standby, a snapshot.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, chownSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it, vi } from 'vitest';
import type { CycleReport } from '../../src/steward/report.ts';
import { type Major, nativeFolder, unprivileged } from '../support/binaries.ts';
import { type Postgres, type PostgresOptions, startPostgres } from '../support/postgres.ts';
import { createSteward, ddlOf, type Steward } from '../support/steward.ts';

// Tools and servers start many times over, on a machine that may be busy.
vi.setConfig({ testTimeout: 900_000 });

let steward: Steward | undefined;
const servers: Postgres[] = [];
const start = async (options: PostgresOptions): Promise<Postgres> => {
  const server = await startPostgres(options);
  servers.push(server);
  return server;
};
afterEach(async () => {
  await steward?.close();
  steward = undefined;
  for (const server of servers.splice(0)) await server.stop();
});

const STRANGE = `o"b'x; DROP ROLE alice é`;
const USERS = [
  { username: 'alice', roles: ['team'] },
  { username: 'adopted', roles: ['team'] },
  { username: STRANGE },
  { username: 'gone', roles: ['team'] },
  { username: 'resting', login: false },
];
/** What the document says by the time that the server was moved. */
const LEFT = USERS.filter(({ username }) => username !== 'gone');
const PASSWORDS = new Map(USERS.map(({ username }) => [username, `the password of ${username.replaceAll(/\W/g, '')}`]));

async function declare(server: Postgres): Promise<void> {
  await server.query('CREATE ROLE adopted LOGIN');
  steward = await createSteward(server);
  steward.manifests.users(USERS);
  steward.manifests.secrets(PASSWORDS);
  await steward.cycle();
  expect((await steward.cycle()).result).toBe('converged');
}

/** What a new process makes of the server, with the state file of before or without. */
async function goOn(server: Postgres, keepsState = false, users: readonly object[] = LEFT): Promise<CycleReport> {
  const { manifests, config } = steward as Steward;
  steward = keepsState ? await createSteward(server, {}, manifests, dirname(config.stateFile)) : await createSteward(server, {}, manifests);
  manifests.users(users);
  return steward.cycle();
}

const ledger = async (server: Postgres) =>
  (
    await server.query<{ row: string }>(
      `SELECT concat_ws(' ', m.name, m.origin, m.status, m.oid = r.oid, m.server = (SELECT system_identifier::text FROM pg_control_system())) AS row
         FROM pgsteward.managed_role m LEFT JOIN pg_roles r ON r.rolname = m.name ORDER BY 1`,
    )
  ).map(({ row }) => row);

/** Declared users are what they were, who left is out, and the next look changes nothing. */
async function expectAsBefore(server: Postgres): Promise<void> {
  expect((await ledger(server)).toSorted()).toEqual(
    [
      'adopted adopted active t t',
      'alice created active t t',
      `${STRANGE} created active t t`,
      'resting created active t t',
      'team created active t t',
    ].toSorted(),
  );
  expect(await server.query(`SELECT rolname FROM pg_roles WHERE rolname = 'gone'`)).toEqual([]);
  for (const user of ['alice', 'adopted', STRANGE]) await (await server.client('postgres', { user, password: PASSWORDS.get(user) ?? '' })).end();
  await expect(server.client('postgres', { user: 'resting', password: PASSWORDS.get('resting') ?? '' })).rejects.toThrow(
    /password authentication failed|not permitted to log in/,
  );
  server.mark();
  expect((await steward?.cycle())?.result).toBe('converged');
  expect(ddlOf(server.log())).toEqual([]);
}

const isInstalled = (major: Major): boolean => {
  try {
    return nativeFolder(major) !== '';
  } catch {
    return false;
  }
};
const majorOf = (program: string): number => {
  try {
    return Number(/\d+/.exec(execFileSync(program, ['--version'], { encoding: 'utf8' }))?.[0] ?? 0);
  } catch {
    return 0;
  }
};
const tool = (server: Postgres, name: string, args: readonly string[], input?: Buffer): Buffer =>
  execFileSync(name, ['-h', server.host, '-p', String(server.port), '-U', server.user, ...args], {
    env: { ...process.env, PGPASSWORD: server.password },
    stdio: ['pipe', 'pipe', 'ignore'],
    maxBuffer: 1 << 28,
    ...(input === undefined ? {} : { input }),
  });

it.for([
  [14, 18],
  [14, 14],
  [15, 16],
] as const)('pg_dumpall of PostgreSQL %i into %i', async ([from, to], { skip }) => {
  skip(majorOf('pg_dumpall') < from || majorOf('psql') === 0, `no pg_dumpall that reads PostgreSQL ${from}; on Debian: apt-get install postgresql-client`);
  skip(!isInstalled(from) || !isInstalled(to), 'npm run test:matrix installs the other majors');
  const before = await start({ major: from });
  await declare(before);
  const after = await start({ major: to, fresh: true });
  tool(after, 'psql', ['-d', 'postgres'], tool(before, 'pg_dumpall', []));
  const report = await goOn(after);
  const names = ['adopted', 'alice', 'gone', STRANGE, 'resting', 'team'].toSorted();
  expect(report.planned[0]).toMatchObject({ kind: 'recognise_roles', by: 'passwords', names });
  await expectAsBefore(after);
});

/** Debian's newest, of a major that the tests can run as well. */
const upgrader = (): { readonly bin: string; readonly major: Major } | undefined => {
  const root = '/usr/lib/postgresql';
  const majors = existsSync(root) ? readdirSync(root).map(Number) : [];
  const found = majors.filter((major): major is Major => existsSync(join(root, `${major}/bin/pg_upgrade`)) && isInstalled(major as Major));
  const major = found.toSorted((a, b) => b - a)[0];
  return major === undefined ? undefined : { bin: join(root, `${major}/bin`), major };
};

it('pg_upgrade, which keeps the OIDs under a new identifier', async ({ skip }) => {
  const found = upgrader();
  skip(found === undefined, 'no pg_upgrade in /usr/lib/postgresql of a major that test/matrix has; on Debian: apt-get install postgresql');
  if (found === undefined) return;
  const before = await start({ major: found.major });
  await declare(before);
  // Made anew by somebody just before: it is not ours, there as here.
  await before.query('DROP OWNED BY gone; DROP ROLE gone; CREATE ROLE gone');
  const oids = await before.query(`SELECT rolname, oid FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1`);
  const after = await start({ major: found.major, fresh: true });
  await before.shutDown();
  await after.shutDown();
  const account = unprivileged();
  const folder = mkdtempSync(join(tmpdir(), 'pgsteward-upgrade-'));
  try {
    if (account !== undefined) chownSync(folder, account.uid, account.gid);
    const args = ['-b', found.bin, '-B', found.bin, '-d', before.dataDir, '-D', after.dataDir, '-U', before.user];
    execFileSync(join(found.bin, 'pg_upgrade'), args, { ...account, cwd: folder, env: { ...process.env, PGPASSWORD: before.password }, stdio: 'pipe' });
  } finally {
    rmSync(folder, { recursive: true });
  }
  await after.start();
  expect(await after.query(`SELECT rolname, oid FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1`)).toEqual(oids);
  const report = await goOn(after);
  expect(report.planned.slice(0, 2)).toMatchObject([
    { kind: 'recognise_roles', by: 'oids' },
    { kind: 'forget_role', role: 'gone' },
  ]);
  await after.query('DROP ROLE gone');
  await expectAsBefore(after);
});

it('a standby that is promoted is the same server: nothing is recognised anew, and nothing is written', async () => {
  const before = await start({});
  await declare(before);
  await before.shutDown();
  const signal = join(before.dataDir, 'standby.signal');
  writeFileSync(signal, '');
  const primary = `host=127.0.0.1 port=${before.port} user=${before.user} password=${before.password}`;
  const after = await start({ copyOf: before.dataDir, settings: { primary_conninfo: primary } });
  rmSync(signal);
  await before.start();
  await steward?.cycle();
  const [{ lsn } = { lsn: '' }] = await before.query<{ lsn: string }>('SELECT pg_current_wal_flush_lsn()::text AS lsn');
  for (let caughtUp = false; !caughtUp; await sleep(50))
    caughtUp = (await after.query<{ up: boolean }>(`SELECT pg_last_wal_replay_lsn() >= '${lsn}' AS up`))[0]?.up === true;
  const recorded = await ledger(before);
  await before.kill9();
  await after.query('SELECT pg_promote()');
  const { manifests, config } = steward as Steward;
  steward = await createSteward(after, {}, manifests, dirname(config.stateFile));
  after.mark();
  expect((await steward.cycle()).result).toBe('converged');
  expect(ddlOf(after.log())).toEqual([]);
  expect(await ledger(after)).toEqual(recorded);
  await goOn(after, true);
  await expectAsBefore(after);
});

it('a snapshot that is older than the state file: who left since then is removed again, and who came since then is made again', async () => {
  const before = await start({});
  await declare(before);
  await before.shutDown();
  const after = await start({ copyOf: before.dataDir });
  await before.start();
  const later = { username: 'later' };
  steward?.manifests.secret('later', 'the password of later');
  steward?.manifests.users([...LEFT, later]);
  expect((await steward?.cycle())?.outcomes.map(({ change }) => change.kind)).toContain('drop_role');
  const report = await goOn(after, true, [...LEFT, later]);
  const about = report.planned.flatMap(({ kind, ...change }) => ('entity' in change ? [`${kind} ${change.role}`] : []));
  expect(about).toEqual(['create_role later', 'drop_role gone']);
  steward?.manifests.users(LEFT);
  await steward?.cycle();
  await expectAsBefore(after);
});
