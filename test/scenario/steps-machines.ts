// What happens to replicas and servers in the scenario.
import { setTimeout as sleep } from 'node:timers/promises';
import { rememberPassword } from '../support/secrets.ts';
import { ADMIN } from './company.ts';
import { hasPlace, step, up, working } from './step.ts';

export const killReplica = step(
  3,
  (world) => (working(world).length > 1 && world.misspelt === undefined ? working(world) : []),
  async (world, name) => {
    // A new one would know nothing of a server whose entry is wrong.
    await world.replicas.end(name);
    return `kill -9 ${name}`;
  },
);
export const startReplica = step(
  5,
  (world) => (world.replicas.running.size < 3 ? ['one'] : []),
  async (world) => `a new replica ${await world.replicas.start()}`,
);
export const stopReplica = step(
  2,
  (world) => (world.stopped === undefined && working(world).length > 1 ? working(world) : []),
  async (world, name) => {
    world.replicas.get(name).process.kill('SIGSTOP');
    world.stopped = name;
    return `SIGSTOP ${name}`;
  },
);
export const goOn = step(
  3,
  (world) => (world.stopped === undefined ? [] : [world.stopped]),
  async (world, name) => {
    world.replicas.get(name).process.kill('SIGCONT');
    world.stopped = undefined;
    return `SIGCONT ${name}`;
  },
);

export const apiServerHangs = step(
  1,
  () => ['one'],
  async (world) => {
    const ms = 500 + world.random.below(6000);
    world.pauseApiServer(true);
    await sleep(ms);
    world.pauseApiServer(false);
    return `the API server stands still for ${ms} ms`;
  },
);
export const serverHangs = step(1, up, async (world, machine) => {
  const ms = 500 + world.random.below(10_000);
  machine.server.pause();
  await sleep(ms);
  machine.server.resume();
  return `the server ${machine.place.name} stands still for ${ms} ms`;
});

export const killServer = step(
  2,
  (world) => (world.machines.every(({ isUp }) => isUp) ? world.machines : []),
  async (_, machine) => {
    await machine.kill();
    return `kill -9 the server ${machine.place.name}`;
  },
);
export const startServer = step(
  5,
  (world) => world.machines.filter(({ isUp }) => !isUp),
  async (_, machine) => {
    await machine.start();
    return `the server ${machine.place.name} is back`;
  },
);
export const failOver = step(
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
export const newStandby = step(
  4,
  (world) => up(world).filter((machine) => machine.freeHost() !== undefined),
  async (_, machine) => {
    await machine.addStandby(machine.freeHost());
    return `${machine.place.name}: who was the primary is back, as a standby`;
  },
);

export const rotateAdmin = step(2, up, async (world, machine) => {
  machine.adminPassword = `the admin's password number ${world.nextNumber()}`;
  rememberPassword(machine.adminPassword);
  const isSecretFirst = world.random.oneIn(2);
  if (isSecretFirst) await world.adminSecret(machine);
  await sleep(world.random.below(1500));
  await machine.server.query(`ALTER ROLE ${ADMIN} PASSWORD '${machine.adminPassword.replaceAll("'", "''")}'`);
  await machine.replicated();
  await sleep(world.random.below(1500));
  if (!isSecretFirst) await world.adminSecret(machine);
  return `rotate the admin's password on ${machine.place.name}, ${isSecretFirst ? 'first in the Secret' : 'first on the server'}`;
});
