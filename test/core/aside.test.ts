// Large texts are read beside the loop: the outcome is the same, everything else goes on meanwhile, and what takes too much memory is refused alone.
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
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

/** Answers after so many milliseconds as the text says, which it uses up. */
const SLOW = programOf(`parentPort.on('message', ({ input: [content] }) => {
  const ms = Number(/^#(\\d+)/.exec(Buffer.from(content).toString())[1]);
  for (const end = performance.now() + ms; performance.now() < end;);
  parentPort.postMessage(ms);
});`);
const lasting = (ms: number): Uint8Array => Buffer.from(`#${ms}${' '.repeat(ASIDE_LIMITS.fromBytes)}`);
const ask = (run: ReturnType<typeof createAside>, whose: string, ms: number, signal = never): Promise<number> =>
  run('document', ASIDE_LIMITS.fromBytes + 1, [lasting(ms), 'users.yaml', 'postgres'], signal, whose) as unknown as Promise<number>;

describe('what several servers have', () => {
  it('is read beside what takes long, however much of that there is', async () => {
    const fair = createAside({ program: SLOW, ms: 60_000 });
    const stop = new AbortController();
    const hogs = ['a', 'a', 'b'].map((whose) => ask(fair, whose, 30_000, stop.signal).catch(() => undefined));
    await sleep(10);
    const began = performance.now();
    expect(await ask(fair, 'c', 1)).toBe(1);
    // That of b had the second thread for its second.
    expect(performance.now() - began).toBeLessThan(4000);
    const again = performance.now();
    for (let count = 0; count < 5; count += 1) expect(await ask(fair, 'c', 1)).toBe(1);
    expect(performance.now() - again).toBeLessThan(2000);
    stop.abort(new Error('stopped'));
    await Promise.all(hogs);
  });

  it('gets the large thread in turns, and what is cut off is read in the end', async () => {
    const fair = createAside({ program: SLOW, turnMs: 1600 });
    const done: string[] = [];
    const note = (name: string) => (): void => void done.push(name);
    const hog = ask(fair, 'a', 2500).then(note('a'));
    await sleep(10);
    // More than the second thread has for it.
    await ask(fair, 'b', 1300).then(note('b'));
    await hog;
    expect(done).toEqual(['b', 'a']);
  });

  it('is not read for ever because others wait: the turns that it had count', async () => {
    const fair = createAside({ program: SLOW, turnMs: 200, ms: 1000 });
    const stop = new AbortController();
    const others = async (): Promise<void> => {
      while (!stop.signal.aborted) await ask(fair, 'b', 900, stop.signal).catch(() => undefined);
    };
    const other = others();
    await expect(ask(fair, 'a', 30_000)).rejects.toThrow('takes more than 1 s to be read; make it smaller');
    stop.abort(new Error('stopped'));
    await other;
  });

  it('is taken back by an abort also while it waits', async () => {
    const fair = createAside({ program: SLOW });
    const [one, two] = [new AbortController(), new AbortController()];
    const first = ask(fair, 'a', 30_000, one.signal);
    const second = ask(fair, 'a', 1, two.signal);
    two.abort(new Error('second'));
    await expect(second).rejects.toThrow('second');
    one.abort(new Error('first'));
    await expect(first).rejects.toThrow('first');
    expect(await ask(fair, 'a', 1)).toBe(1);
  });
});
