// show: a saved plan in every output, also when it is stale: nothing but the file is read.
import { rendered } from './plan-output.ts';
import { EXIT_CODES } from './plan-view.ts';
import { readSavedPlan } from './saved-plan.ts';
import { type Given, type Program, say, UsageError } from './verb.ts';

/** @returns the exit code of the plan. @throws UsageError */
export async function show(given: Given, { stdout }: Program): Promise<number> {
  const [file, ...more] = given.operands;
  if (file === undefined || more.length > 0) throw new UsageError('show needs one file, which pgsteward plan --out has saved');
  const saved = await readSavedPlan(file);
  await say(stdout, rendered(saved, given, { stdout }));
  return EXIT_CODES[saved.view.result];
}
