// A former primary that comes back takes itself for the primary: of several hosts the one that was promoted last is worked on, also by whoever begins then.
import { afterEach, expect, it } from 'vitest';
import type { Daemon } from '../support/daemon.ts';
import { logsIn } from '../support/logs-in.ts';
import { makeStandby } from '../support/outages.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { entryOf, FleetFolder, shownBy, startFleet, until } from './folder.ts';

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

it('nothing is written on a former primary, whoever begins anew and however the hosts are ordered, also while the new one is away', async () => {
  const former = await start({ fresh: true });
  await former.shutDown();
  const promoted = await start({ copyOf: former.dataDir });
  await former.start();
  await makeStandby(promoted);
  await promoted.query('SELECT pg_promote()');
  const folder = new FleetFolder();
  folder.admin('pair-admin', former);
  folder.document('pair-users', [{ username: 'alice' }]);
  folder.secret('user-alice-secret', { password: 'alice-1' });
  folder.servers([entryOf('pair', { hosts: [`127.0.0.1:${former.port}`, `127.0.0.1:${promoted.port}`] })]);
  const at = (daemon = await startFleet(folder));
  await holds('the new primary is written', () => logsIn(promoted, 'alice', 'alice-1'));
  expect(await former.query("SELECT 1 FROM pg_roles WHERE rolname = 'alice'")).toEqual([]);
  await promoted.shutDown();
  folder.secret('user-bob-secret', { password: 'bob-1' });
  folder.document('pair-users', [{ username: 'alice' }, { username: 'bob' }]);
  await until(
    'it is told',
    () => shownBy(at),
    ({ servers: { pair } }) => pair?.outage?.reason === 'standby' && pair.outage.message.includes(`127.0.0.1:${former.port} is a former primary`),
  );
  await promoted.start();
  await holds('it goes on where it was', () => logsIn(promoted, 'bob', 'bob-1'));
  expect(
    await former.query("SELECT 1 FROM pg_roles WHERE rolname IN ('alice', 'bob') UNION ALL SELECT 1 FROM pg_namespace WHERE nspname = 'pgsteward'"),
  ).toEqual([]);
});

it('with all hosts of one server that was made anew, as by pg_upgrade, nothing is compared that cannot be', async () => {
  const before = await start({ fresh: true });
  const folder = new FleetFolder();
  folder.admin('pair-admin', before);
  folder.document('pair-users', [{ username: 'alice' }]);
  folder.secret('user-alice-secret', { password: 'alice-1' });
  await makeStandby(before);
  await before.query('SELECT pg_promote()');
  const after = await start({ fresh: true });
  await after.shutDown();
  folder.servers([entryOf('pair', { hosts: [`127.0.0.1:${before.port}`, `127.0.0.1:${after.port}`], policy: { movedFrom: 'unknown' } })]);
  const at = (daemon = await startFleet(folder));
  await holds('alice is there', () => logsIn(before, 'alice', 'alice-1'));
  await before.shutDown();
  await after.start();
  // What was recorded elsewhere waits for a word of the operator, and it is a writer that says so.
  await until(
    'the other one is worked on',
    () => shownBy(at),
    ({ servers: { pair } }) => pair?.outage === null && pair.role === 'writer',
  );
  await holds(
    'by a session there',
    async () => (await after.query("SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'pgsteward writer %'")).length === 1,
  );
});
