// A company at random: six servers, three replicas, five teams with the shipped Roles on a real API server. Whatever happens, at each quiet moment every server
// is what an evaluator of its own says, and nothing of somebody else's has changed. STEPS and SEED say how much, and what.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createRandom } from '../hostile/random.ts';
import { furnish, places } from '../scenario/company.ts';
import { Machine, SMALL } from '../scenario/machine.ts';
import { quiet } from '../scenario/quiet.ts';
import { oneStep, restoreAll } from '../scenario/steps.ts';
import { World } from '../scenario/world.ts';
import { ROOT } from '../support/daemon.ts';
import { KubeCase } from '../support/kube-case.ts';
import { KubeReplicas } from '../support/kube-replicas.ts';
import { rememberPassword } from '../support/secrets.ts';

const STEPS = Number(process.env['STEPS'] ?? 20);
const SEED = Number(process.env['SEED'] ?? 1);
const QUIET_EVERY = 5;
const GUEST = 'the password of a guest';

const at = new KubeCase();
let replicas: KubeReplicas;
let machines: Machine[] = [];
/** Where they were not installed, all servers are of the one that was. */
const majors = ([14, 15, 16, 17, 18] as const).filter((major) => major === 18 || existsSync(join(ROOT, `test/matrix/node_modules/postgres-${major}`)));

beforeEach(async () => {
  rememberPassword(GUEST);
  replicas = new KubeReplicas(at, { SERVERS_CONFIGMAP: 'pgsteward-servers', SYNC_INTERVAL: '5', DB_POOL_MAX_CONN: '2', MAX_LISTENERS: '2' });
  await Promise.all([at.kube.component(at.namespace, 'servers'), at.kube.component(at.namespace, 'replicas')]);
  for (const [name, value] of Object.entries({ log_statement: SMALL.log_statement, log_min_duration_statement: SMALL.log_min_duration_statement }))
    await at.server.query(`ALTER SYSTEM SET ${name} = '${value}'`);
  await at.server.query('SELECT pg_reload_conf()');
  machines = await Promise.all(
    places(SEED, majors).map(async (place) => {
      const machine = place.name === 'lone' ? new Machine(place, at.server) : await Machine.start(place, place.major);
      await furnish(machine.server, GUEST, machine.adminPassword);
      return machine;
    }),
  );
  await machines.find(({ place }) => place.name === 'pair')?.addStandby();
});
afterEach(async () => {
  await replicas.endAll();
  for (const machine of machines)
    if (machine.server !== at.server) await machine.stop();
    else if (!machine.isUp) await machine.start();
});

it(
  `${STEPS} steps of seed ${SEED}: every server is as declared at each quiet moment, nobody else's is touched, and nobody writes twice`,
  { timeout: 180_000 + STEPS * 30_000 },
  async () => {
    const world = new World(at, createRandom(SEED), machines, replicas);
    await world.begin();
    await Promise.all([replicas.start(), replicas.start(), replicas.start()]);
    const done: string[] = [];
    const told = (what: string): void => {
      done.push(what);
      if (STEPS > 20 || process.env['VERBOSE'] !== undefined) console.log(what);
    };
    try {
      await quiet(world);
      for (let number = 1; number <= STEPS; number += 1) {
        told(`${number}: ${await oneStep(world)}`);
        await sleep(world.random.below(700));
        if (number % QUIET_EVERY === 0) {
          await quiet(world);
          for (const late of world.late.splice(0)) told(`late: ${late}`);
          told(`quiet after ${((world.waits.at(-1) ?? 0) / 1000).toFixed(1)} s`);
        }
      }
      await restoreAll(world);
      await quiet(world);
    } catch (error) {
      if (error instanceof Error) error.message = `SEED=${SEED} STEPS=${STEPS}\n${done.join('\n')}\n${error.message}`;
      throw error;
    }
    const waits = world.waits.toSorted((a, b) => a - b).map((ms) => (ms / 1000).toFixed(1));
    const fenced = machines.map((machine) => machine.fenced());
    const sum = (of: (one: { terms: number; violations: number }) => number): number => fenced.reduce((all, one) => all + of(one), 0);
    console.log(
      `SEED=${SEED}: ${STEPS} steps, ${waits.length} quiet moments after median ${waits[Math.floor(waits.length / 2)]} s, longest ${waits.at(-1)} s; ${sum(({ terms }) => terms)} terms wrote, ${sum(({ violations }) => violations)} writes of a term that was over`,
    );
    expect(sum(({ violations }) => violations)).toBe(0);
    for (const { server } of machines)
      expect(
        await server.query(
          `SELECT role, change FROM pgsteward.audit_log i WHERE outcome = 'intent' AND NOT EXISTS (SELECT FROM pgsteward.audit_log c WHERE c.intent = i.id)`,
        ),
      ).toEqual([]);
    await at.server.query("ALTER SYSTEM SET log_statement = 'all'");
    await at.server.query('ALTER SYSTEM RESET log_min_duration_statement');
    await at.server.query('SELECT pg_reload_conf()');
  },
);
