// The benchmark of memory: the most that the daemon ever has, as the image starts it and without its flags.
import type { Daemon } from '../support/daemon.ts';
import { daemonEnv, Manifests } from '../support/daemon.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { reset, usersDocument } from './many-users.ts';
import { median, numbers, peakRss, print, RUNS, startPlainly, startShipped, waitForCycle } from './support.ts';

const USERS = 10_000;
/** As much as a ConfigMap holds. */
const LARGEST = 1_048_576;

const STARTS: readonly (readonly [how: string, start: (env: Readonly<Record<string, string>>) => Promise<Daemon>])[] = [
  ['as in the image', startShipped],
  ["without the image's flags", startPlainly],
];

/** The most of each run, in MiB. */
async function peaks(server: Postgres, document: string, more: Readonly<Record<string, string>>, start: (typeof STARTS)[number][1]): Promise<string> {
  const [first, again]: [number[], number[]] = [[], []];
  const manifests = new Manifests();
  manifests.users(document);
  const env = daemonEnv(server, manifests.folder, { LOG_LEVEL: 'info', ...more });
  for (const _ of numbers(RUNS)) {
    await reset(server);
    for (const found of [first, again]) {
      const daemon = await start(env);
      await waitForCycle(daemon);
      await daemon.cycle();
      found.push(peakRss(daemon));
      await daemon.stop();
    }
  }
  manifests.remove();
  return `${median(first).toFixed(0)} MiB, after a restart ${median(again).toFixed(0)} MiB`;
}

/** What the largest inputs take. ACL entries by the hundred thousand are in the benchmark of privileges. */
export async function benchMemory(): Promise<void> {
  const server = await startPostgres({ settings: { log_statement: 'none', max_locks_per_transaction: '512' } });
  const one = usersDocument(1001, false).length - usersDocument(1000, false).length;
  const most = Math.floor(LARGEST / one) - 1;
  for (const [how, start] of STARTS) {
    print(`peak RSS median with ${USERS} users, ${how}: first apply ${await peaks(server, usersDocument(USERS, false), {}, start)}`);
    print(
      `peak RSS median with a document of 1 MiB (${most} users), dry run, ${how}: ${await peaks(server, usersDocument(most, false), { DRY_RUN: 'true' }, start)}`,
    );
  }
  await server.stop();
}
