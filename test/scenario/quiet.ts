// A quiet moment of the scenario: every server that can be reached becomes what is declared, stays so, and what is somebody else's is as it was.
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { logsIn } from '../support/logs-in.ts';
import { readActual } from './actual.ts';
import { differences } from './expected.ts';
import type { Machine } from './machine.ts';
import type { World } from './world.ts';

/** How long it may take until everything is as declared. */
const PATIENCE = Number(process.env['PATIENCE'] ?? 240) * 1000;

/** Until every server that can be reached is as declared, and everything that was said has been heard. */
export async function quiet(world: World): Promise<void> {
  const began = performance.now();
  for (const [name, daemon] of world.replicas.running) expect([name, daemon.process.exitCode]).toEqual([name, null]);
  // All sources are heard again by the cycle that does this; only then what must have no effect can have had none.
  for (const source of world.sources) if (source.team === undefined && world.isReadable(source) && world.listed.has(source.machine)) await world.mark(source);
  for (const source of world.sources)
    if (world.listed.has(source.machine) && source.machine.isUp && world.isReadable(source)) {
      source.inForce = source.said;
      for (const [username, password] of source.passwords) source.passwordsInForce.set(username, password);
    }
  for (const machine of world.machines) if (machine.isUp) await asDeclared(world, machine, began);
  for (const machine of world.machines)
    if (machine.isUp) {
      expect(await wrongOn(world, machine), `${machine.place.name} later`).toEqual([]);
      if (world.listed.has(machine)) for (const source of world.sourcesOf(machine)) source.isSettled = world.isReadable(source);
      await machine.replicated();
    }
  world.waits.push(performance.now() - began);
}

async function asDeclared(world: World, machine: Machine, began: number): Promise<void> {
  let late: string | undefined;
  const seconds = (): string => ((performance.now() - began) / 1000).toFixed(1);
  for (;;) {
    const wrong = await wrongOn(world, machine).catch((error: unknown) => [String(error)]);
    if (wrong.length === 0) {
      if (late !== undefined) world.late.push(`${machine.place.name} after ${seconds()} s: ${late}`);
      return;
    }
    if (performance.now() - began > 10_000 && late === undefined) {
      late = `${wrong.slice(0, 3).join('; ')} (${await rolesOn(world, machine)})`;
      if (process.env['VERBOSE'] === 'said') console.log(await said(world, machine.place.name));
    }
    if (performance.now() - began > PATIENCE)
      throw new Error(`${machine.place.name} (${machine.server.major}): ${wrong.slice(0, 12).join('\n')}\n${await said(world, machine.place.name)}`);
    await sleep(300);
  }
}

/** What is not as it should be, of what is declared and of what is somebody else's. */
async function wrongOn(world: World, machine: Machine): Promise<readonly string[]> {
  const actual = await readActual(machine.server);
  const sources = world.sourcesOf(machine);
  const inForce = sources.map(({ team, inForce }) => ({ team, said: inForce }));
  const wrong = [...differences(inForce, actual, machine.server.major)];
  const others = world.others.get(machine) ?? [];
  wrong.push(...others.filter((line) => !actual.others.includes(line)).map((line) => `somebody else's, gone: ${line}`));
  wrong.push(...actual.others.filter((line) => !others.includes(line)).map((line) => `nobody declared: ${line}`));
  if (wrong.length > 0) return wrong;
  for (const { inForce, passwordsInForce } of sources)
    for (const { username, login = true } of inForce.users)
      if (login && !(await logsIn(machine.server, username, passwordsInForce.get(username) ?? ''))) wrong.push(`${username} does not log in`);
  return wrong;
}

/** Who writes there, as each replica says. */
async function rolesOn(world: World, { place: { name } }: Machine): Promise<string> {
  const all = await Promise.all(
    [...world.replicas.running].map(async ([replica, daemon]) => {
      const { body } = await daemon.get(`/status?server=${name}`).catch(() => ({ body: '{"role":"no answer"}' }));
      return `${replica} ${(JSON.parse(body) as { role: string }).role}`;
    }),
  );
  return all.join(', ');
}

/** What the replicas say of a server, for somebody who wants to know why. */
async function said(world: World, server: string): Promise<string> {
  const all = await Promise.all(
    [...world.replicas.running].map(async ([name, daemon]) => {
      const status = await daemon.get(`/status?server=${server}`).catch((error: unknown) => ({ body: String(error) }));
      const lines = daemon
        .output()
        .split('\n')
        .filter((line) => line.includes(`"server":"${server}"`));
      return `${name}: ${status.body.slice(0, 3000)}\n${lines.slice(-40).join('\n').slice(-6000)}`;
    }),
  );
  return all.join('\n\n');
}
