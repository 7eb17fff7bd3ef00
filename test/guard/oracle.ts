// What breaks a guardrail, answered by the server alone: has_*_privilege and pg_has_role, asked in a transaction in which everything that does not count was taken
// out of the catalogs first, and which is rolled back. Nothing of the product is asked but the table of kinds.
import type pg from 'pg';
import { KINDS, type ObjectKind } from '../../src/model/kinds.ts';
import { type Door, DOORS, type Leading, leadingDoors } from './doors.ts';

/** A guardrail about one object, as the document has it and as it is asked. */
export interface AskedRail {
  readonly name: string;
  readonly never: string;
  readonly object: { readonly kind: ObjectKind; readonly schema: string; readonly name: string; readonly column?: string };
  readonly by: { readonly logins?: boolean; readonly roles?: boolean; readonly names?: readonly string[] };
  readonly except: readonly string[];
  readonly through: { readonly setRole: boolean; readonly ownership: boolean; readonly superuser: boolean; readonly definer: boolean | 'views' };
}

interface Place {
  readonly catalog: string;
  readonly acl: string;
  readonly owner: string;
  readonly code: string;
  readonly oid: number;
  readonly asks: string;
}

const quote = (text: string): string => `'${text.replaceAll("'", "''")}'`;

const ASKS: Partial<Record<ObjectKind, string>> = {
  database: 'has_database_privilege',
  schema: 'has_schema_privilege',
  table: 'has_table_privilege',
  sequence: 'has_sequence_privilege',
  function: 'has_function_privilege',
  type: 'has_type_privilege',
  language: 'has_language_privilege',
  foreign_data_wrapper: 'has_foreign_data_wrapper_privilege',
  foreign_server: 'has_server_privilege',
};

export const canAsk = (kind: ObjectKind): boolean => ASKS[kind] !== undefined || kind === 'column';

async function placeOf(client: pg.Client, { kind, schema, name }: AskedRail['object']): Promise<Place | undefined> {
  const { stored } = KINDS[kind === 'sequence' || kind === 'column' ? 'table' : kind];
  if (stored === undefined) return undefined;
  const own = kind === 'schema' ? name : name;
  const inSchema =
    stored.namespace === undefined || kind === 'schema' ? 'true' : `${stored.namespace} = (SELECT oid FROM pg_namespace WHERE nspname = ${quote(schema)})`;
  const { rows } = await client.query<{ oid: number }>(`SELECT o.oid FROM ${stored.catalog} o WHERE ${stored.name} = ${quote(own)} AND ${inSchema} LIMIT 1`);
  const oid = rows[0]?.oid;
  if (oid === undefined) return undefined;
  const code = kind === 'sequence' ? 's' : stored.code;
  return { catalog: stored.catalog, acl: stored.acl.slice(2), owner: stored.owner.slice(2), code, oid, asks: ASKS[kind === 'column' ? 'table' : kind] ?? '' };
}

/** How many were let in by a door, each as itself. */
export const entered = { count: 0 };

/** The names of roles, and PUBLIC, that break it. @param client a superuser's session in the database. @param doors by which it may be got around. */
export async function brokenBy(client: pg.Client, rail: AskedRail, admin: string, doors: readonly Door[]): Promise<readonly string[]> {
  const place = await placeOf(client, rail.object);
  if (place === undefined) return [];
  const found = [await within(client, () => askedIn(client, rail, place, admin))];
  for (const { door } of await within(client, () => openDoors(client, rail, place, doors))) {
    const object = { kind: door.kind, schema: DOORS, name: door.name };
    const at = await placeOf(client, object);
    const asked = { ...rail, object, never: door.kind === 'function' ? 'EXECUTE' : 'SELECT' };
    if (at !== undefined) found.push(await within(client, () => askedIn(client, asked, at, admin)));
  }
  return [...new Set(found.flat())];
}

async function within<T>(client: pg.Client, ask: () => Promise<T>): Promise<T> {
  await client.query('BEGIN; SET LOCAL allow_system_table_mods = on');
  try {
    return await ask();
  } finally {
    await client.query('ROLLBACK');
  }
}

