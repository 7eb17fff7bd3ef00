// One object with its whole ACL, and what stands around it, as access to it is explained from.
import type pg from 'pg';
import { kindWords, type ObjectKind } from '../model/kinds.ts';
import { type ObjectReference, ObjectNameError, written } from '../explain/object-name.ts';
import type { Securable, Surroundings } from '../explain/securable.ts';
import { schemaOf } from '../sql/stored.ts';
import type { Row } from './query.ts';
import { type Asked, objectColumns, type ObjectRow, policiesOf, securable, storedOf } from './securable-sql.ts';

/** An object as it was found. */
export interface FoundObject {
  readonly object: Securable;
  readonly around: Surroundings;
  /** By which has_*_privilege is asked. */
  readonly oid: number;
  /** Of a column, its number. */
  readonly attnum: number;
  /** Views may read it. */
  readonly isRelation: boolean;
}

async function rowsOf(client: pg.ClientBase, asked: Asked, where: string, more: readonly unknown[]): Promise<readonly ObjectRow[]> {
  const stored = storedOf(asked.kind);
  const { list, row } = objectColumns(stored);
  const inSchema = stored.namespace === undefined ? '$2::text IS NULL' : 'n.nspname = $2::text';
  const ownRows = stored.compared !== undefined && stored.catalog === 'pg_class' ? stored.compared : 'true';
  const { rows } = await client.query<unknown[]>({
    text: `SELECT ${list} FROM pg_catalog.${stored.rows ?? stored.catalog} o ${schemaOf(stored)}
      WHERE ${stored.name}::text = $1::text AND ${inSchema} AND ${ownRows} AND ${where}`,
    values: [asked.name, stored.namespace === undefined ? null : (asked.schema ?? null), ...more],
    rowMode: 'array',
  });
  return (rows as readonly Row[]).map(row);
}

/**
 * Reads an object in the transaction that has begun, in its own database where it is in one.
 * @throws ObjectNameError where there is none.
 */
export async function readObject(client: pg.ClientBase, database: string, asked: ObjectReference, major: number): Promise<FoundObject> {
  const found = await (asked.kind === 'function'
    ? routine(client, asked)
    : asked.kind === 'parameter'
      ? parameter(client, asked, major)
      : plain(client, asked));
  const attnum = asked.column === undefined ? 0 : await columnNumber(client, found.oid, asked.column);
  const object = securable(asked, found);
  const own = { kind: 'database', name: asked.kind === 'database' ? asked.name : database } as const;
  const around = await plain(client, own);
  const schema = asked.schema === undefined || asked.kind === 'schema' ? undefined : await plain(client, { kind: 'schema', name: asked.schema });
  return {
    object,
    oid: found.oid,
    attnum,
    isRelation: RELATIONS.has(object.kind),
    around: {
      database: { ...securable(own, around), allowsConnections: await allowsConnections(client, around.oid) },
      schema: schema === undefined ? undefined : securable({ kind: 'schema', name: asked.schema ?? '' }, schema),
      rowSecurity: found.rowSecurity ? { forced: found.forced, policies: policiesOf(found.policies) } : undefined,
      remarks: found.remark === null ? [] : [found.remark],
    },
  };
}

const RELATIONS: ReadonlySet<ObjectKind> = new Set(['table', 'column']);

async function plain(client: pg.ClientBase, asked: Asked): Promise<ObjectRow> {
  const [found] = await rowsOf(client, asked, 'true', []);
  if (found === undefined || (asked.kind === 'sequence' && found.kind !== 'sequence') || (asked.kind === 'column' && found.kind !== 'table'))
    throw new ObjectNameError(await missing(client, asked));
  return found;
}

/** What is said where there is none: with the part of the name that is missing first. */
async function missing(client: pg.ClientBase, { kind, schema, name }: Asked): Promise<string> {
  const what = kind === 'table' ? 'table, view or sequence' : kind === 'column' ? 'table or view' : kindWords(kind);
  const { rowCount } = await client.query('SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1::text', [schema ?? 'pg_catalog']);
  if (rowCount === 0) return `there is no schema ${written(schema ?? '')} in that database`;
  return `there is no ${what} ${[...(schema === undefined ? [] : [schema]), name].map(written).join('.')}${kind === 'table' ? ' (an index has no privileges of its own)' : ''}; capital letters need double quotes`;
}

/** A routine by its name and the types of its input arguments. */
async function routine(client: pg.ClientBase, asked: Asked): Promise<ObjectRow> {
  const types: number[] = [];
  for (const type of asked.arguments ?? []) types.push(await typeOf(client, type));
  const found =
    asked.arguments === undefined
      ? await rowsOf(client, asked, 'true', [])
      : await rowsOf(client, asked, `o.proargtypes = $3::pg_catalog.oidvector`, [types.join(' ')]);
  const [only, another] = found;
  if (only === undefined) throw new ObjectNameError(await missing(client, asked));
  if (another !== undefined)
    throw new ObjectNameError(
      `there are ${found.length} functions ${written(asked.name)}: say which one with the types of its arguments, as f(int, text) or f()`,
    );
  return only;
}

