// Outages on real servers: what keeps the daemon from working is in the log, the metrics, /status and readiness within one interval, with what to do.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { OUTAGES } from '../../src/model/outage.ts';
import { newerNotices } from '../../src/steward/server-notices.ts';
import { type Daemon, daemonEnv, Manifests, startDaemon } from '../support/daemon.ts';
import { makeStandby, OUTAGE_CASES } from '../support/outages.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { resetServer } from '../support/steward.ts';

let server: Postgres;
let manifests: Manifests;
const daemons: Daemon[] = [];
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());
afterEach(async () => {
  await Promise.all(daemons.splice(0).map((daemon) => daemon.kill9()));
  manifests.remove();
  await resetServer(server);
});

const start = async (env: Readonly<Record<string, string>> = {}): Promise<Daemon> => {
  const daemon = await startDaemon(daemonEnv(server, manifests.folder, env));
  daemons.push(daemon);
  return daemon;
};
const prepare = (): void => {
  manifests = new Manifests();
  manifests.users([{ username: 'alice' }]);
  manifests.secret('alice', 'p');
};
const until = async (check: () => Promise<boolean> | boolean): Promise<void> => {
  for (const end = Date.now() + 60_000; !(await check()); await sleep(20)) if (Date.now() > end) throw new Error('not within 60 s');
};
const metric = async (daemon: Daemon, name: string): Promise<number> => {
  const line = (await daemon.get('/metrics')).body.split('\n').find((text) => text.startsWith(`postgres_controller_${name} `));
  return Number(line?.split(' ').at(-1));
};
interface Shown {
  readonly outage: { readonly reason: string; readonly message: string } | null;
  readonly lastCycle: { readonly result: string; readonly errors: number } | null;
  readonly problems: readonly { readonly message: string }[];
}
const shown = async (daemon: Daemon): Promise<Shown> => JSON.parse((await daemon.get('/status')).body) as Shown;

it.each(OUTAGE_CASES)('$outage, as $name: an error in the log, metrics, /status and not ready', async ({ outage, message, make, possible }) => {
  prepare();
  if (possible?.() === false) return;
  const { env, undo } = await make(server);
  try {
    const daemon = await start(env);
    const status = await daemon.ready();
    expect(status.lastCycle?.result).toBe('failed');
    const { outage: told } = await shown(daemon);
    expect(told).toEqual({ reason: outage, message: expect.stringMatching(message) as string });
    expect(told?.message).toContain(OUTAGES[outage].cure);
    expect(daemon.lines().filter((line) => line.level === 'ERROR' && line.message.includes(told?.message ?? ''))).toHaveLength(1);
    expect(await metric(daemon, `outage{reason="${outage}"}`)).toBe(1);
    expect(await metric(daemon, 'errors_total')).toBeGreaterThanOrEqual(1);
    const ready = await daemon.get('/readyz');
    expect([ready.code, (JSON.parse(ready.body) as { status: string }).status]).toEqual([503, told?.message]);
    expect((await daemon.get('/healthz')).code).toBe(200);
  } finally {
    await undo();
  }
});

it('a dry run tells of an outage as well', async () => {
  prepare();
  const daemon = await start({ DRY_RUN: 'true', DB_PASS: 'another one' });
  await daemon.ready();
  expect((await shown(daemon)).outage?.reason).toBe('login_refused');
  expect((await daemon.get('/readyz')).code).toBe(503);
});

it('a server that goes away is told within one interval, said once, counted each interval, and forgotten when it is back', async () => {
  prepare();
  const own = await startPostgres();
  const daemon = await startDaemon({ ...daemonEnv(own, manifests.folder), SYNC_INTERVAL: '1' });
  daemons.push(daemon);
  expect((await daemon.ready()).lastCycle?.result).toBe('changed');
  expect((await daemon.get('/readyz')).code).toBe(200);
  await own.kill9();
  await until(async () => (await shown(daemon)).outage?.reason === 'unreachable');
  expect((await daemon.get('/readyz')).code).toBe(503);
  const before = await metric(daemon, 'errors_total');
  await until(async () => (await metric(daemon, 'errors_total')) >= before + 2);
  expect(daemon.lines().filter(({ level, message }) => level === 'ERROR' && message.includes('ECONNREFUSED'))).toHaveLength(1);
  await own.start();
  await until(async () => (await shown(daemon)).outage === null);
  expect((await daemon.get('/readyz')).code).toBe(200);
  expect(await metric(daemon, 'outage{reason="unreachable"}')).toBe(0);
  await own.stop();
});

