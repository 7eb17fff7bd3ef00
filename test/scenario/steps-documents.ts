// What operator and teams do in the scenario: to documents, Secrets, rights, namespaces and servers.yaml.
import { hand } from './by-hand.ts';
import { TEAMS } from './company.ts';
import { NOTHING_REFUSED } from './documents.ts';
import { allSettled, hasPlace, named, settledTeams, step, takable, up } from './step.ts';

export const edit = step(
  10,
  (world) => world.sources.filter(hasPlace(world)),
  async (world, source) => {
    world.edit(source);
    await world.publish(source);
    return `edit ${named(source)}`;
  },
);
export const spoil = step(
  2,
  (world) => world.sources.filter((source) => hasPlace(world)(source) && source.isSettled && allSettled(world, source)),
  async (world, source) => {
    world.spoil(source);
    await world.publish(source);
    return `${named(source)} says what it may not: ${JSON.stringify(source.refused)}`;
  },
);
export const mend = step(
  4,
  (world) => world.sources.filter((source) => hasPlace(world)(source) && source.refused !== NOTHING_REFUSED),
  async (world, source) => {
    source.refused = NOTHING_REFUSED;
    await world.publish(source);
    return `mend ${named(source)}`;
  },
);
export const rotate = step(
  5,
  (world) => world.sources.filter((source) => world.isReadable(source)),
  async (world, source) => {
    const users = source.said.users.filter(({ passwordSecretRef }) => passwordSecretRef !== undefined);
    const { username } = world.random.pick(users);
    await world.putSecret(source, username);
    return `rotate the Secret of ${username} on ${source.machine.place.name}`;
  },
);

export const forbid = step(
  2,
  (world) => settledTeams(world, (team) => world.teamOf(team).right),
  async (world, team) => {
    world.teamOf(team).right = false;
    await world.teamOf(team).kube.forbid();
    return `${team} takes the RoleBinding away`;
  },
);
export const allow = step(
  4,
  (world) => TEAMS.filter((team) => world.teamOf(team).namespace && !world.teamOf(team).right),
  async (world, team) => {
    world.teamOf(team).right = true;
    await world.teamOf(team).kube.allow();
    return `${team} gives the RoleBinding back`;
  },
);
export const takeConfigMap = step(2, takable, async (world, source) => {
  await world.takeAway(source);
  source.configMap = 'gone';
  return `delete the ConfigMap of ${named(source)}`;
});
export const relabel = step(
  2,
  (world) => takable(world).filter(({ team }) => team !== undefined),
  async (world, source) => {
    source.configMap = 'relabelled';
    await world.publish(source);
    return `relabel the ConfigMap of ${named(source)}`;
  },
);
export const giveConfigMap = step(
  6,
  (world) => world.sources.filter((source) => source.configMap !== 'there' && (source.team === undefined || world.teamOf(source.team).namespace)),
  async (world, source) => {
    source.configMap = 'there';
    await world.publish(source);
    return `the ConfigMap of ${named(source)} is back`;
  },
);
export const endNamespace = step(
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
export const newNamespace = step(
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

export const unlist = step(
  1,
  (world) =>
    up(world).filter((machine) => machine !== world.misspelt && world.listed.has(machine) && world.sourcesOf(machine).every(({ isSettled }) => isSettled)),
  async (world, machine) => {
    world.listed.delete(machine);
    await world.declareServers();
    return `take ${machine.place.name} out of servers.yaml`;
  },
);
export const list = step(
  4,
  (world) => world.machines.filter((machine) => !world.listed.has(machine)),
  async (world, machine) => {
    world.listed.add(machine);
    await world.declareServers();
    return `${machine.place.name} is in servers.yaml again`;
  },
);

export const misspell = step(
  1,
  (world) => (world.misspelt === undefined ? up(world).filter((machine) => world.listed.has(machine)) : []),
  async (world, machine) => {
    world.misspelt = machine;
    await world.declareServers();
    return `the entry of ${machine.place.name} in servers.yaml is wrong`;
  },
);
export const spell = step(
  4,
  (world) => (world.misspelt === undefined ? [] : [world.misspelt]),
  async (world, machine) => {
    world.misspelt = undefined;
    await world.declareServers();
    return `the entry of ${machine.place.name} is right again`;
  },
);
export const byHand = step(
  8,
  (world) => up(world).filter((machine) => world.listed.has(machine) && world.isCalm(machine)),
  (world, machine) => hand(world, machine),
);
