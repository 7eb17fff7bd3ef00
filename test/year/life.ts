// What happens on a server in a year: people edit the document, rotate Secrets, meddle by hand, come, go and return; names are ever new.
import { stringify } from 'yaml';
import { createRandom } from '../hostile/random.ts';
import type { Manifests } from '../support/daemon.ts';
import type { Postgres } from '../support/postgres.ts';

const STAFF = ['alice', 'Bob', 'c d', 'x"y', "o'k", 'é🐘', 'dora', 'emil'] as const;
const TEAMS = ['read', 'Write all', 'ops'] as const;
const HOME = ['shop', 'other "one"'] as const;
const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;

export interface Life {
  /** One thing that somebody does. @returns what it was. */
  step(): Promise<string>;
  /** Everything mended, as the document wants it. */
  rest(): void;
  /** How often the document was written anew. */
  readonly edits: number;
}

/** Databases and tables to begin with. */
export async function prepare(server: Postgres): Promise<void> {
  await server.query('CREATE ROLE owner; CREATE ROLE stranger');
  for (const database of HOME) {
    await server.query(`CREATE DATABASE ${quote(database)} OWNER owner`);
    await server.query('SET ROLE owner; CREATE SCHEMA app; CREATE TABLE app.t0 (id int, secret text); CREATE TABLE app.fixed (id int)', database);
  }
}

