// Between cycles: nothing is looked at while nobody writes, what comes alone is looked at at once, and of a server that is written all the time no more than the interval says.
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { watchDrift } from '../../src/steward/drift-watch.ts';

const GLANCE_MS = 5;

/** A watch that has so much to see. @returns how often it glanced and looked, and what it woke. */
async function watched(intervalMs: number, forMs: number, mayHaveDrifted: (glances: number) => boolean, finds = false) {
  let [glances, looks] = [0, 0];
  const woken: (string | undefined)[] = [];
  const stop = new AbortController();
  const looker = {
    mayHaveDrifted: async () => mayHaveDrifted((glances += 1)),
    lookForDrift: async () => {
      looks += 1;
      return { cluster: finds, databases: finds ? ['shop'] : [] };
    },
  };
  const began = performance.now();
  const watching = watchDrift(intervalMs / 1000, looker, { request: (cause, database) => void woken.push(database ?? cause) }, stop.signal, GLANCE_MS);
  await sleep(forMs);
  stop.abort();
  await watching;
  return { glances, looks, woken, ms: performance.now() - began };
}

it('while no transaction ends it only glances', async () => {
  const { glances, looks, woken } = await watched(20, 300, () => false);
  expect(glances).toBeGreaterThan(3);
  expect([looks, woken]).toEqual([0, []]);
});

it('of a server that is written all the time there is one look in each interval', async () => {
  const { looks, ms } = await watched(50, 500, () => true);
  expect(looks).toBeGreaterThan(2);
  expect(looks).toBeLessThanOrEqual(ms / 50);
});

it('what comes after a quiet time is looked at when it comes, one after the other, and wakes', async () => {
  const { looks, woken } = await watched(100, 700, (glances) => glances === 5 || glances === 6, true);
  expect(looks).toBe(2);
  expect(woken).toEqual(['cluster', 'shop', 'cluster', 'shop']);
});

it('with 0 it never looks', async () => {
  expect(await watched(0, 30, () => true)).toMatchObject({ glances: 0, looks: 0 });
});