it.each([
  ['between two cycles', 3600, async () => undefined],
  ['in the middle of a cycle, whose statements may take an hour', 3600, async (daemon: Daemon) => void daemon.process.kill('SIGHUP')],
] as const)('a server that begins to hang %s is told within seconds, and forgotten when it goes on', async (_when, interval, begin) => {
  prepare();
  const own = await startPostgres();
  const daemon = await startDaemon(daemonEnv(own, manifests.folder, { SYNC_INTERVAL: String(interval), DB_STATEMENT_TIMEOUT: '3600' }));
  daemons.push(daemon);
  expect((await daemon.ready()).lastCycle?.result).toBe('changed');
  own.pause();
  await begin(daemon);
  await until(async () => (await shown(daemon)).outage?.reason === 'unreachable');
  const { outage } = await shown(daemon);
  expect(outage?.message).toMatch(/timeout.*look at DB_HOST/);
  expect(daemon.lines().filter(({ level, message }) => level === 'ERROR' && message.includes(outage?.message ?? ''))).toHaveLength(1);
  expect([await metric(daemon, 'outage{reason="unreachable"}'), await metric(daemon, 'is_writer')]).toEqual([1, 0]);
  expect([(await daemon.get('/readyz')).code, (await daemon.get('/healthz')).code]).toEqual([503, 200]);
  own.resume();
  await until(async () => (await shown(daemon)).outage === null && (await daemon.get('/readyz')).code === 200);
  await own.stop();
});

it('while the server is away, a document that becomes invalid and a source that cannot be read are told as well', async () => {
  prepare();
  const daemon = await start({ DB_PASS: 'another one', SYNC_INTERVAL: '1' });
  await daemon.ready();
  manifests.users('users: [');
  await until(async () => (await shown(daemon)).problems.length > 0);
  expect((await shown(daemon)).lastCycle?.errors).toBe(2);
  expect(await metric(daemon, 'failures_total{reason="document"}')).toBeGreaterThanOrEqual(1);
  manifests.remove();
  await until(async () => (await metric(daemon, 'failures_total{reason="source_not_found"}')) >= 1);
  expect((await shown(daemon)).outage?.reason).toBe('login_refused');
});

it('a standby that is promoted is written, without a restart', async () => {
  prepare();
  const own = await startPostgres();
  await makeStandby(own);
  const daemon = await startDaemon(daemonEnv(own, manifests.folder));
  daemons.push(daemon);
  await until(async () => (await shown(daemon).catch(() => undefined))?.outage?.reason === 'standby');
  await own.query('SELECT pg_promote()');
  await until(async () => (await shown(daemon)).lastCycle?.result === 'changed');
  expect((await daemon.get('/readyz')).code).toBe(200);
  await own.stop();
});

it('a missing Secret and errors of the document are counted, in the summary and in the metrics alike', async () => {
  prepare();
  manifests.users([{ username: 'alice' }, { username: 'lost' }, { username: 'wrong', nonsense: true }]);
  const daemon = await start();
  const { lastCycle } = await daemon.ready();
  expect(lastCycle?.errors).toBe(2);
  expect(await metric(daemon, 'errors_total')).toBe(2);
  expect(await metric(daemon, 'failures_total{reason="secret"}')).toBe(1);
  expect(await metric(daemon, 'failures_total{reason="document"}')).toBe(1);
});

it('a server that is newer than every one that was tried is warned of, and one that was is not', () => {
  expect(newerNotices(18)).toEqual([]);
  expect(newerNotices(19)).toMatchObject([{ kind: 'fallback', message: expect.stringContaining('14 to 18') as string }]);
});
