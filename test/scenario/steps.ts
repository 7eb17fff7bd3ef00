// What can happen in the scenario. Which step comes and what it does is the seed's alone.
import type { Step, Target } from './step.ts';
import * as documents from './steps-documents.ts';
import * as machines from './steps-machines.ts';
import type { World } from './world.ts';

const STEPS: readonly Step[] = [...Object.values(documents), ...Object.values(machines)];

/** Makes one step. */
export async function oneStep(world: World): Promise<string> {
  const possible = STEPS.map((step) => ({ step, targets: step.of(world) })).filter(({ targets }) => targets.length > 0);
  let at = world.random.below(possible.reduce((sum, { step }) => sum + step.weight, 0));
  for (const { step, targets } of possible) {
    if (at < step.weight) return step.act(world, world.random.pick(targets));
    at -= step.weight;
  }
  throw new Error('nothing is possible');
}

/** Everything that was taken away comes back. */
export async function restoreAll(world: World): Promise<void> {
  for (const one of [
    machines.goOn,
    machines.startServer,
    documents.newNamespace,
    documents.allow,
    documents.giveConfigMap,
    documents.mend,
    documents.spell,
    documents.list,
    machines.newStandby,
  ])
    for (let targets = one.of(world); targets.length > 0; targets = one.of(world)) await one.act(world, targets[0] as Target);
  while (world.replicas.running.size < 3) await world.replicas.start();
}