/** The doors that lead to it, and whoever may enter does: as itself, and is let in. PUBLIC does not count, schemas make no difference, and owners may. */
async function openDoors(client: pg.Client, rail: AskedRail, { catalog, acl, owner, code, oid }: Place, doors: readonly Door[]): Promise<readonly Leading[]> {
  if (rail.through.definer === false) return [];
  const { rows } = await client.query<{ name: string }>(`SELECT pg_get_userbyid(${owner}) AS name FROM ${catalog} WHERE oid = ${oid}`);
  const named = (entries: string): string =>
    `(SELECT array_agg(makeaclitem(x.grantee, x.grantor, x.privilege_type, x.is_grantable)) FROM aclexplode(${entries}) x WHERE x.grantee <> 0)`;
  await client.query(
    `UPDATE ${catalog} t SET ${acl} = ${named(`coalesce(t.${acl}, acldefault('${code}', t.${owner})) || acldefault('${code}', t.${owner})`)} WHERE oid = ${oid}`,
  );
  if (catalog === 'pg_class') await client.query(`UPDATE pg_attribute a SET attacl = ${named('a.attacl')} WHERE attrelid = ${oid} AND attacl IS NOT NULL`);
  await client.query(`GRANT USAGE ON SCHEMA ${quoteName(DOORS)} TO PUBLIC`);
  const inDoors = `(SELECT oid FROM pg_namespace WHERE nspname = ${quote(DOORS)})`;
  await client.query(
    `UPDATE pg_class c SET relacl = ${named(`relacl || acldefault('r', relowner)`)} WHERE relacl IS NOT NULL AND oid <> ${oid} AND relnamespace = ${inDoors}`,
  );
  await client.query(
    `UPDATE pg_attribute a SET attacl = ${named('a.attacl')} FROM pg_class c WHERE c.oid = attrelid AND relnamespace = ${inDoors} AND attacl IS NOT NULL`,
  );
  await client.query(`UPDATE pg_proc SET proacl = ${named(`proacl || acldefault('f', proowner)`)} WHERE proacl IS NOT NULL AND pronamespace = ${inDoors}`);
  const open = await leadingDoors(client, rail, doors, { oid, owner: rows[0]?.name ?? '' });
  for (const { door, knock } of open) {
    const asks = door.kind === 'table' ? `has_any_column_privilege(r.oid, c.oid, 'SELECT')` : `has_function_privilege(r.oid, c.oid, 'EXECUTE')`;
    const [of, column] = door.kind === 'table' ? ['pg_class', 'relname'] : ['pg_proc', 'proname'];
    const may = await client.query<{ name: string; may: boolean }>(
      `SELECT r.rolname AS name, ${asks} AS may FROM pg_roles r, ${of} c WHERE c.${column} = ${quote(door.name)} AND NOT r.rolsuper AND r.rolname !~ '^pg_'`,
    );
    for (const one of may.rows) {
      await client.query(`SAVEPOINT enter; SET LOCAL SESSION AUTHORIZATION ${quoteName(one.name)}`);
      const isIn = await client.query<{ open: boolean }>(knock.text, [...knock.values]).then(
        (answer) => answer.rows[0]?.open === true,
        () => false,
      );
      await client.query('ROLLBACK TO enter');
      if (isIn !== one.may) throw new Error(`${one.name} ${isIn ? 'was let in' : 'was not let in'} by ${door.name} for ${JSON.stringify(rail)}`);
      if (isIn) entered.count += 1;
    }
  }
  return open;
}

const quoteName = (name: string): string => `"${name.replaceAll('"', '""')}"`;

