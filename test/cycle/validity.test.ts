// Validity: what metrics and /status say of users whose passwords soon stop to be accepted.
import { expect, it } from 'vitest';
import { createMetrics } from '../../src/observe/metrics.ts';
import { createStatus } from '../../src/observe/status.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  {},
  (started) => (server = started),
  () => steward,
);

const HOUR = 3_600_000;
const START = Date.now();
const at = (hours: number): string => new Date(START + hours * HOUR).toISOString();

it('counts ends by how soon they come, names the next one in /status only, and goes on while no cycle runs', async () => {
  steward = await createSteward(server);
  const users = [
    { username: 'gone', validUntil: at(-5) },
    { username: 'hours', validUntil: at(5) },
    { username: 'days', validUntil: at(100) },
    { username: 'weeks', validUntil: at(500) },
    { username: 'years', validUntil: at(50_000) },
    { username: 'disabled', validUntil: at(1), login: false },
    { username: 'endless' },
  ];
  steward.manifests.users(users);
  steward.manifests.secrets(new Map(users.map(({ username }) => [username, 'p'])));
  await server.query(`CREATE ROLE stranger LOGIN VALID UNTIL 'tomorrow'`);
  const clock = { now: START };
  const metrics = createMetrics({ now: () => clock.now });
  const status = createStatus({ source: '', dryRun: false, patience: 1, now: () => clock.now });
  const report = await steward.cycle();
  metrics.record(report);
  status.record(report);
  const shown = async (): Promise<unknown[]> => {
    const text = await metrics.registry.metrics();
    expect(text).not.toContain('hours');
    const value = (name: string): number =>
      Number(
        text
          .split('\n')
          .find((line) => line.startsWith(`postgres_controller_${name} `))
          ?.split(' ')[1],
      );
    const ending = ['1d', '7d', '30d'].map((span) => value(`users_validity_ending{within="${span}"}`));
    return [Math.round(value('validity_soonest_end_timestamp') * 1000), value('users_expired'), ...ending, (status.toJson() as { validity: unknown }).validity];
  };
  const expected = (soonest: number, user: string, expired: number, ending: readonly number[]): unknown[] => [
    START + soonest * HOUR,
    expired,
    ...ending,
    { soonest: at(soonest), user, expired, ending: { '1d': ending[0], '7d': ending[1], '30d': ending[2] } },
  ];
  expect(await shown()).toEqual(expected(5, 'hours', 1, [1, 2, 3]));
  clock.now += 6 * HOUR;
  expect(await shown()).toEqual(expected(100, 'days', 2, [0, 1, 2]));
  const settled = [await steward.cycle(), await steward.cycle()].at(-1);
  expect([settled?.unchanged, settled?.validity]).toEqual([true, report.validity]);
  clock.now += 50_000 * HOUR;
  expect((await shown()).slice(0, 5)).toEqual([0, 5, 0, 0, 0]);
});
