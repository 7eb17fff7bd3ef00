// Large texts are read beside the loop: the outcome is the same, everything else goes on meanwhile, and what takes too much memory is refused alone.
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { ASIDE_LIMITS, aside, createAside } from '../../src/async/aside.ts';
import { parseInParts } from '../../src/document/parse.ts';
import { HOSTILE_DOCUMENTS } from '../support/hostile-documents.ts';

const never = new AbortController().signal;
const read = (text: string, run = aside, signal = never) => {
  const content = new TextEncoder().encode(text);
  return run('document', content.length, [content, 'users.yaml', 'postgres'], signal);
};
const users = (count: number): string =>
  `permissions:\n- {name: p, schemas: [s], tables: [a, b], actions: [SELECT]}\nusers:\n${Array.from({ length: count }, (_, index) => `- {username: u${index}, permissions: [p], roles: [r], validUntil: 2030-01-01, comment: ü}\n`).join('')}- {username: wrong, x: 1}\n`;
/** How often the loop turned while something was awaited. */
async function turnsDuring(work: Promise<unknown>): Promise<number> {
  let [turns, isOver] = [0, false];
  const turn = (): void => {
    turns += 1;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  await work.finally(() => (isOver = true));
  return turns;
}

it('a small document is read at once, and a large one while the loop turns', async () => {
  const small = users(10);
  expect(small.length).toBeLessThan(ASIDE_LIMITS.fromBytes);
  expect(await turnsDuring(read(small))).toBeLessThan(3);
  expect(await turnsDuring(read(users(2000)))).toBeGreaterThan(50);
});

it('whatever a document says, its outcome beside the loop is the one here, and entries that share rules still do', async () => {
  const hostile = ['unknown keys in many entries', 'merges of merges', 'lines of braces', 'databases × schemas × tables'];
  for (const text of [users(1000), ...hostile.map((name) => HOSTILE_DOCUMENTS[name]?.(ASIDE_LIMITS.fromBytes + 1) ?? '')]) {
    const there = await read(text);
    expect(there).toEqual(parseInParts(new TextEncoder().encode(text), 'users.yaml', 'postgres'));
  }
  const { users: found } = (await read(users(1000))).document;
  expect(new Set(found.map(({ rules }) => rules)).size).toBe(1);
});

it('what takes more memory than there is for it is refused alone, and what comes next is read', async () => {
  const little = createAside({ memoryMiB: 24 });
  const one = read(HOSTILE_DOCUMENTS['one cycle of memberships']?.(300_000) ?? '', little);
  const next = read(users(500), little);
  await expect(one).rejects.toThrow('takes more than 24 MiB of memory to be read; make it smaller');
  expect((await next).document.users).toHaveLength(500);
});

it('an abort ends it in the middle, and what comes next is read', async () => {
  const stop = new AbortController();
  const one = read(HOSTILE_DOCUMENTS['one cycle of memberships']?.(300_000) ?? '', aside, stop.signal);
  setImmediate(() => stop.abort(new Error('stopped')));
  await expect(one).rejects.toThrow('stopped');
  expect((await read(users(500))).document.users).toHaveLength(500);
});

const programOf = (source: string): URL => new URL(`data:text/javascript,${encodeURIComponent(`import { parentPort } from 'node:worker_threads'; ${source}`)}`);

it('a thread that ended after its answer is not asked again, and the next text is read', async () => {
  const once = createAside({ program: programOf(`parentPort.on('message', () => { parentPort.postMessage('read'); setImmediate(() => process.exit(1)); });`) });
  for (let asked = 0; asked < 20; asked += 1) {
    expect(await read(users(500), once)).toBe('read');
    // Its end is told at another moment each time, also while the next text is on its way.
    await sleep(asked * 2);
  }
});

it('a text that takes too long is not begun again in another thread', async () => {
  const second = createAside({
    ms: 3000,
    program: programOf(`let asked = 0; parentPort.on('message', () => { asked += 1; if (asked === 1) parentPort.postMessage('read'); });`),
  });
  expect(await read(users(500), second)).toBe('read');
  // A new thread would answer.
  await expect(read(users(500), second)).rejects.toThrow('takes more than 3 s');
});

it('a thread that does not answer is ended after its time, and told', async () => {
  const mute = createAside({ ms: 200, program: programOf(`parentPort.on('message', () => undefined);`) });
  await expect(read(users(500), mute)).rejects.toThrow('takes more than 0.2 s to be read; make it smaller');
});