export function createLife(server: Postgres, manifests: Manifests, seed: number): Life {
  const random = createRandom(seed);
  const gone = new Set<string>();
  const secretless = new Set<string>();
  const limits = new Map<string, number>();
  const teams = new Map<string, readonly string[]>();
  const guests: string[] = [];
  const databases: string[] = [];
  let [counter, edits, broken] = [0, 0, false];

  const secretOf = (name: string): string => `user-${[...name].map((char) => (/[a-z0-9.-]/.test(char) ? char : '-')).join('')}-secret`;
  const document = (): string =>
    stringify({
      roles: TEAMS.map((name, index) => ({
        name,
        grants: [
          { databases: ['*'], schemas: { app: ['USAGE'] } },
          { databases: ['*'], schemas: ['app'], tables: index === 1 ? { '*': ['SELECT', 'INSERT'], fixed: [] } : { '*': ['SELECT'] } },
        ],
      })),
      users: [...STAFF, ...guests]
        .filter((name) => !gone.has(name))
        .map((username) => ({
          username,
          database: username.startsWith('guest') ? HOME[0] : HOME[username.length % 2],
          roles: teams.get(username) ?? ['read'],
          connectionLimit: limits.get(username) ?? 5,
          passwordSecretRef: { name: secretOf(username) },
        })),
    });
  const write = (): void => {
    edits += 1;
    manifests.users(broken ? `${document()}\n  - username: [` : document());
  };
  const rotate = (name: string): void => manifests.secret(name, `pw ${(counter += 1)} of ${name}`);
  const meddle = async (sql: string, database = 'postgres'): Promise<void> => void (await server.query(sql, database).catch(() => []));

  for (const name of STAFF) rotate(name);
  write();

  const byHand = (who: string): string =>
    random.pick([
      `GRANT stranger TO ${quote(who)}`,
      `ALTER ROLE ${quote(who)} CREATEDB CONNECTION LIMIT ${random.below(99)}`,
      `ALTER ROLE ${quote(who)} PASSWORD 'stolen ${random.below(9)}'`,
      `ALTER ROLE ${quote(who)} SET work_mem = '${1 + random.below(9)}MB'`,
      `REVOKE ${quote(random.pick(TEAMS))} FROM ${quote(who)} CASCADE`,
      `COMMENT ON ROLE ${quote(who)} IS 'by hand ${(counter += 1)}'`,
      `DROP OWNED BY ${quote(who)}; DROP ROLE ${quote(who)}`,
      `GRANT CONNECT ON DATABASE ${quote(random.pick(HOME))} TO ${quote(who)} WITH GRANT OPTION`,
    ]);
  const inDatabase = (): string =>
    random.pick([
      `GRANT DELETE ON app.fixed TO ${quote(random.pick(TEAMS))}`,
      `REVOKE SELECT ON ALL TABLES IN SCHEMA app FROM ${quote(random.pick(TEAMS))}`,
      `GRANT UPDATE (id) ON app.fixed TO ${quote(random.pick(TEAMS))}`,
      `REVOKE USAGE ON SCHEMA app FROM ${quote(random.pick(TEAMS))}`,
      `ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT TRUNCATE ON TABLES TO ${quote(random.pick(TEAMS))}`,
    ]);

  const ACTIONS: readonly (readonly [weight: number, what: string, act: () => Promise<void> | void])[] = [
    [20, 'drift of roles', () => meddle(byHand(random.pick([...STAFF, ...guests])))],
    [20, 'drift in a database', () => meddle(`SET ROLE owner; ${inDatabase()}`, random.pick([...HOME, ...databases]))],
    [6, 'the same drift', () => meddle('SET ROLE owner; GRANT DELETE ON app.fixed TO ops', HOME[0])],
    [
      8,
      'an edit',
      () => {
        const name = random.pick(STAFF);
        if (random.oneIn(2)) limits.set(name, random.below(20));
        else
          teams.set(
            name,
            TEAMS.filter(() => random.oneIn(2)),
          );
        write();
      },
    ],
    [
      5,
      'one goes or returns',
      () => {
        const name = random.pick(STAFF);
        if (gone.has(name)) gone.delete(name);
        else if (gone.size < 3) gone.add(name);
        write();
      },
    ],
    [
      4,
      'a guest',
      () => {
        const name = `guest ${(counter += 1)} "x`;
        guests.push(name);
        rotate(name);
        const [oldest] = guests.length > 5 ? guests.splice(0, 1) : [];
        if (oldest !== undefined) manifests.secret(oldest, undefined);
        write();
      },
    ],
    [8, 'a rotation', () => rotate(random.pick([...STAFF, ...guests].filter((name) => !secretless.has(name))))],
    [
      2,
      'a Secret is gone, or back',
      () => {
        const name = random.pick(STAFF);
        if (secretless.delete(name)) return rotate(name);
        secretless.add(name);
        manifests.secret(name, undefined);
      },
    ],
    [
      2,
      'a document is broken, or mended',
      () => {
        broken = !broken;
        write();
      },
    ],
    [
      5,
      'a table comes and one goes',
      () =>
        meddle(`SET ROLE owner; CREATE TABLE app.t${(counter += 1)} (id int); DROP TABLE IF EXISTS app.t${counter - 40 - random.below(40)}`, random.pick(HOME)),
    ],
    [
      2,
      'tables go',
      () =>
        meddle(
          `SET ROLE owner; DO $$ DECLARE n text; BEGIN FOR n IN SELECT tablename FROM pg_tables WHERE schemaname = 'app' AND tablename ~ '^t[0-9]' OFFSET 20 LOOP EXECUTE 'DROP TABLE app.' || n; END LOOP; END $$`,
          random.pick(HOME),
        ),
    ],
    [
      1,
      'a database comes and one goes',
      async () => {
        const name = `db ${(counter += 1)}`;
        await meddle(`CREATE DATABASE ${quote(name)} OWNER owner`);
        await meddle('SET ROLE owner; CREATE SCHEMA app; CREATE TABLE app.fixed (id int)', name);
        databases.push(name);
        const [oldest] = databases.length > 2 ? databases.splice(0, 1) : [];
        if (oldest !== undefined) await meddle(`DROP DATABASE ${quote(oldest)} WITH (FORCE)`);
      },
    ],
    [1, 'sessions are ended', () => meddle(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name ~ '^pgsteward' AND random() < 0.5`)],
    [
      1,
      'the event triggers are dropped',
      () =>
        meddle(
          `SELECT set_config('pgsteward.applying', 'on', false); DO $$ DECLARE n text; BEGIN FOR n IN SELECT evtname FROM pg_event_trigger LOOP EXECUTE 'DROP EVENT TRIGGER ' || n; END LOOP; END $$`,
          random.pick(HOME),
        ),
    ],
  ];
  const all = ACTIONS.flatMap(([weight, what, act]) => Array.from({ length: weight }, () => ({ what, act })));

  return {
    step: async () => {
      // What is broken is mended soon: most of the year everything is as it should be.
      if (broken && random.oneIn(3)) {
        broken = false;
        write();
      }
      const [waiting] = secretless;
      if (waiting !== undefined && random.oneIn(3)) {
        secretless.delete(waiting);
        rotate(waiting);
      }
      const { what, act } = random.pick(all);
      await act();
      return what;
    },
    rest: () => {
      broken = false;
      gone.clear();
      for (const name of secretless) rotate(name);
      secretless.clear();
      write();
    },
    get edits() {
      return edits;
    },
  };
}
