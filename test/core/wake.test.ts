// The loop's wake-ups: joined when they come together, never lost, and gone with the wait that they ended.
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { WakeCause, Woken } from '../../src/model/wake.ts';
import { type Clock, createWake, runLoop, type Wake } from '../../src/steward/loop.ts';

test('500 requests that come together lead to one cycle, which knows all of their causes', async () => {
  const wake = createWake();
  const stop = new AbortController();
  const cycles: Woken[] = [];
  const running = runLoop({ wake, signal: stop.signal, interval: 60, cycle: async (_signal, woken) => cycles.push(woken) > 0 });
  await sleep(20);
  for (let at = 0; at < 500; at += 1) {
    wake.request('secret');
    if (at % 50 === 0) await sleep(10);
  }
  wake.request('database', 'shop');
  await expect.poll(() => cycles.length, { timeout: 5000 }).toBe(2);
  await sleep(300);
  expect(cycles).toHaveLength(2);
  expect(cycles[1]).toEqual({ causes: new Set(['secret', 'database']), databases: new Set(['shop']), requests: 501, everything: false });
  stop.abort();
  await running;
});

test('a request during a cycle leads to exactly one more', async () => {
  const wake = createWake();
  const stop = new AbortController();
  let cycles = 0;
  const running = runLoop({
    wake,
    signal: stop.signal,
    interval: 60,
    cycle: async () => {
      cycles += 1;
      if (cycles === 1) for (const _ of [1, 2, 3]) wake.request('document');
      await sleep(30);
      return true;
    },
  });
  await expect.poll(() => cycles, { timeout: 5000 }).toBe(2);
  await sleep(400);
  expect(cycles).toBe(2);
  stop.abort();
  await running;
});

test('requests that never end are answered all the same', async () => {
  const wake = createWake();
  const spam = setInterval(() => wake.request('database', 'shop'), 20);
  const began = performance.now();
  const woken = await wake.wait(performance.now() + 60_000, new AbortController().signal);
  clearInterval(spam);
  expect(woken.causes).toEqual(new Set(['database']));
  expect(performance.now() - began).toBeLessThan(4000);
});

test('without any request a wait ends after its time, with nothing that woke it', async () => {
  expect(await createWake().wait(performance.now() + 30, new AbortController().signal)).toEqual({ causes: new Set(), databases: new Set(), requests: 0 });
});

/** Time that passes only when it is told to, a millisecond after the other. */
function stoppedClock(): Clock & { pass(ms: number, each?: (now: number) => void): Promise<void> } {
  let now = 0;
  const sleepers = new Set<{ readonly at: number; readonly wake: () => void }>();
  return {
    now: () => now,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        const sleeper = { at: now + ms, wake: resolve };
        sleepers.add(sleeper);
        signal.addEventListener('abort', () => resolve(), { once: true });
      }),
    pass: async (ms, each = () => undefined) => {
      // Whatever was begun at this moment goes on at this moment: no time passes before it waits.
      await new Promise((resolve) => setImmediate(resolve));
      for (const end = now + ms; now < end;) {
        now += 1;
        each(now);
        for (const sleeper of sleepers)
          if (sleeper.at <= now) {
            sleepers.delete(sleeper);
            sleeper.wake();
          }
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}

/** A loop by such a clock: when each cycle began, and why. */
function timed(interval: number, options: { readonly isDone?: (at: number) => boolean; readonly retryIn?: () => number | undefined } = {}) {
  const clock = stoppedClock();
  const wake = createWake(clock);
  const stop = new AbortController();
  const cycles: (Woken & { readonly at: number })[] = [];
  const running = runLoop({
    wake,
    interval,
    signal: stop.signal,
    retryIn: options.retryIn ?? (() => undefined),
    cycle: async (_signal, woken) => {
      cycles.push({ ...woken, at: clock.now() });
      return options.isDone?.(clock.now()) ?? true;
    },
  });
  const end = async (): Promise<void> => {
    stop.abort();
    await running;
  };
  return { clock, wake, cycles, end };
}
const gaps = (times: readonly number[]): number[] => times.slice(1).map((time, index) => time - (times[index] ?? 0));
/** Asks every so many milliseconds. */
const spam =
  (wake: Wake, every: number, cause: WakeCause, database?: string) =>
  (now: number): void => {
    if (now % every === 0) wake.request(cause, database);
  };

test.each([
  ['a notification every 100 ms', 100, 'database', 'noisy'],
  ['a notification every 7 ms', 7, 'database', 'noisy'],
  ['a notification every second', 1000, 'database', 'noisy'],
  ['events of Secrets every 150 ms', 150, 'secret', undefined],
  ['events of the ConfigMap every 300 ms', 300, 'document', undefined],
  ['a cluster that changes every 5 s', 5000, 'cluster', undefined],
] as const)('%s does not put off the look at everything', async (_name, every, cause, database) => {
  const { clock, wake, cycles, end } = timed(10);
  await clock.pass(65_000, spam(wake, every, cause, database));
  await end();
  const looks = cycles.filter(({ everything }) => everything).map(({ at }) => at);
  expect(Math.max(...gaps(looks))).toBeLessThanOrEqual(10_000);
  expect(looks.length).toBeGreaterThanOrEqual(6);
  expect(looks.length).toBeLessThanOrEqual(9);
  expect(cycles.length).toBeGreaterThan(looks.length);
});

test('retries that never work do not put it off either', async () => {
  const { clock, wake, cycles, end } = timed(10, { retryIn: () => 300 });
  await clock.pass(35_000, spam(wake, 100, 'database', 'noisy'));
  await end();
  expect(Math.max(...gaps(cycles.filter(({ everything }) => everything).map(({ at }) => at)))).toBeLessThanOrEqual(10_000);
});

test.each([7, 50, 100, 150, 500, 1999])('notifications every %i ms lead to one look in two seconds, and none is lost', async (every) => {
  const { clock, wake, cycles, end } = timed(3600);
  await clock.pass(60_000, spam(wake, every, 'database', 'noisy'));
  await clock.pass(5000);
  await end();
  const looks = cycles.filter(({ everything }) => !everything);
  expect(Math.min(...gaps(looks.map(({ at }) => at)))).toBeGreaterThanOrEqual(2000);
  expect(looks.length).toBeGreaterThanOrEqual(14);
  expect(looks.reduce((sum, { requests }) => sum + requests, 0)).toBe(Math.floor(60_000 / every));
});

test('a notification after a quiet time, and whatever else than notifications asks, is answered at once', async () => {
  const { clock, wake, cycles, end } = timed(3600);
  await clock.pass(10_000, (now) => {
    if (now === 5000 || now === 5300) wake.request('database', 'shop');
    if (now === 5600) wake.request('document');
    if (now === 6000) wake.request('signal');
  });
  await end();
  expect(cycles.map(({ at, causes, everything }) => [at, [...causes], everything])).toEqual([
    [0, [], true],
    [5100, ['database'], false],
    // It takes the other notification with it.
    [5700, ['database', 'document'], false],
    [6100, ['signal'], true],
  ]);
});

test('after a cycle that failed the next one looks at everything, whatever wakes it', async () => {
  const { clock, wake, cycles, end } = timed(3600, { isDone: (at) => at === 0 });
  await clock.pass(20_000, (now) => {
    if (now === 5000 || now === 10_000) wake.request('database', 'shop');
  });
  await end();
  expect(cycles.map(({ everything }) => everything)).toEqual([true, false, true]);
});
