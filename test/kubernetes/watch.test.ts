// Access follows at once: how soon an edit and a rotation are in force on a real API server, and what may happen to the watch meanwhile.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import type pg from 'pg';
import { KubeCase } from '../support/kube-case.ts';

const at = new KubeCase();
/** An hour passes before the daemon looks by itself: whatever happens sooner, a watch has seen. */
const run = async (): Promise<void> => {
  await at.kube.component(at.namespace, 'bulk-secrets');
  await at.run();
  await at.daemon.ready();
  await at.until(async () => (await at.metric('watch_connected{watch="document"}')) === 1 && (await at.metric('watch_connected{watch="secret"}')) === 1);
};
let eyes: pg.Client | undefined;
afterEach(async () => {
  await eyes?.end();
  eyes = undefined;
});
const limitOf = async (user: string): Promise<number> => {
  eyes ??= await at.server.client();
  const { rows } = await eyes.query<{ limit: number }>('SELECT rolconnlimit AS limit FROM pg_roles WHERE rolname = $1', [user]);
  return rows[0]?.limit ?? -2;
};
/** Milliseconds from the API server's answer until what was asked for holds. */
const timed = async (change: () => Promise<void>, holds: () => Promise<boolean>): Promise<number> => {
  await change();
  const began = performance.now();
  await at.until(holds, 5);
  return performance.now() - began;
};
const edit = (limit: number): Promise<number> =>
  timed(
    () => at.users([{ username: 'alice', connectionLimit: limit }, { username: 'bob' }]),
    async () => (await limitOf('alice')) === limit,
  );
const rotate = (user: string, password: string): Promise<number> =>
  timed(
    () => at.secret(user, password),
    () => at.canLogin(user, password),
  );
const show = (name: string, times: readonly number[]): string => {
  const sorted = times.toSorted((a, b) => a - b);
  const quantile = (part: number): string => (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0).toFixed(0);
  return `${name}: median ${quantile(0.5)} ms, p99 ${quantile(0.99)} ms`;
};

it('100 edits and 100 rotations are in force without any interval, also while the API server stands still or restarts', async () => {
  await at.users([{ username: 'alice' }, { username: 'bob' }]);
  await at.secret('alice', 'alice-pass');
  await at.secret('bob', 'bob-pass-first');
  await run();
  const edits: number[] = [];
  const rotations: number[] = [];
  const disturbed: number[] = [];
  for (let round = 1; round <= 100; round += 1) {
    if (round === 34) {
      at.kube.pause();
      setTimeout(() => at.kube.resume(), 3000);
      disturbed.push(await edit(1000));
    }
    if (round === 67) {
      await at.kube.kill();
      await sleep(1000);
      await at.kube.start();
      disturbed.push(await edit(2000), await rotate('bob', 'bob-pass-after-restart'));
    }
    edits.push(await edit(round));
    rotations.push(await rotate('bob', `bob-pass-${round}`));
  }
  console.log([show('edits', edits), show('rotations', rotations), show('in the middle of a stop or a restart', disturbed)].join('; '));
  expect([edits.length, rotations.length, disturbed.length]).toEqual([100, 100, 3]);
  expect(at.daemon.output()).not.toMatch(/we may not|is not written/);
});

it('a burst of 500 rotated Secrets shares a handful of cycles, and a Secret that no user names wakes nobody', async () => {
  const users = Array.from({ length: 500 }, (_, index) => `user-${index}`);
  const rotateAll = async (round: string): Promise<void> => {
    const queue = [...users];
    const worker = async (): Promise<void> => {
      for (let user = queue.pop(); user !== undefined; user = queue.pop()) await at.secret(user, `${round}-of-${user}`);
    };
    await Promise.all(Array.from({ length: 16 }, worker));
  };
  await rotateAll('first-pass');
  await at.users(users.map((username) => ({ username })));
  await run();
  await at.until(() => at.canLogin('user-0', 'first-pass-of-user-0'));
  await sleep(300);
  const cycles = await at.metric('reconciliations_total');
  await at.secret('stranger', 'strange-pass');
  await sleep(500);
  expect(await at.metric('reconciliations_total')).toBe(cycles);
  await rotateAll('second-pass');
  await at.until(() => at.canLogin('user-499', 'second-pass-of-user-499'));
  const left = [...users];
  const logIn = async (): Promise<void> => {
    for (let user = left.pop(); user !== undefined; user = left.pop()) {
      const name = user;
      await at.until(() => at.canLogin(name, `second-pass-of-${name}`));
    }
  };
  await Promise.all(Array.from({ length: 4 }, logIn));
  const spent = (await at.metric('reconciliations_total')) - cycles;
  console.log(`500 rotations: ${spent} cycles, ${await at.metric('wakeups_joined_total')} wake-ups shared one`);
  expect(spent).toBeGreaterThan(0);
  expect(spent).toBeLessThanOrEqual(10);
});

it('a compacted past and a rotated token are got over: everything is listed anew, and the new token is read', async () => {
  await at.users([{ username: 'alice' }, { username: 'bob' }]);
  await at.secret('alice', 'alice-pass');
  await at.secret('bob', 'bob-pass');
  await run();
  // The past that the watch would go on from is over when something else has happened since.
  for (let count = 0; count < 3; count += 1)
    await at.kube.api('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: `passing-${count}` } });
  await at.kube.kill();
  at.kube.rotateToken();
  await at.kube.compact();
  await at.kube.start();
  await at.until(async () => (await at.metric('watch_restarts_total{watch="document",reason="unauthorized"}')) > 0);
  at.kube.kubeconfig();
  await edit(7);
  await rotate('bob', 'bob-pass-two');
  expect(await at.metric('watch_restarts_total{watch="document",reason="expired"}')).toBeGreaterThan(0);
  await at.until(async () => (await at.metric('watch_connected{watch="document"}')) === 1);
});

it('a document that is deleted and made again is followed at once', async () => {
  await at.users([{ username: 'alice' }, { username: 'bob' }]);
  await at.secret('alice', 'alice-pass');
  await at.secret('bob', 'bob-pass');
  await run();
  await at.kube.api('DELETE', at.path('configmaps', 'postgres-users-config'));
  await at.until(async () => (await at.metric('failures_total{reason="source_not_found"}')) > 0);
  expect(await at.exists('alice')).toBe(true);
  await edit(3);
  await at.kube.api('DELETE', at.path('secrets', 'user-bob-secret'));
  await at.until(async () => (await at.daemon.status()).notices.some((notice) => notice.kind === 'secret' && notice.subject === 'bob'));
});
