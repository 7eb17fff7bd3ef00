// The loop's wake-ups: joined when they come together, never lost, and gone with the wait that they ended.
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createWake, runLoop, type Woken } from '../../src/loop.ts';

test('500 requests that come together lead to one cycle, which knows all of their causes', async () => {
  const wake = createWake();
  const stop = new AbortController();
  const cycles: Woken[] = [];
  const running = runLoop({ wake, signal: stop.signal, interval: 60, cycle: async (_signal, woken) => void cycles.push(woken) });
  await sleep(20);
  for (let at = 0; at < 500; at += 1) {
    wake.request('secret');
    if (at % 50 === 0) await sleep(10);
  }
  wake.request('database', 'shop');
  await expect.poll(() => cycles.length, { timeout: 5000 }).toBe(2);
  await sleep(300);
  expect(cycles).toHaveLength(2);
  expect(cycles[1]).toEqual({ causes: new Set(['secret', 'database']), databases: new Set(['shop']), requests: 501 });
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
  const woken = await wake.wait(60_000, new AbortController().signal);
  clearInterval(spam);
  expect(woken.causes).toEqual(new Set(['database']));
  expect(performance.now() - began).toBeLessThan(4000);
});

test('without any request a wait ends after its time, with nothing that woke it', async () => {
  expect(await createWake().wait(30, new AbortController().signal)).toEqual({ causes: new Set(), databases: new Set(), requests: 0 });
});
