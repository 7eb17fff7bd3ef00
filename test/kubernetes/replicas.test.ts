// Three replicas on a real API server and a real PostgreSQL: who writes when the writer is killed, stands still, is drained or is not the preferred one, and never two.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ranking } from '../../src/model/rendezvous.ts';
import { KubeCase, NAME } from '../support/kube-case.ts';
import { KubeReplicas } from '../support/kube-replicas.ts';
import { fencedTwice } from '../support/terms.ts';

/** How often the writer is killed or stopped: 50 for figures. */
const TAKEOVERS = Number(process.env['TAKEOVERS'] ?? 2);

const at = new KubeCase();
let replicas: KubeReplicas;
beforeEach(() => {
  replicas = new KubeReplicas(at);
});
afterEach(() => replicas.endAll());

const serverKey = (): string => `${at.namespace}/${NAME}`;
const roleOf = (name: string): Promise<string | undefined> =>
  replicas
    .get(name)
    .status()
    .then(
      ({ role }) => role,
      () => undefined,
    );
const writer = async (): Promise<string> => {
  let found: string | undefined;
  await at.until(async () => {
    for (const name of replicas.running.keys()) if ((await roleOf(name)) === 'writer') found = name;
    return found !== undefined;
  });
  return found ?? '';
};
const preferred = (): string => ranking(serverKey(), [...replicas.running.keys()])[0] ?? '';
/** A name that leaves the preferred one as it is. */
function nameBehind(first: string): string {
  for (;;) {
    const name = replicas.nextName();
    if (ranking(serverKey(), [first, name])[0] === first) return name;
  }
}
const limitOf = async (): Promise<number> =>
  (await at.server.query<{ limit: number }>(`SELECT rolconnlimit AS limit FROM pg_roles WHERE rolname = 'alice'`))[0]?.limit ?? -2;
