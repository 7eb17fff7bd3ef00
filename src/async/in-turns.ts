// Long work in turns: between two parts of it everything else has its own, and what is short goes first.
import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import type { InParts } from '../model/in-parts.ts';

/** Long work waits no longer than this between two parts, whatever else there is. */
const YIELDS_MS = 50;

/** What takes longer waits for something else. */
const SHORT_MS = 1000;

/** Whether what runs is a short piece of work itself, which waits for no other. */
const within = new AsyncLocalStorage<'short'>();
let short = 0;
let whenNone: PromiseWithResolvers<void> | undefined;

/** Work that is short, and that long work makes room for until it has ended, or turns out to be long. @throws what it throws. */
export async function goingFirst<T>(work: () => Promise<T>): Promise<T> {
  let counts = true;
  const over = (): void => {
    if (!counts) return;
    counts = false;
    short -= 1;
    if (short > 0) return;
    whenNone?.resolve();
    whenNone = undefined;
  };
  short += 1;
  const timer = setTimeout(over, SHORT_MS);
  try {
    return await within.run('short', work);
  } finally {
    clearTimeout(timer);
    over();
  }
}

async function makeRoom(): Promise<void> {
  whenNone ??= Promise.withResolvers();
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([whenNone.promise, new Promise<void>((resolve) => (timer = setTimeout(resolve, YIELDS_MS)))]);
  clearTimeout(timer);
}

/** Runs it to its end. What it reads must not be changed by anybody before that. @throws what it throws. */
export async function inTurns<T>(work: InParts<T>): Promise<T> {
  for (;;) {
    const part = work.next();
    if (part.done === true) return part.value;
    await betweenParts();
  }
}

/** Between two parts of long work: everything else has its turn. */
export async function betweenParts(): Promise<void> {
  await turn();
  if (short > 0 && within.getStore() !== 'short') await makeRoom();
}
