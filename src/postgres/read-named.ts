// What else there is to know of the names of an object, to find it in the audit log and among the rules of a document.
import type pg from 'pg';
import type { ObjectReference } from '../explain/object-name.ts';
import type { TypeName } from '../model/contents.ts';
import type { FoundObject } from './read-securable.ts';
import type { NamedObject } from './recorded-steps.ts';
import { storedOf } from './securable-sql.ts';

interface Row {
  readonly extension: boolean;
  readonly shown: string | null;
  readonly types: readonly (readonly [schema: string, name: string])[] | null;
}

/** An object as rules and statements name it. */
export interface KnownObject extends NamedObject {
  /** Of a routine, the types of its input arguments as rules name them. */
  readonly shownTypes: string | undefined;
  /** A member of an extension, which patterns leave out. */
  readonly exactOnly: boolean;
}

/** A procedure's OUT arguments are named as well, as only they may tell it from others. */
const ROUTINE = `SELECT pg_catalog.oidvectortypes(o.proargtypes) AS shown, (SELECT json_agg(json_build_array(s.nspname, t.typname) ORDER BY x.place)
    FROM unnest(CASE WHEN o.prokind = 'p' THEN coalesce(o.proallargtypes, o.proargtypes::oid[]) ELSE o.proargtypes::oid[] END) WITH ORDINALITY x (type, place)
    JOIN pg_catalog.pg_type t ON t.oid = x.type JOIN pg_catalog.pg_namespace s ON s.oid = t.typnamespace) AS types
  FROM pg_catalog.pg_proc o WHERE o.oid = $1`;

/** Reads it in the transaction that has begun where the object is. */
export async function readNamed(client: pg.ClientBase, asked: ObjectReference, { object, around, oid }: FoundObject): Promise<KnownObject> {
  const { kind } = object;
  const isRoutine = kind === 'function';
  const { rows } = await client.query<Row>(
    `SELECT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = $2::pg_catalog.regclass AND d.objid = $1::pg_catalog.oid AND d.deptype = 'e') AS extension,
       r.shown, r.types FROM ${isRoutine ? `(${ROUTINE})` : '(SELECT NULL::text AS shown, NULL::json AS types)'} r`,
    [oid, `pg_catalog.${storedOf(kind).catalog}`],
  );
  const [row] = rows;
  const types = (row?.types ?? []).map(([schema, name]): TypeName => ({ schema, name }));
  return {
    kind,
    database: around.database.name,
    schema: asked.schema,
    name: asked.name,
    column: asked.column,
    types: isRoutine ? types : undefined,
    shownTypes: isRoutine ? (row?.shown ?? '') : undefined,
    exactOnly: row?.extension === true,
    owner: object.owner,
  };
}