/** Milliseconds until an edit is in force. */
async function edit(limit: number): Promise<number> {
  const began = performance.now();
  await at.users([{ username: 'alice', login: false, connectionLimit: limit }]);
  await at.until(async () => (await limitOf()) === limit, 20);
  return performance.now() - began;
}
const quantile = (times: readonly number[], part: number): string =>
  ((times.toSorted((a, b) => a - b)[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0) / 1000).toFixed(1);

async function threeReplicas(): Promise<void> {
  await at.kube.component(at.namespace, 'replicas');
  await at.users([{ username: 'alice', login: false, connectionLimit: 1000 }]);
  const first = await replicas.start();
  await at.until(async () => (await roleOf(first)) === 'writer');
  await replicas.start(nameBehind(first));
  await replicas.start(nameBehind(first));
  await replicas.together();
  expect([await writer(), preferred()]).toEqual([first, first]);
}

it(
  `the preferred replica is killed or stands still ${TAKEOVERS} times, the next change is in force within ten seconds, and there are never two writers`,
  { timeout: 300_000 + TAKEOVERS * 60_000 },
  async () => {
    await at.server.query('ALTER SYSTEM SET log_statement = none');
    await at.server.query('ALTER SYSTEM SET log_min_duration_statement = 0');
    await at.server.query('SELECT pg_reload_conf()');
    await threeReplicas();
    at.server.mark();
    const times: Record<'SIGKILL' | 'SIGSTOP', number[]> = { SIGKILL: [], SIGSTOP: [] };
    for (let round = 1; round <= TAKEOVERS; round += 1) {
      const victim = await writer();
      expect(victim).toBe(preferred());
      const signal = round % 2 === 1 ? 'SIGKILL' : 'SIGSTOP';
      const daemon = replicas.get(victim);
      // At any moment between two heartbeats.
      await sleep(Math.random() * 2000);
      daemon.process.kill(signal);
      const took = await edit(round);
      times[signal].push(took);
      if (TAKEOVERS > 10) console.log(`${round}: ${signal} ${(took / 1000).toFixed(1)} s`);
      replicas.running.delete(victim);
      if (signal === 'SIGSTOP') {
        // It goes on, and thinks that it writes: everything that it begins is refused.
        daemon.process.kill('SIGCONT');
        const status = async (): Promise<string | undefined> => (await daemon.status().catch(() => undefined))?.role;
        await at.until(async () => (await status()) === 'standby');
      }
      const next = await writer();
      expect(next).not.toBe(victim);
      daemon.process.kill('SIGKILL');
      await replicas.forget(victim);
      await replicas.start(nameBehind(next));
      // Whoever took over need not be the preferred one of those that are left.
      const other = [...replicas.running.keys()].find((name) => name !== next && ranking(serverKey(), [next, name])[0] === name);
      if (other !== undefined) {
        await replicas.end(other);
        await replicas.forget(other);
        await replicas.start(nameBehind(next));
      }
      await replicas.together();
    }
    for (const [signal, all] of Object.entries(times))
      console.log(
        `${signal}: ${all.length} takeovers, next change in force after ${quantile(all, 0.5)} s (median), ${quantile(all, 0.99)} s (p99), ${quantile(all, 1)} s (longest)`,
      );
    const { terms, violations } = fencedTwice(at.server.log());
    console.log(`${terms} terms wrote, ${violations} writes of a term that was over`);
    expect(violations).toBe(0);
    expect(terms).toBeGreaterThanOrEqual(TAKEOVERS);
    expect(Number(quantile([...times.SIGKILL, ...times.SIGSTOP], 0.99))).toBeLessThan(10);
    await at.server.query('ALTER SYSTEM RESET log_min_duration_statement');
    await at.server.query("ALTER SYSTEM SET log_statement = 'all'");
    await at.server.query('SELECT pg_reload_conf()');
  },
);

it('a replica that is ended takes its Lease back at once, another one writes within seconds, and one that comes and is preferred gets the lock without a gap', async () => {
  await threeReplicas();
  const first = await writer();
  const began = performance.now();
  const code = replicas.get(first).stop();
  await at.until(async () => !(await replicas.leases()).includes(first), 20);
  expect(performance.now() - began).toBeLessThan(2000);
  replicas.running.delete(first);
  const second = await writer();
  console.log(`another one writes ${((performance.now() - began) / 1000).toFixed(1)} s after SIGTERM`);
  expect(performance.now() - began).toBeLessThan(4000);
  expect(await code).toBe(0);
  expect(await edit(7)).toBeLessThan(5000);
  // The first one comes again, and is preferred: it gets the lock, though not at once.
  await replicas.start(first);
  await replicas.together();
  expect(await writer()).toBe(second);
  let gap = 0;
  let last = performance.now();
  const back = performance.now();
  await at.until(async () => {
    const claims = await at.server.query(`SELECT FROM pg_stat_activity WHERE starts_with(application_name, 'pgsteward writer ')`);
    const now = performance.now();
    if (claims.length > 0) last = now;
    gap = Math.max(gap, now - last);
    return (await roleOf(first)) === 'writer';
  }, 10);
  console.log(`handed over after ${((performance.now() - back) / 1000).toFixed(0)} s, with ${(gap / 1000).toFixed(2)} s in which nobody wrote`);
  expect(gap).toBeLessThan(1500);
  expect(replicas.get(second).output()).toContain(`the writer lock is given back: the replica ${first} goes first here, and waits`);
  expect(await edit(8)).toBeLessThan(5000);
  expect(await roleOf(second)).toBe('standby');
});

it('without the right to Leases it is said what is missing, and one of them writes all the same', async () => {
  await at.users([{ username: 'alice', login: false, connectionLimit: 1 }]);
  for (const name of ['one', 'two']) await replicas.start(name);
  const first = await writer();
  expect(await edit(2)).toBeLessThan(5000);
  await at.until(() =>
    [...replicas.running.values()].every((daemon) => daemon.output().includes('this replica is not announced to the others: we may not get leases')),
  );
  await at.until(() =>
    [...replicas.running.values()].every((daemon) => daemon.output().includes('the other replicas are not known: we may not list leases in namespace')),
  );
  expect(replicas.get(first).output()).toContain('manifests/components/replicas has the Role');
  const other = first === 'one' ? 'two' : 'one';
  replicas.get(first).process.kill('SIGKILL');
  replicas.running.delete(first);
  expect(await edit(3)).toBeLessThan(10_000);
  expect(await writer()).toBe(other);
});
