// What all servers keep together has a bound: whoever was looked at longest ago keeps nothing.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createKeptTogether } from '../../src/fleet/kept-together.ts';

it('beyond the bound those that were looked at longest ago release what they keep, and no more of them than it takes', () => {
  const kept = createKeptTogether(100, 50);
  const released: string[] = [];
  const note = (name: string, rows: number): void => kept.note(name, rows, () => void released.push(name));
  note('a', 40);
  note('b', 40);
  note('c', 20);
  expect([released, kept.rows]).toEqual([[], 100]);
  note('a', 40);
  note('d', 30);
  expect([released, kept.rows]).toEqual([['b'], 90]);
  note('b', 40);
  expect(released).toEqual(['b', 'c', 'a']);
  // One that is larger than all keeps its own, and is a large one from then on.
  note('e', 500);
  expect([kept.rows, kept.isLarge('e'), kept.isLarge('a')]).toEqual([500, true, false]);
  note('a', 1);
  expect(kept.rows).toBe(1);
  // What was released tells nothing of its size.
  note('e', 0);
  expect(kept.isLarge('e')).toBe(true);
  note('e', 3);
  expect(kept.isLarge('e')).toBe(false);
  kept.gone('e');
  expect(kept.rows).toBe(1);
});

it('whatever comes in whichever order, all together are within the bound, or are the last one alone', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 20 }), fc.nat(300)), { maxLength: 200 }), (steps) => {
      const kept = createKeptTogether(1000, 100);
      const holds = new Map<number, number>();
      for (const [server, rows] of steps) {
        holds.set(server, rows);
        kept.note(String(server), rows, () => void holds.set(server, 0));
        const sum = [...holds.values()].reduce((all, one) => all + one, 0);
        expect(sum).toBe(kept.rows);
        expect(sum <= 1000 || holds.get(server) === sum).toBe(true);
      }
    }),
  );
});
