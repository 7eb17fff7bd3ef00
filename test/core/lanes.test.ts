// Lanes: how many begin at a time, in which order, and who makes room.
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createLanes } from '../../src/async/lanes.ts';

const never = new AbortController().signal;

it('so many begin at a time, in the order in which they asked', async () => {
  const { inTurn } = createLanes(2, 60_000);
  const began: number[] = [];
  const ends: (() => void)[] = [];
  const all = [0, 1, 2, 3].map((number) => inTurn(() => new Promise<void>((resolve) => void (began.push(number), ends.push(resolve))), never));
  await sleep(5);
  expect(began).toEqual([0, 1]);
  ends[1]?.();
  await sleep(5);
  expect(began).toEqual([0, 1, 2]);
  ends[0]?.();
  await sleep(5);
  ends.forEach((end) => end());
  await sleep(5);
  ends.forEach((end) => end());
  await Promise.all(all);
  expect(began).toEqual([0, 1, 2, 3]);
});

it('what takes long makes room, and does so once', async () => {
  const { inTurn } = createLanes(1, 20);
  const began: string[] = [];
  let end = (): void => undefined;
  const hangs = inTurn(() => new Promise<void>((resolve) => (end = resolve)), never);
  await inTurn(async () => void began.push('second'), never);
  end();
  await hangs;
  // Still one at a time.
  let running = 0;
  await Promise.all(
    Array.from({ length: 5 }, () =>
      inTurn(async () => {
        running += 1;
        expect(running).toBe(1);
        await sleep(1);
        running -= 1;
      }, never),
    ),
  );
  expect(began).toEqual(['second']);
});

it('whoever is told to stop while it waits leaves its place, and work that fails gives its turn back', async () => {
  const { inTurn } = createLanes(1, 60_000);
  let end = (): void => undefined;
  const first = inTurn(() => new Promise<void>((resolve) => (end = resolve)), never);
  const stop = new AbortController();
  const second = inTurn(async () => 'never', stop.signal);
  stop.abort(new Error('stopped'));
  await expect(second).rejects.toThrow('stopped');
  end();
  await first;
  await expect(inTurn(() => Promise.reject(new Error('failed')), never)).rejects.toThrow('failed');
  expect(await inTurn(async () => 'third', never)).toBe('third');
});
