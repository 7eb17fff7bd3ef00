// What can happen in the scenario: each step says what it did, or that it has no place at present. Which one comes and what it does is the seed's alone.
import { setTimeout as sleep } from 'node:timers/promises';
import { hand } from './by-hand.ts';
import { TEAMS, type Team } from './company.ts';
import { NOTHING_REFUSED } from './documents.ts';
import type { Machine } from './machine.ts';
import type { Source, World } from './world.ts';

interface Step {
  readonly weight: number;
  /** Those that it can be done to. */
  readonly of: (world: World) => readonly Target[];
  readonly act: (world: World, target: Target) => Promise<string>;
}
/** A team or a replica by its name. */
type Target = Source | Machine | string;

const step = <T extends Target>(weight: number, of: (world: World) => readonly T[], act: (world: World, target: T) => Promise<string>): Step => ({
  weight,
  of,
  act: act as Step['act'],
});

const named = ({ machine, team }: Source): string => `${machine.place.name}/${team ?? 'operator'}`;
const hasPlace =
  (world: World) =>
  (source: Source): boolean =>
    source.configMap !== 'gone' && (source.team === undefined || world.teamOf(source.team).namespace);
const up = (world: World): readonly Machine[] => world.machines.filter(({ isUp }) => isUp);
/** What is in force of a team is known on every server. */
const settledTeams = (world: World, accept: (team: Team) => boolean): readonly Team[] =>
  TEAMS.filter((team) => accept(team) && world.sources.every((source) => source.team !== team || allSettled(world, source)));
/** Also of those that share something with it. */
const allSettled = (world: World, { machine }: Source): boolean => world.sourcesOf(machine).every(({ isSettled, team }) => isSettled || team === undefined);
const takable = (world: World): readonly Source[] =>
  world.sources.filter((source) => world.isReadable(source) && source.isSettled && allSettled(world, source));
const working = (world: World): readonly string[] => [...world.replicas.running.keys()].filter((name) => name !== world.stopped);

const edit = step(
  10,
  (world) => world.sources.filter(hasPlace(world)),
  async (world, source) => {
    world.edit(source);
    await world.publish(source);
    return `edit ${named(source)}`;
  },
);
const spoil = step(
  2,
  (world) => world.sources.filter((source) => hasPlace(world)(source) && source.isSettled && allSettled(world, source)),
  async (world, source) => {
    world.spoil(source);
    await world.publish(source);
    return `${named(source)} says what it may not: ${JSON.stringify(source.refused)}`;
  },
);
const mend = step(
  4,
  (world) => world.sources.filter((source) => hasPlace(world)(source) && source.refused !== NOTHING_REFUSED),
  async (world, source) => {
    source.refused = NOTHING_REFUSED;
    await world.publish(source);
    return `mend ${named(source)}`;
  },
);
const rotate = step(
  5,
  (world) => world.sources.filter((source) => world.isReadable(source)),
  async (world, source) => {
    const users = source.said.users.filter(({ passwordSecretRef }) => passwordSecretRef !== undefined);
    const { username } = world.random.pick(users);
    await world.putSecret(source, username);
    return `rotate the Secret of ${username} on ${source.machine.place.name}`;
  },
);

const killReplica = step(
  3,
  (world) => (working(world).length > 1 ? working(world) : []),
  async (world, name) => {
    await world.replicas.end(name);
    return `kill -9 ${name}`;
  },
);
const startReplica = step(
  5,
  (world) => (world.replicas.running.size < 3 ? ['one'] : []),
  async (world) => `a new replica ${await world.replicas.start()}`,
);
const stopReplica = step(
  2,
  (world) => (world.stopped === undefined && working(world).length > 1 ? working(world) : []),
  async (world, name) => {
    world.replicas.get(name).process.kill('SIGSTOP');
    world.stopped = name;
    return `SIGSTOP ${name}`;
  },
);
const goOn = step(
  3,
  (world) => (world.stopped === undefined ? [] : [world.stopped]),
  async (world, name) => {
    world.replicas.get(name).process.kill('SIGCONT');
    world.stopped = undefined;
    return `SIGCONT ${name}`;
  },
);

const killServer = step(
  2,
  (world) => (world.machines.every(({ isUp }) => isUp) ? world.machines : []),
  async (_, machine) => {
    await machine.kill();
    return `kill -9 the server ${machine.place.name}`;
  },
);
const startServer = step(
  5,
  (world) => world.machines.filter(({ isUp }) => !isUp),
  async (_, machine) => {
    await machine.start();
    return `the server ${machine.place.name} is back`;
  },
);
const failOver = step(
  3,
  (world) => up(world).filter(({ standby }) => standby !== undefined),
  async (world, machine) => {
    const isLost = world.random.oneIn(2);
    const source = world.sourcesOf(machine).find((one) => one.team === undefined && hasPlace(world)(one));
    if (!isLost || source === undefined) await machine.replicated();
    else {
      await machine.cutOff();
      world.edit(source);
      await world.publish(source);
      // Long enough that it is in force there, mostly.
      await sleep(2000);
    }
    world.unsettle(machine);
    await machine.failOver();
    return `${machine.place.name} fails over to its standby${isLost ? ', and what was written last is lost' : ''}`;
  },
);
const newStandby = step(
  4,
  (world) => up(world).filter((machine) => machine.freeHost() !== undefined),
  async (_, machine) => {
    await machine.addStandby(machine.freeHost());
    return `${machine.place.name}: who was the primary is back, as a standby`;
  },
);

