// Who gains and loses access by a cycle: what is compared in values is what the server itself answers before and after, of every login, object and privilege.
import { writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { accessDifference, type AccessLine } from '../../src/access/difference.ts';
import type { Change } from '../../src/changes/change.ts';
import { privilegesOf, type ObjectKind } from '../../src/model/kinds.ts';
import { callHere } from '../commands/call.ts';
import { furnish, live, PASSWORDS, USERS } from '../convergence/furnished.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';
import { accessOf } from './follow.ts';
import { LIFE } from './life.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  { max_locks_per_transaction: '256', log_statement: 'none' },
  (started) => (server = started),
  () => steward,
);

const USER_SCHEMAS = `n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'pgsteward', 'pgsteward_trigger')`;

/** How the server is asked about the objects of a kind in a database. */
const ASKED: Readonly<Partial<Record<ObjectKind, string>>> = {
  schema: `SELECT '' AS schema, n.nspname AS name, has_schema_privilege(r.name, n.oid, p.one) AS may FROM pg_namespace n, r, p WHERE ${USER_SCHEMAS}`,
  table: `SELECT n.nspname AS schema, c.relname AS name, has_table_privilege(r.name, c.oid, p.one) AS may FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, r, p WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND ${USER_SCHEMAS}`,
  column: `SELECT n.nspname AS schema, c.relname || '.' || a.attname AS name, has_column_privilege(r.name, c.oid, a.attnum, p.one) AS may FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace, r, p WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped AND ${USER_SCHEMAS}`,
  function: `SELECT n.nspname AS schema, o.proname || '(' || oidvectortypes(o.proargtypes) || ')' AS name, has_function_privilege(r.name, o.oid, p.one) AS may FROM pg_proc o JOIN pg_namespace n ON n.oid = o.pronamespace, r, p WHERE ${USER_SCHEMAS}`,
  database: `SELECT '' AS schema, d.datname AS name, has_database_privilege(r.name, d.oid, p.one) AS may FROM pg_database d, r, p`,
};

interface Answers {
  readonly logins: ReadonlySet<string>;
  /** Whom each may become, itself included. */
  readonly guises: ReadonlyMap<string, readonly string[]>;
  /** Who may by itself, by object and privilege; `public` is everybody. */
  readonly may: ReadonlyMap<string, ReadonlySet<string>>;
}

async function answers(): Promise<Answers> {
  const roles = await server.query<{ name: string; login: boolean; others: readonly string[] }>(
    `SELECT a.rolname AS name, a.rolcanlogin AS login, ARRAY(SELECT b.rolname::text FROM pg_roles b WHERE pg_has_role(a.oid, b.oid, '${server.major >= 16 ? 'SET' : 'MEMBER'}')) AS others FROM pg_roles a`,
  );
  const may = new Map<string, Set<string>>();
  for (const [kind, sql] of Object.entries(ASKED) as [ObjectKind, string][])
    for (const database of kind === 'database' ? ['postgres'] : ['postgres', 'shop']) {
      const privileges = privilegesOf(kind, server.major).map((one) => `('${one}')`);
      const rows = await server.query<{ schema: string; name: string; may: boolean; role: string; one: string }>(
        `WITH r AS (SELECT rolname::text AS name FROM pg_roles WHERE rolname !~ '^pg_' UNION SELECT 'public'), p (one) AS (VALUES ${privileges.join(', ')})
         SELECT x.* FROM (${sql.replace('AS may', 'AS may, r.name AS role, p.one')}) x WHERE x.may`,
        database,
      );
      for (const row of rows) {
        const key = JSON.stringify([kind === 'database' ? null : database, kind, row.schema, row.name, row.one]);
        may.set(key, (may.get(key) ?? new Set()).add(row.role));
      }
    }
  return {
    may,
    logins: new Set(roles.flatMap(({ name, login }) => (login ? [name] : []))),
    guises: new Map(roles.map(({ name, others }) => [name, others])),
  };
}

/** What somebody gains from one to the other. A role by another name is the one that it was. */
function gains(from: Answers, to: Answers, was: (name: string) => string): readonly string[] {
  const has = ({ may, guises, logins }: Answers, key: string, role: string): boolean => {
    const who = may.get(key);
    return logins.has(role) && who !== undefined && (who.has('public') || (guises.get(role) ?? [role]).some((one) => who.has(one)));
  };
  const everybody = ({ may }: Answers, key: string): boolean => may.get(key)?.has('public') === true;
  return [...to.may.keys()].flatMap((key) => [
    ...(everybody(to, key) && !everybody(from, key) ? [`PUBLIC ${key}`] : []),
    ...[...to.logins].filter((role) => has(to, key, role) && !everybody(to, key) && !has(from, key, was(role))).map((role) => `${role} ${key}`),
  ]);
}

/** The lines one by one, of what the server is asked about. Columns that are as their tables are are not told one by one. */
const single = (lines: readonly AccessLine[]): readonly string[] =>
  lines
    .filter(({ kind, database }) => kind in ASKED && (database === undefined || database === 'postgres' || database === 'shop'))
    .flatMap(({ role, database, kind, schema, names, privileges }) =>
      names.flatMap((name) =>
        privileges.map((privilege) => [role === 'public' ? 'PUBLIC' : role, JSON.stringify([database ?? null, kind, schema, name, privilege])] as const),
      ),
    )
    .map(([role, key]) => `${role} ${key}`)
    .toSorted();

