// Whatever answers at the port of one server ends, fills or hangs none of the others, and is given no password.
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Daemon } from '../support/daemon.ts';
import { LIES, type LyingServer, startLyingServer } from '../support/lying-server.ts';
import { logsIn } from '../support/logs-in.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { entryOf, FleetFolder, shownBy, startFleet, until } from './folder.ts';

let good: Postgres;
let lying: LyingServer;
let daemon: Daemon | undefined;
beforeEach(async () => {
  [good, lying] = await Promise.all([startPostgres(), startLyingServer()]);
});
afterEach(async () => {
  await daemon?.kill9();
  daemon = undefined;
  await Promise.all([good.stop(), lying.close()]);
});

it('what one server answers, that is no PostgreSQL, stops nothing on another, and its password stays with us', async () => {
  const folder = new FleetFolder();
  folder.admin('good-admin', good);
  folder.admin('lying-admin', { host: '127.0.0.1', port: lying.port, user: 'steward', password: 'not-for-everybody' });
  folder.document('good-users', [{ username: 'alice' }]);
  folder.document('lying-users', [{ username: 'bob' }]);
  folder.secret('user-alice-secret', { password: 'alice-1' });
  folder.secret('user-bob-secret', { password: 'bob-1' });
  folder.servers([entryOf('good'), entryOf('lying')]);
  const at = (daemon = await startFleet(folder));
  await until(
    'each answer was given twice',
    async () => ({ given: Object.fromEntries(lying.given), shown: await shownBy(at) }),
    ({ given }) => Object.keys(LIES).every((name) => (given[name] ?? 0) >= 2),
  );
  const { servers } = await shownBy(at);
  expect(servers['lying']?.outage?.reason).toMatch(/unreachable|login_refused/);
  expect(servers['lying']?.outage?.message).toMatch(/of its entry in servers.yaml/);
  folder.secret('user-alice-secret', { password: 'alice-2' });
  await until(
    'the other one is followed',
    async () => ({ is: await logsIn(good, 'alice', 'alice-2') }),
    ({ is }) => is,
  );
  expect(lying.heard()).toContain('steward');
  expect(lying.heard()).not.toContain('not-for-everybody');
  const told = at.lines().map(({ message }) => message);
  expect(told.filter((line) => line.includes('pgsteward started'))).toHaveLength(1);
  expect(told.join('\n')).toMatch(/request for GSSAPI and not for a password/);
  expect(told.join('\n')).toMatch(/the password itself, which is given only to one whose certificate is verified/);
});