const forbid = step(
  2,
  (world) => settledTeams(world, (team) => world.teamOf(team).right),
  async (world, team) => {
    world.teamOf(team).right = false;
    await world.teamOf(team).kube.forbid();
    return `${team} takes the RoleBinding away`;
  },
);
const allow = step(
  4,
  (world) => TEAMS.filter((team) => world.teamOf(team).namespace && !world.teamOf(team).right),
  async (world, team) => {
    world.teamOf(team).right = true;
    await world.teamOf(team).kube.allow();
    return `${team} gives the RoleBinding back`;
  },
);
const takeConfigMap = step(2, takable, async (world, source) => {
  await world.takeAway(source);
  source.configMap = 'gone';
  return `delete the ConfigMap of ${named(source)}`;
});
const relabel = step(
  2,
  (world) => takable(world).filter(({ team }) => team !== undefined),
  async (world, source) => {
    source.configMap = 'relabelled';
    await world.publish(source);
    return `relabel the ConfigMap of ${named(source)}`;
  },
);
const giveConfigMap = step(
  6,
  (world) => world.sources.filter((source) => source.configMap !== 'there' && (source.team === undefined || world.teamOf(source.team).namespace)),
  async (world, source) => {
    source.configMap = 'there';
    await world.publish(source);
    return `the ConfigMap of ${named(source)} is back`;
  },
);
const endNamespace = step(
  1,
  (world) => settledTeams(world, (team) => world.teamOf(team).namespace && world.teamOf(team).right),
  async (world, team) => {
    const state = world.teamOf(team);
    [state.namespace, state.right] = [false, false];
    for (const source of world.sources) if (source.team === team) source.configMap = 'gone';
    await state.kube.end();
    return `delete the namespace of ${team}`;
  },
);
const newNamespace = step(
  4,
  (world) => TEAMS.filter((team) => !world.teamOf(team).namespace),
  async (world, team) => {
    const state = world.teamOf(team);
    await state.kube.begin();
    for (const source of world.sources)
      if (source.team === team) {
        source.configMap = 'there';
        for (const username of source.passwords.keys()) await world.writeSecret(source, username);
        await world.publish(source);
      }
    await state.kube.allow();
    [state.namespace, state.right] = [true, true];
    return `make the namespace of ${team} again`;
  },
);

const unlist = step(
  1,
  (world) => up(world).filter((machine) => world.listed.has(machine) && world.sourcesOf(machine).every(({ isSettled }) => isSettled)),
  async (world, machine) => {
    world.listed.delete(machine);
    await world.declareServers();
    return `take ${machine.place.name} out of servers.yaml`;
  },
);
const list = step(
  4,
  (world) => world.machines.filter((machine) => !world.listed.has(machine)),
  async (world, machine) => {
    world.listed.add(machine);
    await world.declareServers();
    return `${machine.place.name} is in servers.yaml again`;
  },
);

const byHand = step(
  8,
  (world) => up(world).filter((machine) => world.listed.has(machine) && world.isCalm(machine)),
  (world, machine) => hand(world, machine),
);

const STEPS = {
  edit,
  spoil,
  mend,
  rotate,
  killReplica,
  startReplica,
  stopReplica,
  goOn,
  killServer,
  startServer,
  failOver,
  newStandby,
  forbid,
  allow,
  takeConfigMap,
  relabel,
  giveConfigMap,
  endNamespace,
  newNamespace,
  unlist,
  list,
  byHand,
} as const;

/** Makes one step. */
export async function oneStep(world: World): Promise<string> {
  const possible = Object.values(STEPS)
    .map((step) => ({ step, targets: step.of(world) }))
    .filter(({ targets }) => targets.length > 0);
  let at = world.random.below(possible.reduce((sum, { step }) => sum + step.weight, 0));
  for (const { step, targets } of possible) {
    if (at < step.weight) return step.act(world, world.random.pick(targets));
    at -= step.weight;
  }
  throw new Error('nothing is possible');
}

/** Everything that was taken away comes back. */
export async function restoreAll(world: World): Promise<void> {
  for (const one of [goOn, startServer, newNamespace, allow, giveConfigMap, mend, list, newStandby])
    for (let targets = one.of(world); targets.length > 0; targets = one.of(world)) await one.act(world, targets[0] as Target);
  while (world.replicas.running.size < 3) await world.replicas.start();
}