async function askedIn(client: pg.Client, rail: AskedRail, place: Place, admin: string): Promise<readonly string[]> {
  const { catalog, acl, owner, code, oid } = place;
  const { rows: all } = await client.query<{ name: string; login: boolean; superuser: boolean }>(
    'SELECT rolname AS name, rolcanlogin AS login, rolsuper AS superuser FROM pg_roles ORDER BY rolname',
  );
  const { rows: owners } = await client.query<{ name: string }>(`SELECT pg_get_userbyid(${owner}) AS name FROM ${catalog} WHERE oid = ${oid}`);
  const ownerName = owners[0]?.name ?? '';
  const isPublic = await client.query<{ may: boolean }>(`SELECT ${holds(`'public'::name`, rail, place)} AS may`);
  // PUBLIC's entries, and the owner's own where they do not count, are taken out; and so are all that does not count.
  const taken = `x.grantee <> 0 ${rail.through.ownership ? '' : `AND x.grantee <> t.${owner}`}`;
  const kept = (entries: string): string =>
    `coalesce((SELECT array_agg(makeaclitem(x.grantee, x.grantor, x.privilege_type, x.is_grantable)) FROM aclexplode(${entries}) x WHERE ${taken}), ARRAY[makeaclitem(10, 10, 'USAGE', false)])`;
  if (catalog === 'pg_class')
    await client.query(
      `UPDATE pg_attribute a SET attacl = ${kept('a.attacl')} FROM pg_class t WHERE t.oid = a.attrelid AND t.oid = ${oid} AND a.attacl IS NOT NULL`,
    );
  await client.query(
    `UPDATE ${catalog} t SET ${acl} = ${kept(`coalesce(t.${acl}, acldefault('${code}', t.${owner}))`)} ${rail.through.ownership ? '' : `, ${owner} = 10`} WHERE oid = ${oid}`,
  );
  if (rail.except.length > 0)
    await client.query(`DELETE FROM pg_auth_members WHERE roleid = ANY (SELECT oid FROM pg_roles WHERE rolname = ANY ($1))`, [rail.except]);
  if (!rail.through.superuser) await client.query(`UPDATE pg_authid SET rolsuper = false WHERE oid <> 10`);
  const against = all.filter(
    ({ name, login, superuser }) =>
      name !== admin &&
      !rail.except.includes(name) &&
      (rail.through.superuser || !superuser) &&
      ((rail.by.logins === true && login) || (rail.by.roles === true && !name.startsWith('pg_')) || (rail.by.names ?? []).includes(name)),
  );
  const [set, owns] = await Promise.all([
    client.query<{ member: string; role: string }>(
      `SELECT a.rolname AS member, b.rolname AS role FROM pg_roles a, pg_roles b WHERE a <> b AND NOT b.rolname = ANY ($1) AND pg_has_role(a.oid, b.oid, $2)`,
      [rail.except, (await majorOf(client)) >= 16 ? 'SET' : 'MEMBER'],
    ),
    client.query<{ name: string; may: boolean }>(
      `SELECT rolname AS name, ${holds('rolname', rail, place)} ${rail.through.ownership ? `OR pg_has_role(oid, ${quote(ownerName)}::name, 'USAGE')` : ''} AS may FROM pg_roles`,
    ),
  ]);
  const may = new Map(owns.rows.map(({ name, may: has }) => [name, has && !rail.except.includes(name)]));
  const becomes = Map.groupBy(set.rows, ({ member }) => member);
  const broken = against.filter(({ name }) => {
    if (may.get(name) === true) return true;
    return rail.through.setRole && (becomes.get(name) ?? []).some(({ role }) => may.get(role) === true && (rail.through.superuser || role !== 'postgres'));
  });
  return [...(isPublic.rows[0]?.may === true ? ['public'] : []), ...broken.map(({ name }) => name)];
}

const majorOf = async (client: pg.Client): Promise<number> => {
  const { rows } = await client.query<{ major: number }>(`SELECT current_setting('server_version_num')::int / 10000 AS major`);
  return rows[0]?.major ?? 0;
};

/** Whether a role may as the server answers, on all of it or on a part. */
function holds(role: string, { object, never }: AskedRail, { asks, oid }: Place): string {
  if (object.kind === 'column') return `has_column_privilege(${role}, ${oid}::oid, ${quote(object.column ?? '')}, ${quote(never)})`;
  const whole = `${asks}(${role}, ${oid}::oid, ${quote(never)})`;
  const ofColumns = object.kind === 'table' && Object.hasOwn(KINDS.column.privileges, never);
  return ofColumns ? `(${whole} OR has_any_column_privilege(${role}, ${oid}::oid, ${quote(never)}))` : whole;
}