/** A column that follows its table. */
function withoutFollowing(found: readonly string[]): readonly string[] {
  const all = new Set(found);
  return found
    .filter((one) => {
      const [role, key] = [one.slice(0, one.indexOf(' [')), one.slice(one.indexOf(' [') + 1)];
      const [database, kind, schema, name, privilege] = JSON.parse(key) as readonly string[];
      return kind !== 'column' || !tablesOf(name ?? '').some((table) => all.has(`${role} ${JSON.stringify([database, 'table', schema, table, privilege])}`));
    })
    .toSorted();
}

const tablesOf = (column: string): readonly string[] => [...column.matchAll(/\./g)].map(({ index }) => column.slice(0, index));

it('what is gained and lost is what the server answers before and after', async () => {
  await furnish(server);
  steward = await createSteward(server, { MAX_DELETIONS: '100', DELETION_POLICY: 'drop', REASSIGN_TO: 'keeper_group', ALLOWED_ROLES: 'keeper_group' });
  steward.manifests.secrets(new Map([...PASSWORDS, ...['gone', 'alison', 'nobody'].map((name): [string, string] => [name, `the password of ${name}`])]));
  const counts = { gained: 0, lost: 0 };
  for (const [index, document] of [{ users: USERS }, ...LIFE].entries()) {
    if (index === 1) await live(server);
    steward.manifests.users(JSON.stringify(document));
    const [state, before] = [await accessOf(steward.config), await answers()];
    const { outcomes } = await steward.cycle();
    const after = await answers();
    const changes = outcomes.flatMap(({ change, result }): Change[] => (result === 'applied' ? [change] : []));
    const told = accessDifference(state, changes);
    const names = new Map(changes.flatMap((change) => (change.kind === 'rename_role' ? [[change.role, change.from] as const] : [])));
    const back = new Map([...names].map(([now, was]) => [was, now]));
    const named = (name: string): string => names.get(name) ?? name;
    // What somebody loses is told by the new name.
    const lost = gains(after, before, (name) => back.get(name) ?? name).map((one) => {
      const at = one.indexOf(' [');
      return `${back.get(one.slice(0, at)) ?? one.slice(0, at)}${one.slice(at)}`;
    });
    expect(withoutFollowing(single(told.gained)), `gained by document ${index}`).toEqual(withoutFollowing(gains(before, after, named)));
    expect(withoutFollowing(single(told.lost)), `lost by document ${index}`).toEqual(withoutFollowing(lost));
    counts.gained += single(told.gained).length;
    counts.lost += single(told.lost).length;
    expect(told.more).toBe(false);
  }
  console.log(JSON.stringify(counts));
  expect(Math.min(counts.gained, counts.lost)).toBeGreaterThan(50);
});

it('a plan as Markdown and JSON says who could not read before, on the server and on a snapshot', async () => {
  await server.query('CREATE ROLE payroll_app LOGIN');
  await server.query('CREATE DATABASE hr');
  await server.query(
    `CREATE TABLE payroll (id int); CREATE TABLE "odd|\n\`t\`" (id int); CREATE TABLE bonus (id int); GRANT SELECT ON bonus TO payroll_app`,
    'hr',
  );
  steward = await createSteward(server);
  const document = JSON.stringify({
    users: [{ username: 'mallory', roles: ['readers'] }],
    roles: [
      { name: 'readers', grants: [{ database: 'hr', schemas: ['public'], tables: { '*': ['SELECT'] } }] },
      { name: 'payroll_app', grants: [] },
    ],
  });
  const file = `${steward.manifests.folder}/users.json`;
  writeFileSync(file, document);
  const env = {
    DB_HOST: server.host,
    DB_PORT: String(server.port),
    DB_USER: server.user,
    DB_PASS: server.password,
    DB_SSLMODE: 'disable',
    STATE_FILE: steward.config.stateFile,
  };
  const snapshot = await callHere(['snapshot'], '', env);
  const live = await callHere(['plan', '-o', 'markdown', '--document', file, '--without-secrets'], '', env);
  const offline = await callHere(['plan', '-o', 'markdown', '--document', file, '--snapshot', '-'], snapshot.stdout, { STATE_FILE: steward.config.stateFile });
  const sections = (text: string): string =>
    text.slice(text.indexOf('#### 🔓'), text.indexOf('#### Only') < 0 ? text.indexOf('#### Beside') : text.indexOf('#### Only'));
  expect(live.stdout).toContain('`mallory` | `hr` | `SELECT on all 3 tables of schema public` | `mallory → readers: granted to readers by postgres`');
  expect(live.stdout).toContain('`payroll_app` | `hr` | `SELECT on table public.bonus` | `granted to itself by postgres`');
  expect(sections(offline.stdout)).toBe(sections(live.stdout));
  const json = await callHere(['plan', '-o', 'json', '--document', file, '--without-secrets'], '', env);
  const { access } = JSON.parse(json.stdout) as { access: { gained: readonly object[]; lost: readonly object[] } };
  expect(access.gained).toContainEqual(expect.objectContaining({ role: 'mallory', kind: 'table', count: 3, all: true, chain: ['mallory', 'readers'] }));
  expect(access.lost).toMatchObject([{ role: 'payroll_app', names: ['bonus'], count: 1 }]);
  // Whoever asks for text pays for none of it.
  expect((await callHere(['plan', '--document', file, '--without-secrets'], '', env)).stdout).not.toContain('granted to readers by');
});
