// What happens to one server happens to no other: it hangs, it is a standby, it fails over to another host.
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import type { Daemon } from '../support/daemon.ts';
import { makeStandby } from '../support/outages.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { entryOf, FleetFolder, shownBy, startFleet, until } from './folder.ts';
import { logsIn } from '../support/logs-in.ts';

const servers: Postgres[] = [];
let daemon: Daemon | undefined;
const start = async (...options: Parameters<typeof startPostgres>): Promise<Postgres> => {
  const server = await startPostgres(...options);
  servers.push(server);
  return server;
};
afterEach(async () => {
  await daemon?.kill9();
  daemon = undefined;
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

const holds = (what: string, read: () => Promise<boolean>): Promise<unknown> =>
  until(
    what,
    async () => ({ is: await read() }),
    ({ is }) => is,
  );

it('one that hangs and one that refuses delay no edit on another, and it goes on when it is back', async () => {
  const [good, hung] = await Promise.all([start(), start()]);
  const folder = new FleetFolder();
  folder.admin('good-admin', good);
  folder.admin('hung-admin', hung);
  folder.admin('none-admin', { ...good, port: 1 });
  for (const name of ['good', 'hung', 'none']) folder.document(`${name}-users`, [{ username: 'alice' }]);
  folder.secret('user-alice-secret', { password: 'alice-1' });
  folder.servers(['good', 'hung', 'none'].map((name) => entryOf(name)));
  const at = (daemon = await startFleet(folder));
  await until(
    'both are right',
    () => shownBy(at),
    ({ servers: { good: one, hung: two } }) => one?.lastCycle?.result === 'converged' && two?.lastCycle?.result === 'converged',
  );
  const times = async (from: number): Promise<readonly number[]> => {
    const took: number[] = [];
    for (let count = from; count < from + 4; count += 1) {
      folder.secret(`user-u${count}-secret`, { password: `p-${count}` });
      const began = performance.now();
      folder.document('good-users', [{ username: 'alice' }, ...Array.from({ length: count - 9 }, (_, one) => ({ username: `u${one + 10}` }))]);
      await holds(`u${count} logs in`, () => logsIn(good, `u${count}`, `p-${count}`));
      took.push(performance.now() - began);
    }
    return took.toSorted((a, b) => a - b);
  };
  const before = await times(10);
  hung.pause();
  const during = await times(14);
  expect(during[2]).toBeLessThan(2 * (before[2] ?? 0) + 2000);
  await until(
    'it is told',
    () => shownBy(at),
    ({ servers: { hung: one, none } }) => one?.outage != null && none?.outage?.reason === 'unreachable',
  );
  expect([(await at.get('/healthz')).code, (await at.get('/readyz')).code]).toEqual([200, 200]);
  hung.resume();
  await until(
    'it goes on',
    () => shownBy(at),
    ({ servers: { hung: one } }) => one?.outage === null && one.lastCycle?.result === 'converged',
  );
});

it('of several hosts only a primary is written; a failover is followed, what the new one lost is made again, and a former primary is left alone', async () => {
  const first = await start();
  const folder = new FleetFolder();
  folder.admin('pair-admin', first);
  folder.document('pair-users', [{ username: 'alice' }]);
  folder.secret('user-alice-secret', { password: 'alice-1' });
  folder.servers([entryOf('pair')]);
  let at = (daemon = await startFleet(folder));
  await until(
    'alice is there',
    () => shownBy(at),
    ({ servers: { pair } }) => pair?.lastCycle?.result === 'converged',
  );
  await at.stop();
  daemon = undefined;
  // A standby as of now: what comes later is the tail that it loses.
  await first.shutDown();
  const second = await start({ copyOf: first.dataDir });
  await first.start();
  await makeStandby(second);
  folder.servers([entryOf('pair', { hosts: [`127.0.0.1:${second.port}`, `127.0.0.1:${first.port}`] })]);
  folder.secret('user-alice-secret', { password: 'alice-2' });
  folder.secret('user-bob-secret', { password: 'bob-1' });
  folder.document('pair-users', [{ username: 'alice' }, { username: 'bob' }]);
  at = daemon = await startFleet(folder);
  await until(
    'the primary is written, although the standby is named first',
    async () => ({ is: await logsIn(first, 'bob', 'bob-1'), shown: await shownBy(at) }),
    ({ is }) => is,
  );
  await holds('and so is the password', () => logsIn(first, 'alice', 'alice-2'));
  expect([await logsIn(second, 'bob', 'bob-1'), await logsIn(second, 'alice', 'alice-1')]).toEqual([false, true]);
  await first.kill9();
  await second.query('SELECT pg_promote()');
  await holds('the new primary has what it lost', async () => (await logsIn(second, 'bob', 'bob-1')) && logsIn(second, 'alice', 'alice-2'));
  // The former one comes back and takes itself for the primary.
  await first.start();
  folder.document('pair-users', [{ username: 'alice' }, { username: 'bob' }, { username: 'carol' }]);
  folder.secret('user-carol-secret', { password: 'carol-1' });
  await holds('the new primary goes on', () => logsIn(second, 'carol', 'carol-1'));
  await sleep(1500);
  expect(await logsIn(first, 'carol', 'carol-1')).toBe(false);
  // Where both are standbys nothing is written, and it is said.
  await makeStandby(second);
  await first.shutDown();
  closeSync(openSync(join(first.dataDir, 'standby.signal'), 'w'));
  await first.start();
  await until(
    'it is told',
    () => shownBy(at),
    ({ servers: { pair } }) => pair?.outage?.reason === 'standby',
  );
});
