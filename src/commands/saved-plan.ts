// A saved plan: the file of `plan --out`. It holds what is shown of the plan and what it holds for, and no password or verifier.
import { readRegularText, RefusedFile } from '../files/bounded-file.ts';
import { digestOf } from '../model/digest.ts';
import { writeOwnFile } from '../state/own-file.ts';
import { reasonOf } from './inputs.ts';
import { whyNotWritten } from './out-file.ts';
import type { Bound } from './plan-bound.ts';
import type { ScriptPart } from './plan-script.ts';
import type { PlanView } from './plan-view.ts';
import { UsageError } from './verb.ts';

export interface SavedPlan {
  readonly bound: Bound;
  readonly view: PlanView;
  readonly script: readonly ScriptPart[];
}

/** More is not read: 100,000 changes take 50 MB. */
const LARGEST = 256 * 1024 * 1024;

/** Writes the file, for our account alone. @throws UsageError where that is not to be had. */
export async function writeSavedPlan(path: string, { bound, view, script }: SavedPlan): Promise<void> {
  try {
    const held = { bound, view, script };
    await writeOwnFile(path, `${JSON.stringify({ format: 'pgsteward plan', version: 1, digest: heldDigest(held), ...held })}\n`);
  } catch (error) {
    throw new UsageError(`the plan cannot be saved as ${path}: ${whyNotWritten(error)}`);
  }
}

/**
 * Of what a file holds, and of nothing secret: it tells a file that was damaged, merged or edited, and not who wrote it. Whoever means to deceive makes it anew.
 */
const heldDigest = ({ bound, view, script }: Record<'bound' | 'view' | 'script', unknown>): string => digestOf([bound, view, script]);

/** @throws UsageError where the file holds no plan, or another one than was saved. */
export async function readSavedPlan(path: string): Promise<SavedPlan> {
  const found = await read(path);
  // Loaded only where it is needed: whoever plans does not read one.
  const { SAVED_PLAN } = await import('./saved-plan-shape.ts');
  const parsed = SAVED_PLAN.safeParse(found);
  if (parsed.success && heldDigest(found as SavedPlan) !== parsed.data.digest)
    throw new UsageError(`the plan ${path} was changed since it was saved; pgsteward plan --out FILE saves another`);
  if (!parsed.success) throw new UsageError(`the file ${path} is no plan that this version saved; pgsteward plan --out FILE saves one`);
  return parsed.data;
}

async function read(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readRegularText(path, LARGEST));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    if (error instanceof RefusedFile) throw new UsageError(`the plan ${path} ${error.message}`);
    throw new UsageError(`the plan ${path} cannot be read: ${reasonOf((error as NodeJS.ErrnoException).code)}`);
  }
}