/** Nothing that others made is run by it: there is no length behind the type that a function of theirs could look at. */
async function typeOf(client: pg.ClientBase, type: string): Promise<number> {
  const unknown = new ObjectNameError(`there is no type ${type}: one that is not the server's own needs its schema, as public.mood`);
  // Below 16 what is no type at all is an error, after which nothing else could be read.
  await client.query('SAVEPOINT type');
  try {
    const { rows } = await client.query<{ oid: number | null }>('SELECT pg_catalog.to_regtype($1::text)::oid AS oid', [type]);
    if (typeof rows[0]?.oid !== 'number') throw unknown;
    return rows[0].oid;
  } catch {
    throw unknown;
  } finally {
    await client.query('ROLLBACK TO SAVEPOINT type');
  }
}

/** Most parameters have no row: nobody was granted anything on them. */
async function parameter(client: pg.ClientBase, asked: Asked, major: number): Promise<ObjectRow> {
  if (major < 15) throw new ObjectNameError(`the server is PostgreSQL ${major}: parameters have privileges from 15 on`);
  const { rows } = await client.query<{ context: string }>('SELECT context FROM pg_catalog.pg_settings WHERE lower(name) = $1::text', [asked.name]);
  const context = rows[0]?.context;
  const [found] = await rowsOf(client, asked, 'true', []);
  if (context === undefined && found === undefined) throw new ObjectNameError(`there is no parameter ${written(asked.name)}, as far as this session knows`);
  const remark =
    context === 'user' ? 'anybody may SET it for their own session, whatever its ACL says' : context === undefined ? null : `its context is ${context}`;
  const nothing = { oid: 0, kind: 'parameter', types: null, owner: '', untouched: true, entries: [], ...NO_ROW } as const;
  return { ...(found ?? nothing), owner: '', remark };
}

const NO_ROW = { isCatalog: false, columns: null, rowSecurity: false, forced: false, policies: null, remark: null } as const;

async function columnNumber(client: pg.ClientBase, relation: number, column: string): Promise<number> {
  const { rows } = await client.query<{ attnum: number }>(
    'SELECT attnum FROM pg_catalog.pg_attribute WHERE attrelid = $1::oid AND attname = $2::text AND NOT attisdropped',
    [relation, column],
  );
  const [found] = rows;
  if (found === undefined) throw new ObjectNameError(`there is no column ${written(column)} in it; capital letters need double quotes`);
  return found.attnum;
}

async function allowsConnections(client: pg.ClientBase, oid: number): Promise<boolean> {
  const { rows } = await client.query<{ datallowconn: boolean }>('SELECT datallowconn FROM pg_catalog.pg_database WHERE oid = $1::oid', [oid]);
  return rows[0]?.datallowconn === true;
}

/** The function by which the server answers for a kind, and the first major version that has it. */
const ASKED_BY: Readonly<Record<ObjectKind, readonly [name: string, since: number]>> = {
  database: ['has_database_privilege', 14],
  schema: ['has_schema_privilege', 14],
  table: ['has_table_privilege', 14],
  sequence: ['has_sequence_privilege', 14],
  function: ['has_function_privilege', 14],
  type: ['has_type_privilege', 14],
  column: ['has_column_privilege', 14],
  language: ['has_language_privilege', 14],
  foreign_data_wrapper: ['has_foreign_data_wrapper_privilege', 14],
  foreign_server: ['has_server_privilege', 14],
  large_object: ['has_largeobject_privilege', 18],
  tablespace: ['has_tablespace_privilege', 14],
  parameter: ['has_parameter_privilege', 15],
};

/** What the server itself says; undefined where it has no answer for the kind. @param role `public` is PUBLIC to the server too. */
export async function askServer(
  client: pg.ClientBase,
  { object, oid, attnum }: FoundObject,
  role: string,
  privilege: string,
  major: number,
): Promise<boolean | undefined> {
  const [name, since] = ASKED_BY[object.kind];
  if (major < since) return undefined;
  const [which, values] =
    object.kind === 'parameter' ? ['$3::text', [object.name]] : object.kind === 'column' ? ['$3::oid, $4::int2', [oid, attnum]] : ['$3::oid', [oid]];
  const { rows } = await client.query<{ may: boolean | null }>(`SELECT pg_catalog.${name}($1::name, ${which}, $2::text) AS may`, [role, privilege, ...values]);
  return rows[0]?.may ?? undefined;
}
