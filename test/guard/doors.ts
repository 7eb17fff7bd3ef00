// Views and functions with SECURITY DEFINER of random owners, open to random roles, and whether they lead anywhere: they are run, and what they answer is what counts.
import type pg from 'pg';
import { KINDS, type ObjectKind } from '../../src/model/kinds.ts';
import { numbersFrom, quoted } from '../explain/random-access.ts';
import type { AskedRail } from './oracle.ts';

export interface Door {
  readonly kind: 'table' | 'function';
  readonly name: string;
  /** Another door, or the table at the end. */
  readonly reads?: string;
  readonly copy: boolean;
  /** It reads with the rights of whoever asks: it opens for nobody else. */
  readonly invoker: boolean;
}

export const DOORS = 'doors "ä"';
const TABLE = 'base';

/** Asks each text in turn with its owner's rights, and everybody else of its kind: a function that does whatever it can. */
const probe = (
  index: number,
  count: number,
): string => `CREATE FUNCTION ${quoted(DOORS)}.probe_${index}(asked text[], depth int) RETURNS boolean LANGUAGE plpgsql
  SECURITY DEFINER AS $body$
DECLARE one text; ok boolean;
BEGIN
  FOREACH one IN ARRAY asked LOOP
    BEGIN EXECUTE one INTO ok; IF ok THEN RETURN true; END IF; EXCEPTION WHEN insufficient_privilege THEN NULL; END;
  END LOOP;
  FOR at IN 0..CASE WHEN depth > 0 THEN ${count - 1} ELSE -1 END LOOP
    BEGIN
      EXECUTE format('SELECT ${quoted(DOORS)}.probe_%s($1, $2)', at) INTO ok USING asked, depth - 1;
      IF ok THEN RETURN true; END IF;
    EXCEPTION WHEN insufficient_privilege THEN NULL; END;
  END LOOP;
  RETURN false;
END $body$`;

const PROBES = 3;

/** Makes them in the session's database, as a superuser. */
export async function makeDoors(client: pg.Client, seed: number, roles: readonly string[], major: number): Promise<readonly Door[]> {
  const pick = numbersFrom(seed * 3_266_489_917 + 11);
  const chance = (percent: number): boolean => pick(100) < percent;
  const of = <T>(all: readonly T[]): T => all[pick(all.length)] as T;
  const doors: Door[] = [];
  const schema = quoted(DOORS);
  const grantees = (): string => (chance(8) ? 'PUBLIC' : quoted(of(roles)));
  await client.query(
    `CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.${TABLE} (id int, note text); ALTER TABLE ${schema}.${TABLE} OWNER TO ${quoted(of(roles))}`,
  );
  for (let at = 0; at < 3; at += 1) if (chance(60)) await client.query(`GRANT SELECT ON ${schema}.${TABLE} TO ${grantees()}`);
  for (let at = 0; at < 5; at += 1) {
    const reads = at === 0 || chance(40) ? TABLE : `v${pick(at)}`;
    const name = `v${at}`;
    const body = `VIEW ${schema}.${name} AS SELECT count(*)::int AS id FROM ${schema}.${reads}`;
    // What nobody can read now cannot be copied.
    const copy =
      chance(15) &&
      (await client.query(`CREATE MATERIALIZED ${body}`).then(
        () => true,
        () => false,
      ));
    if (!copy) await client.query(`CREATE ${body}`);
    const invoker = !copy && major >= 15 && chance(25);
    if (invoker) await client.query(`ALTER VIEW ${schema}.${name} SET (security_invoker)`);
    await client.query(`ALTER ${copy ? 'MATERIALIZED ' : ''}VIEW ${schema}.${name} OWNER TO ${quoted(of(roles))}`);
    for (let grant = pick(3); grant > 0; grant -= 1) await client.query(`GRANT SELECT${chance(20) ? ' (id)' : ''} ON ${schema}.${name} TO ${grantees()}`);
    if (chance(20)) await client.query(`REVOKE SELECT ON ${schema}.${name} FROM ${quoted(of(roles))} CASCADE`);
    doors.push({ kind: 'table', name, reads, copy, invoker });
  }
  for (let at = 0; at < PROBES; at += 1) {
    await client.query(probe(at, PROBES));
    const name = `${schema}.probe_${at}`;
    await client.query(`ALTER FUNCTION ${name} OWNER TO ${quoted(of(roles))}; REVOKE EXECUTE ON FUNCTION ${name} FROM PUBLIC`);
    for (let grant = pick(3); grant > 0; grant -= 1) await client.query(`GRANT EXECUTE ON FUNCTION ${name} TO ${grantees()}`);
    doors.push({ kind: 'function', name: `probe_${at}`, copy: false, invoker: false });
  }
  return doors;
}

