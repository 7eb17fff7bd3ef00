// Random roles, memberships, owners and grants, made as statements of which those that the server refuses are left out.
import type pg from 'pg';
import type { ObjectReference } from '../../src/explain/object-name.ts';
import { privilegesOf } from '../../src/model/kinds.ts';

/** The same numbers from the same state. */
export function numbersFrom(start: number): (below: number) => number {
  let state = start;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

const ODD = ['é "x"', "it's; DROP ROLE postgres", 'a.b', 'line\nend', 'u\u001Fnit', 'Capital', 'пользователь', 'back\\slash'];
const SCHEMA = 'Odd "s".1';

export interface RandomServer {
  readonly database: string;
  readonly roles: readonly string[];
  readonly objects: readonly ObjectReference[];
}

/** Fills a new database, owned by one of new roles. @param client a superuser in another database. @param open a session in a database. */
export async function randomServer(client: pg.Client, open: (database: string) => Promise<pg.Client>, seed: number, major: number): Promise<RandomServer> {
  const pick = numbersFrom(seed * 2_654_435_761 + 1);
  const chance = (percent: number): boolean => pick(100) < percent;
  const of = <T>(all: readonly T[]): T => all[pick(all.length)] as T;
  const roles = Array.from({ length: 8 }, (_, index) => (index < 5 ? `r${seed}_${index}` : `r${seed} ${of(ODD)}${index}`));
  const database = `d${seed} "é"`;
  const anyRole = (): string => quoted(of(roles));

  for (const role of roles)
    await client.query(
      `CREATE ROLE ${quoted(role)} ${chance(60) ? 'LOGIN' : ''} ${chance(35) ? 'NOINHERIT' : ''} ${chance(4) ? 'SUPERUSER' : ''} ${chance(5) ? 'BYPASSRLS' : ''}`,
    );
  const memberOf = async (role: string, member: string): Promise<void> => {
    const options = major >= 16 ? ` WITH ADMIN ${chance(30)}, INHERIT ${chance(60)}, SET ${chance(65)}` : chance(30) ? ' WITH ADMIN OPTION' : '';
    await attempt(client, `GRANT ${role} TO ${member}${options}`);
  };
  for (let i = 0; i < 12; i += 1) await memberOf(anyRole(), anyRole());
  for (const role of ['pg_read_all_data', 'pg_write_all_data', ...(major >= 17 ? ['pg_maintain'] : [])]) if (chance(50)) await memberOf(role, anyRole());
  await client.query(`CREATE DATABASE ${quoted(database)} OWNER ${anyRole()}`);
  if (major >= 15)
    for (const parameter of ['work_mem', 'log_statement'])
      await attempt(client, `GRANT ${of(['SET', 'ALTER SYSTEM'])} ON PARAMETER ${parameter} TO ${anyRole()}`);

  const inside = await open(database);
  try {
    const objects = objectsOf(database, major);
    for (const sql of contents(anyRole)) await attempt(inside, sql);
    const lo = (await inside.query<{ oid: number }>('SELECT lo_create(0) AS oid')).rows[0]?.oid ?? 0;
    await attempt(inside, `ALTER LARGE OBJECT ${lo} OWNER TO ${anyRole()}`);
    const all = objects.map((object) => (object.kind === 'large_object' ? { ...object, name: String(lo) } : object));
    for (let i = 0; i < 60; i += 1) await grant(inside, of(all), major, pick, roles);
    return { database, roles, objects: all };
  } finally {
    await inside.end();
  }
}

/** Runs it as it stands, or not at all. */
async function attempt(client: pg.Client, sql: string): Promise<void> {
  await client.query(sql).catch(() => undefined);
}

const S = quoted(SCHEMA);

const contents = (owner: () => string): readonly string[] => [
  `CREATE SCHEMA ${S}`,
  `ALTER SCHEMA ${S} OWNER TO ${owner()}`,
  `CREATE TABLE ${S}."T.1" (id int, "Col ""é""" text, note text)`,
  `ALTER TABLE ${S}."T.1" OWNER TO ${owner()}`,
  `CREATE VIEW ${S}.v AS SELECT 1 AS id, 'x'::text AS note`,
  `ALTER VIEW ${S}.v OWNER TO ${owner()}`,
  `CREATE MATERIALIZED VIEW public.m AS SELECT 1 AS id`,
  `ALTER MATERIALIZED VIEW public.m OWNER TO ${owner()}`,
  `CREATE SEQUENCE ${S}.sq`,
  `ALTER SEQUENCE ${S}.sq OWNER TO ${owner()}`,
  `CREATE TYPE ${S}.mood AS ENUM ('a')`,
  `ALTER TYPE ${S}.mood OWNER TO ${owner()}`,
  `CREATE FUNCTION ${S}.f(int, ${S}.mood[]) RETURNS int LANGUAGE sql AS 'SELECT 1'`,
  `ALTER FUNCTION ${S}.f OWNER TO ${owner()}`,
  `CREATE PROCEDURE public.p(IN a int, OUT b int) LANGUAGE plpgsql AS 'BEGIN b := 1; END'`,
  `ALTER PROCEDURE public.p OWNER TO ${owner()}`,
  `CREATE FOREIGN DATA WRAPPER "W.w"`,
  `CREATE SERVER srv FOREIGN DATA WRAPPER "W.w"`,
  `ALTER SERVER srv OWNER TO ${owner()}`,
];

const objectsOf = (database: string, major: number): readonly ObjectReference[] => [
  { kind: 'database', database, name: database },
  { kind: 'schema', database, schema: SCHEMA, name: SCHEMA },
  { kind: 'schema', database, schema: 'public', name: 'public' },
  { kind: 'table', database, schema: SCHEMA, name: 'T.1' },
  { kind: 'column', database, schema: SCHEMA, name: 'T.1', column: 'Col "é"' },
  { kind: 'column', database, schema: SCHEMA, name: 'v', column: 'note' },
  { kind: 'table', database, schema: SCHEMA, name: 'v' },
  { kind: 'table', database, schema: 'public', name: 'm' },
  { kind: 'table', database, schema: 'pg_catalog', name: 'pg_class' },
  { kind: 'table', database, schema: 'pg_catalog', name: 'pg_authid' },
  { kind: 'table', database, schema: 'pg_catalog', name: 'pg_roles' },
  { kind: 'sequence', database, schema: SCHEMA, name: 'sq' },
  { kind: 'type', database, schema: SCHEMA, name: 'mood' },
  { kind: 'type', database, schema: 'pg_catalog', name: 'int4' },
  { kind: 'function', database, schema: SCHEMA, name: 'f', arguments: ['int', `${S}.mood[]`] },
  { kind: 'function', database, schema: 'public', name: 'p' },
  { kind: 'language', database, name: 'plpgsql' },
  { kind: 'foreign_data_wrapper', database, name: 'W.w' },
  { kind: 'foreign_server', database, name: 'srv' },
  { kind: 'large_object', database, name: '' },
  { kind: 'tablespace', database: undefined, name: 'pg_default' },
  ...(major >= 15
    ? ([
        { kind: 'parameter', database: undefined, name: 'work_mem' },
        { kind: 'parameter', database: undefined, name: 'log_statement' },
        { kind: 'parameter', database: undefined, name: 'log_min_duration_statement' },
      ] as const)
    : []),
];

const KEYWORDS: Readonly<Record<string, string>> = {
  function: 'ROUTINE',
  column: 'TABLE',
  foreign_data_wrapper: 'FOREIGN DATA WRAPPER',
  foreign_server: 'FOREIGN SERVER',
  large_object: 'LARGE OBJECT',
};

/** What stands behind ON in GRANT. */
export function targetOf({ kind, schema, name, arguments: types }: ObjectReference): string {
  const own = kind === 'large_object' || kind === 'parameter' ? name : quoted(name);
  const full = schema === undefined || kind === 'schema' ? own : `${quoted(schema)}.${own}`;
  return `${KEYWORDS[kind] ?? kind.toUpperCase()} ${full}${types === undefined ? '' : `(${types.join(', ')})`}`;
}

/** A grant by somebody to somebody, or a revoke. */
async function grant(client: pg.Client, object: ObjectReference, major: number, pick: (below: number) => number, roles: readonly string[]): Promise<void> {
  const chance = (percent: number): boolean => pick(100) < percent;
  const privileges = privilegesOf(object.kind, major);
  const privilege = chance(15) ? 'ALL' : (privileges[pick(privileges.length)] ?? 'ALL');
  const what = object.column === undefined ? privilege : `${privilege} (${quoted(object.column)})`;
  const role = roles[pick(roles.length)] ?? '';
  const grantee = chance(12) ? 'PUBLIC' : chance(8) ? 'pg_database_owner' : quoted(role);
  const revokes = chance(25);
  // What goes wrong leaves the session as it was.
  await attempt(client, 'BEGIN');
  if (chance(30)) await attempt(client, `SET LOCAL ROLE ${quoted(roles[pick(roles.length)] ?? '')}`);
  await attempt(
    client,
    revokes
      ? `REVOKE ${what} ON ${targetOf(object)} FROM ${grantee} CASCADE`
      : `GRANT ${what} ON ${targetOf(object)} TO ${grantee}${chance(40) && grantee !== 'PUBLIC' ? ' WITH GRANT OPTION' : ''}`,
  );
  await attempt(client, 'COMMIT');
}

/** Takes all of it away again, so that a cluster holds many such servers one after the other. */
export async function dropServer(client: pg.Client, { database, roles }: RandomServer): Promise<void> {
  await client.query(`DROP DATABASE ${quoted(database)} WITH (FORCE)`);
  // Who granted and has no grant option of its own any more: neither DROP OWNED nor a REVOKE reaches what is left of it. Nobody else uses this cluster.
  await client.query(
    `SET allow_system_table_mods = on; UPDATE pg_tablespace SET spcacl = NULL; DELETE FROM pg_auth_members WHERE member >= 16384 OR roleid >= 16384`,
  );
  await attempt(client, 'DELETE FROM pg_parameter_acl');
  await client.query(
    `DELETE FROM pg_shdepend WHERE classid IN ('pg_tablespace'::regclass, 'pg_auth_members'::regclass, to_regclass('pg_parameter_acl')); RESET allow_system_table_mods`,
  );
  for (const role of roles) await attempt(client, `DROP OWNED BY ${quoted(role)} CASCADE`);
  for (const role of roles) await client.query(`DROP ROLE ${quoted(role)}`);
}
