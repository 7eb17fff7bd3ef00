// Random servers, documents and guardrails: what is told to be broken is what the server itself answers, and no plan breaks anything that was not broken.
import type pg from 'pg';
import { afterAll, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { KINDS, privilegesOf } from '../../src/model/kinds.ts';
import { numbersFrom, quoted, type RandomServer, randomServer } from '../explain/random-access.ts';
import { quietServerForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';
import type { ObjectReference } from '../../src/explain/object-name.ts';
import { BEHIND, type Door, makeDoors } from './doors.ts';
import { type AskedRail, brokenBy, canAsk, entered } from './oracle.ts';

/** How many servers, and the first seed. */
const CASES = Number(process.env['CASES'] ?? 300);
const FIRST = Number(process.env['GUARD_SEED'] ?? 1);

let postgres: Postgres;
let admin: pg.Client;
quietServerForAll((server, session) => {
  [postgres, admin] = [server, session];
});

/** One as a document has it. */
const written = ({ object, by, ...rail }: AskedRail, database: string): object => {
  const { kind, schema, name, column } = object;
  const on =
    kind === 'database'
      ? {}
      : kind === 'schema'
        ? { schema: name }
        : column === undefined
          ? { ...(KINDS[kind].scope === 'schema' ? { schema } : {}), [KINDS[kind].key ?? '']: [name] }
          : { schema, columns: { [name]: [column] } };
  return {
    ...rail,
    except: rail.except.length === 0 ? undefined : rail.except,
    on: { database, ...on },
    by: by.logins === true ? '*' : by.roles === true ? 'roles' : by.names,
  };
};

interface Case {
  readonly rails: readonly AskedRail[];
  readonly document: (entries: boolean) => object;
}

function caseOf(server: RandomServer, doors: readonly Door[], seed: number, major: number): Case {
  const pick = numbersFrom(seed * 2_246_822_519 + 7);
  const chance = (percent: number): boolean => pick(100) < percent;
  const of = <T>(all: readonly T[]): T => all[pick(all.length)] as T;
  const some = (all: readonly string[], percent: number): readonly string[] => all.filter(() => chance(percent));
  const behind: ObjectReference = { ...BEHIND, database: server.database };
  const objects = [...server.objects, behind, ...doors.map(({ kind, name }): ObjectReference => ({ ...behind, kind, name }))].filter(
    ({ kind, database, schema }) => database !== undefined && schema !== 'pg_catalog' && canAsk(kind),
  );
  const roles = [...server.roles];
  const fresh = [`n${seed}_user`, `n${seed} "é"; DROP ROLE`, `n${seed}_role`];
  const rails = Array.from({ length: 4 + pick(8) }, (_, index): AskedRail => {
    const isBehind = chance(35);
    const { kind, schema = '', name, column } = isBehind ? behind : of(objects);
    const by = chance(50) ? { logins: true } : chance(50) ? { roles: true } : { names: [of(roles), of(fresh)] };
    const through = { setRole: chance(75), ownership: chance(70), superuser: chance(20), definer: false as boolean | 'views' };
    const never = isBehind ? 'SELECT' : of(privilegesOf(kind, major));
    // What is asked of doors is whether they read: through others nobody writes here, and no column is read.
    const isAsked = isBehind || (kind !== 'table' && kind !== 'column');
    if (isAsked && chance(70)) through.definer = chance(25) ? 'views' : true;
    return {
      name: `g${index}`,
      never,
      object: { kind, schema, name, ...(column === undefined ? {} : { column }) },
      by,
      except: some([...roles, fresh[2] ?? ''], 15),
      through,
    };
  });
  const block = (): object => {
    const { kind, schema = '', name, column, arguments: types } = of(objects);
    const actions = [of(privilegesOf(kind, major))];
    const base = { database: server.database };
    if (kind === 'database') return { ...base, databasePrivileges: actions };
    if (kind === 'schema') return { ...base, schemas: { [name]: actions } };
    if (column !== undefined) return { ...base, schemas: { [schema]: [] }, columns: { [name]: { [column]: actions } } };
    const own = types === undefined ? name : name;
    return {
      ...base,
      ...(KINDS[kind].scope === 'schema' ? { schemas: { [schema]: [] } } : {}),
      [KINDS[kind].key ?? '']: { [chance(25) && KINDS[kind].scope === 'schema' ? '*' : own]: actions },
    };
  };
  const blocks = (): object => ({ grants: Array.from({ length: pick(4) }, block), grantsMode: chance(70) ? 'additive' : 'authoritative' });
  const member = (): readonly object[] =>
    some([...roles, fresh[2] ?? '', 'pg_read_all_data'], 18).map((name) => ({
      name,
      ...(major >= 16 && chance(50) ? { inherit: chance(50), set: chance(50) } : {}),
    }));
  const asUsers = some(roles, 35);
  const entries = {
    roles: [fresh[2] ?? '', ...some(roles, 25).filter((name) => !asUsers.includes(name))].map((name) => ({
      name,
      ...blocks(),
      memberOf: member().filter((one) => (one as { name: string }).name !== name),
    })),
    users: [fresh[0] ?? '', fresh[1] ?? '', ...asUsers].map((username) => ({
      username,
      password: 'none',
      database: server.database,
      login: chance(80),
      roles: member().filter((one) => (one as { name: string }).name !== username),
      ...blocks(),
    })),
    databases: [
      {
        name: server.database,
        ...(chance(30) ? { owner: of(roles) } : {}),
        ...(chance(25) ? { public: [{ schemas: ['public'], tables: { m: ['SELECT'] } }] } : {}),
      },
    ],
  };
  const only = { users: [{ username: fresh[0] ?? '', password: 'none', login: false, database: server.database }] };
  const guardrails = rails.map((rail) => written(rail, server.database));
  return { rails, document: (hasEntries) => ({ guardrails, ...(hasEntries ? entries : only) }) };
}

/** What the server answers, as `rail who`. */
async function answered(server: RandomServer, rails: readonly AskedRail[], doors: readonly Door[]): Promise<ReadonlySet<string>> {
  const client = await postgres.client(server.database);
  try {
    const found: string[] = [];
    for (const rail of rails) for (const who of await brokenBy(client, rail, 'postgres', doors)) found.push(JSON.stringify([rail.name, who]));
    return new Set(found);
  } finally {
    await client.end();
  }
}

const told = (notices: readonly { readonly kind: string; readonly subject: string; readonly message: string }[]): ReadonlySet<string> =>
  new Set(
    notices.flatMap(({ kind, subject, message }) =>
      kind === 'guardrail_broken' ? [JSON.stringify([/^breaks the guardrail (\S+):/.exec(message)?.[1], subject])] : [],
    ),
  );

const counted = { cases: 0, broken: 0, refused: 0, done: 0 };
afterAll(() => console.log(JSON.stringify({ ...counted, entered: entered.count })));

it.each(Array.from({ length: CASES }, (_, index) => FIRST + index))('server %i', async (seed) => {
  const server = await randomServer(admin, (database) => postgres.client(database), seed, postgres.major);
  const maker = await postgres.client(server.database);
  const doors = await makeDoors(maker, seed, server.roles, postgres.major);
  await maker.end();
  const { rails, document } = caseOf(server, doors, seed, postgres.major);
  let steward: Steward | undefined;
  try {
    steward = await createSteward(postgres, { EVENT_TRIGGERS: seed % 2 === 0 ? 'off' : 'auto', RETRY_BACKOFF_BASE: '1', DELETION_POLICY: 'retain' });
    const before = await answered(server, rails, doors);
    steward.manifests.users(stringify(document(false)));
    const first = await steward.cycle();
    expect(first.problems.filter(({ severity }) => severity === 'error')).toEqual([]);
    expect([...told(first.notices)].toSorted(), `broken on server ${seed}`).toEqual([...before].toSorted());

    steward.manifests.users(stringify(document(true)));
    const report = await steward.cycle();
    const after = await answered(server, rails, doors);
    const allowed = new Set(before);
    expect(
      [...after].filter((one) => !allowed.has(one)),
      `made by the plan on server ${seed}`,
    ).toEqual([]);
    // Of entries that are wrong nothing is done, but everything is told all the same.
    if (report.result !== 'failed') expect([...told(report.notices)].toSorted(), `broken afterwards on server ${seed}`).toEqual([...after].toSorted());
    counted.cases += 1;
    counted.broken += before.size;
    counted.refused += report.guardrails.reduce((sum, { refused }) => sum + refused, 0);
    counted.done += report.outcomes.filter(({ result }) => result === 'applied').length;
  } finally {
    await steward?.close();
    await admin.query('DROP SCHEMA IF EXISTS pgsteward CASCADE');
    await admin.query(`DROP DATABASE ${quoted(server.database)} WITH (FORCE)`);
    const { rows } = await admin.query<{ name: string }>(`SELECT rolname AS name FROM pg_roles WHERE rolname !~ '^pg_' AND rolname <> 'postgres'`);
    for (const { name } of rows) await admin.query(`DROP OWNED BY ${quoted(name)} CASCADE`);
    // What somebody passed on of what all databases share stays behind otherwise.
    await admin.query(`SET allow_system_table_mods = on; UPDATE pg_tablespace SET spcacl = NULL WHERE spcacl IS NOT NULL`);
    if (postgres.major >= 15) await admin.query('DELETE FROM pg_parameter_acl');
    await admin.query(`DELETE FROM pg_shdepend WHERE deptype = 'a' AND dbid = 0 AND classid <> 'pg_database'::regclass; RESET allow_system_table_mods`);
    for (const { name } of rows) await admin.query(`DROP ROLE ${quoted(name)}`);
  }
});
