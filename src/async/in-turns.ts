// Long work in turns: between two parts of it everything else has its own.
import { setImmediate as turn } from 'node:timers/promises';
import type { InParts } from '../model/in-parts.ts';

/** Runs it to its end. What it reads must not be changed by anybody before that. @throws what it throws. */
export async function inTurns<T>(work: InParts<T>): Promise<T> {
  for (;;) {
    const part = work.next();
    if (part.done === true) return part.value;
    await turn();
  }
}
