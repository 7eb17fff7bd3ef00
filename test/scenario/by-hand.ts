// What people do on a server of the scenario beside every document: to what is declared, which comes right again, and to what is theirs, which stays.
import type { Postgres } from '../support/postgres.ts';
import { DATABASES } from './company.ts';
import type { Machine } from './machine.ts';
import type { World } from './world.ts';

/** Something for a declared role, and with a number that no other one has. */
type Drift = (role: string, number: number) => readonly [sql: string, database: string];
const DRIFTS: readonly Drift[] = [
  (role) => [`GRANT SELECT, TRIGGER ON t2.items TO ${role} WITH GRANT OPTION`, 'app'],
  (role) => [`GRANT USAGE ON SCHEMA t3 TO ${role}; GRANT UPDATE (email) ON t3.orders TO ${role}`, 'app'],
  (role) => [`REVOKE ALL ON ALL TABLES IN SCHEMA shared FROM ${role}`, 'app'],
  (role) => [`REVOKE ALL ON ALL TABLES IN SCHEMA t1, t2, t3, t4, t5 FROM ${role}`, 'app'],
  (role) => [`GRANT CREATE, TEMPORARY ON DATABASE extra TO ${role}`, 'extra'],
  (role) => [`ALTER DEFAULT PRIVILEGES FOR ROLE x_maker IN SCHEMA t4 GRANT DELETE ON TABLES TO ${role}`, 'app'],
];
const ON_USERS: readonly Drift[] = [
  (role) => [`ALTER ROLE ${role} NOLOGIN`, 'postgres'],
  (role, number) => [`ALTER ROLE ${role} PASSWORD 'by hand ${number}'`, 'postgres'],
  (role) => [`ALTER ROLE ${role} CONNECTION LIMIT 77`, 'postgres'],
  (role) => [`GRANT x_group TO ${role}`, 'postgres'],
];

/** Something of somebody else's: the tag stands in every line that it makes or takes away. */
type Own = (server: Postgres, number: number) => Promise<RegExp>;
const OWN: readonly Own[] = [
  async (server, number) => {
    await server.query(`SET ROLE x_maker; CREATE TABLE t1.made_${number} (id integer); CREATE TABLE shared.made_${number} (id integer)`, 'app');
    return new RegExp(`made_${number}\\b`);
  },
  async (server, number) => {
    await server.query(`SET ROLE x_maker; CREATE TABLE t5.ev_${number} (id integer, email text); GRANT SELECT ON t5.ev_${number} TO PUBLIC, x_guest`, 'app');
    return new RegExp(`ev_${number}\\b`);
  },
  async (server, number) => {
    await server.query(`CREATE ROLE x_${number} CONNECTION LIMIT ${number}; GRANT x_group TO x_${number}; GRANT DELETE ON t2.items TO x_${number}`, 'app');
    return new RegExp(`x_${number}\\b`);
  },
  async (server, number) => {
    await server.query(`SET ROLE x_maker; CREATE FUNCTION shared.fn_${number}(integer) RETURNS integer LANGUAGE sql AS 'SELECT 2'`, 'app');
    return new RegExp(`fn_${number}\\b`);
  },
];

/** @returns what was done. */
export async function hand(world: World, machine: Machine): Promise<string> {
  const { random } = world;
  const { server, place } = machine;
  const number = world.nextNumber();
  world.unsettle(machine);
  if (random.oneIn(3)) {
    const act = random.pick(OWN);
    await world.othersChanged(machine, await act(server, number));
    return `somebody makes something of number ${number} on ${place.name}`;
  }
  const { said } = random.pick(world.sourcesOf(machine));
  const users = said.users.filter(({ username, login }) => login !== false && username !== 'op_mark').map(({ username }) => username);
  const authoritative = [...said.roles.map(({ name }) => name), ...said.users.filter(({ grants }) => grants !== undefined).map(({ username }) => username)];
  if (random.oneIn(6)) {
    const role = random.pick([...users, ...authoritative]);
    // It may just be given something.
    for (let isThere = true; isThere;) {
      for (const database of DATABASES) await server.query(`DROP OWNED BY ${role}`, database);
      isThere = await server.query(`DROP ROLE ${role}`).then(
        () => false,
        () => true,
      );
    }
    return `drop ${role} by hand on ${place.name}`;
  }
  const onUser = random.oneIn(2);
  const [sql, database] = random.pick(onUser ? ON_USERS : DRIFTS)(random.pick(onUser ? users : authoritative), number);
  await server.query(sql, database);
  return `by hand on ${place.name}: ${sql}`;
}