/** What a rail can be about beside everything else: the table behind the doors. */
export const BEHIND = { kind: 'table', database: '', schema: DOORS, name: TABLE } as const;

/** Whether views may lead there: the rail is about the table that they read. */
const isBehind = ({ object, never }: AskedRail): boolean => object.schema === DOORS && object.name === TABLE && object.kind === 'table' && never === 'SELECT';

const ASKED: Partial<Record<ObjectKind, string>> = {
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

/** As which statement somebody finds out whether a door lets it in. */
const knock = (door: Door, asked: readonly string[]): { readonly text: string; readonly values: readonly unknown[] } =>
  door.kind === 'table'
    ? { text: `SELECT count(*) >= 0 AS open FROM ${quoted(DOORS)}.${door.name}`, values: [] }
    : { text: `SELECT ${quoted(DOORS)}.${door.name}($1::text[], ${PROBES}) AS open`, values: [asked] };

export interface Leading {
  readonly door: Door;
  readonly knock: ReturnType<typeof knock>;
}

/** The doors of this rail that open: each is tried in a transaction of a superuser, who runs it with the rights of its owner alone. */
export async function leadingDoors(
  client: pg.Client,
  rail: AskedRail,
  doors: readonly Door[],
  place: { readonly oid: number; readonly owner: string },
): Promise<readonly Leading[]> {
  const { definer } = rail.through;
  if (definer === false || rail.never === 'CONNECT') return [];
  const isOpen = async (query: ReturnType<typeof knock>, view?: Door): Promise<boolean> => {
    await client.query('SAVEPOINT knock');
    try {
      // Somebody who has this view and nothing else.
      if (view !== undefined)
        await client.query(`CREATE ROLE knocker; GRANT SELECT ON ${quoted(DOORS)}.${view.name} TO knocker; SET LOCAL SESSION AUTHORIZATION knocker`);
      const { rows } = await client.query<{ open: boolean }>(query.text, [...query.values]);
      return rows[0]?.open === true;
    } catch {
      return false;
    } finally {
      await client.query('ROLLBACK TO knock');
    }
  };
  const found: Leading[] = [];
  const views = isBehind(rail) ? doors.filter(({ kind, reads }) => kind === 'table' && reads !== undefined) : [];
  for (const door of views) {
    const query = knock(door, []);
    if (!door.invoker && (door.copy || (await isOpen(query, door)))) found.push({ door, knock: query });
  }
  if (definer !== true) return found;
  const { kind, schema, name } = rail.object;
  const full = `${quoted(schema)}.${quoted(name)}`;
  const column = rail.object.column === undefined ? undefined : rail.object.column.replaceAll("'", "''");
  const ask = ASKED[kind];
  const may =
    column === undefined
      ? `${ask}(current_user, ${place.oid}::oid, '${rail.never}')${kind === 'table' && Object.hasOwn(KINDS.column.privileges, rail.never) ? ` OR has_any_column_privilege(current_user, ${place.oid}::oid, '${rail.never}')` : ''}`
      : `has_column_privilege(current_user, ${place.oid}::oid, '${column}', '${rail.never}')`;
  const asked = [
    isBehind(rail) ? `SELECT count(*) >= 0 FROM ${full}` : `SELECT ${may}`,
    `SELECT pg_has_role(current_user, '${place.owner.replaceAll("'", "''")}'::name, 'USAGE')`,
    ...found.map((one) => one.knock.text),
  ];
  for (const door of doors) {
    const query = knock(door, asked);
    if (door.kind === 'function' && (await isOpen(query))) found.push({ door, knock: query });
  }
  return found;
}
