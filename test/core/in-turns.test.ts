// Long work makes room for short work, and is not held up by what only seems to be short.
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { goingFirst, inTurns } from '../../src/async/in-turns.ts';
import type { InParts } from '../../src/model/in-parts.ts';

function* parts(count: number, note: () => void): InParts<string> {
  for (let part = 0; part < count; part += 1) {
    note();
    yield;
  }
  return 'done';
}

it('between two parts of long work short work has all the turns that it needs, and works in parts itself', async () => {
  let made = 0;
  const long = inTurns(parts(1000, () => (made += 1)));
  await sleep(0);
  const before = made;
  await goingFirst(async () => {
    for (let turn = 0; turn < 5; turn += 1) await sleep(2);
    expect(await inTurns(parts(20, () => undefined))).toBe('done');
  });
  // A part at most for the turn that was under way, and one each time that the patience is over.
  expect(made - before).toBeLessThan(5);
  expect(await long).toBe('done');
});

it('what fails, or takes long, holds up nothing any more', async () => {
  await expect(goingFirst(() => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
  let end = (): void => undefined;
  const hangs = goingFirst(() => new Promise<void>((resolve) => (end = resolve)));
  const began = performance.now();
  expect(await inTurns(parts(3, () => undefined))).toBe('done');
  expect(performance.now() - began).toBeGreaterThan(100);
  await sleep(1100);
  let made = 0;
  const long = inTurns(parts(1000, () => (made += 1)));
  expect(await long).toBe('done');
  expect(made).toBe(1000);
  end();
  await hangs;
});
