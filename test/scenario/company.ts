// A company for the scenario: which teams are on which server, how an operator declares them, and what was on the servers before.
import type { Major } from '../support/binaries.ts';
import type { Postgres } from '../support/postgres.ts';

export const TEAMS = ['t1', 't2', 't3', 't4', 't5'] as const;
export type Team = (typeof TEAMS)[number];

/** Names that documents may declare; everything else is somebody else's. */
export const IS_OURS = /^(?:op|t\d)_/;
/** Our own login on each server. */
export const ADMIN = 'steward';
export const DATABASES = ['postgres', 'app', 'extra'] as const;
export const LABEL = 'pgsteward.dev/server';

export interface Place {
  readonly name: string;
  readonly teams: readonly Team[];
  /** Undefined: the one that all tests of this run have. */
  readonly major: Major | undefined;
}

/** Six servers; the last one has a standby, and a major that the seed says. */
export const places = (seed: number, majors: readonly Major[]): readonly Place[] => {
  const major = (index: number): Major | undefined => majors[index % majors.length];
  return [
    { name: 'lone', teams: ['t3', 't4', 't5'], major: undefined },
    { name: 's-a', teams: ['t1', 't2'], major: major(0) },
    { name: 's-b', teams: ['t3'], major: major(1) },
    { name: 's-c', teams: ['t1', 't4'], major: major(2) },
    { name: 's-d', teams: ['t2', 't5'], major: major(3) },
    { name: 'pair', teams: ['t1', 't5'], major: major(seed % 5) },
  ];
};

/** The entry of servers.yaml. */
export const entryOf = ({ name, teams }: Place, hosts: readonly string[], namespaceOf: (team: Team) => string): object => ({
  name,
  hosts,
  adminSecretRef: { name: `${name}-admin` },
  policy: { maxDeletions: 100 },
  documents: [{ name: `${name}-users` }],
  authors: teams.map((team) => ({
    name: team,
    from: { namespace: namespaceOf(team), matchLabels: { [LABEL]: name } },
    may: { names: [`${team}_*`], databases: ['app'], schemas: [`${team}*`, 'shared'], roles: ['op_lent'] },
  })),
});

const OBJECTS = `
  CREATE TABLE @.orders (id integer PRIMARY KEY, email text); CREATE TABLE @.items (id integer); CREATE TABLE @.ev_a (id integer); CREATE VIEW @.v_all AS SELECT 1 AS id;
  CREATE SEQUENCE @.sq; CREATE FUNCTION @.f_one(integer) RETURNS integer LANGUAGE sql AS 'SELECT $1'; CREATE TYPE @.state AS ENUM ('on')`;

/** What is on a server before anything is declared: databases, objects, and roles and privileges of somebody else. */
export async function furnish(server: Postgres, guestPassword: string, adminPassword: string): Promise<void> {
  await server.query(`CREATE ROLE ${ADMIN} LOGIN SUPERUSER PASSWORD '${adminPassword}'`);
  await server.query(
    `CREATE ROLE x_maker; CREATE ROLE x_group; CREATE ROLE x_guest LOGIN CONNECTION LIMIT 9 PASSWORD '${guestPassword}'; GRANT x_group TO x_guest;
     ALTER ROLE x_guest SET work_mem = '5MB'; COMMENT ON ROLE x_group IS 'not ours'`,
  );
  for (const database of ['app', 'extra']) await server.query(`CREATE DATABASE ${database} OWNER x_maker`);
  await server.query('ALTER DATABASE extra SET statement_timeout = 77777; GRANT CREATE ON DATABASE extra TO x_group');
  const inApp = ['shared', ...TEAMS].map((schema) => `CREATE SCHEMA ${schema};${OBJECTS.replaceAll('@', schema)};`).join('\n');
  await server.query(
    `SET ROLE x_maker; ${inApp} GRANT USAGE ON SCHEMA shared TO x_group WITH GRANT OPTION; GRANT SELECT ON shared.orders TO x_group WITH GRANT OPTION; GRANT SELECT ON shared.orders TO PUBLIC;
     ALTER DEFAULT PRIVILEGES IN SCHEMA t1 GRANT INSERT ON TABLES TO x_group; GRANT UPDATE (email) ON t1.orders TO x_guest;
     RESET ROLE; SET ROLE x_group; GRANT SELECT ON shared.orders TO x_guest`,
    'app',
  );
  await server.query('CREATE SCHEMA keep AUTHORIZATION x_maker; CREATE TABLE keep.notes (id integer); ALTER TABLE keep.notes OWNER TO x_guest', 'extra');
}
