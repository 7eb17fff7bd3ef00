// Side-by-side work: what is given back, in which order, and that nothing goes on when it has ended.
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { anySideBySide, sideBySide } from '../../src/async/side-by-side.ts';

it('results come in the order of the items, whichever was done first', async () => {
  const found = await sideBySide(5, [50, 1, 30, 5, 20, 2], async (ms) => {
    await sleep(ms);
    return ms;
  });
  expect(found).toEqual([50, 1, 30, 5, 20, 2]);
});

it('one item of which it holds is found, whatever the others answer and whenever', async () => {
  for (let at = 0; at < 20; at += 1) {
    const items = Array.from({ length: 20 }, (_, index) => index);
    const holds = async (item: number): Promise<boolean> => {
      await sleep(Math.random() * 5);
      return item === at;
    };
    expect(await anySideBySide(5, items, holds)).toBe(true);
  }
  expect(await anySideBySide(5, [1, 2, 3], async () => false)).toBe(false);
});

it('nothing is asked any more once one is found', async () => {
  const asked: number[] = [];
  expect(
    await anySideBySide(2, [1, 2, 3, 4, 5, 6], async (item) => {
      asked.push(item);
      await sleep(item);
      return item === 1;
    }),
  ).toBe(true);
  expect(asked).toEqual([1, 2]);
});

it('after a failure nothing is begun, and it is thrown when everything that had begun has ended', async () => {
  const began: number[] = [];
  const ended: number[] = [];
  const work = async (item: number): Promise<void> => {
    began.push(item);
    await sleep(item === 1 ? 5 : 40);
    if (item === 1) throw new Error('the first failure');
    ended.push(item);
    if (item === 3) throw new Error('a later one');
  };
  await expect(sideBySide(3, [2, 1, 3, 4, 5, 6], work)).rejects.toThrow('the first failure');
  expect({ began, ended }).toEqual({ began: [2, 1, 3], ended: [2, 3] });
  await sleep(100);
  expect(began).toEqual([2, 1, 3]);
});
