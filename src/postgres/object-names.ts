// Names of objects in a snapshot: the server sends their parts as JSON, and no part is ever found by looking for where another ends.
import type { ArgumentMode, ObjectName, Routine, TypeName } from '../model/contents.ts';
import type { ObjectKind } from '../model/kinds.ts';
import type { Row } from './query.ts';

/** pg_proc `o`: its name, its types for people, the OIDs of its arguments, and how a procedure takes them; those of a procedure that has only input are NULL. */
export const ROUTINE_NAME = `pg_catalog.json_build_array(o.proname, pg_catalog.oidvectortypes(o.proargtypes), o.prokind = 'p',
        CASE WHEN o.prokind = 'p' THEN coalesce(o.proallargtypes, o.proargtypes::pg_catalog.oid[]) ELSE o.proargtypes::pg_catalog.oid[] END,
        CASE WHEN o.prokind = 'p' THEN o.proargmodes END)`;

/** pg_class `o` and pg_attribute `a`. */
export const COLUMN_NAME = 'pg_catalog.json_build_array(o.relname, a.attname)';

/**
 * The types of all arguments of routines that are compared, by OID: a few for thousands of routines.
 * @param compared a condition on their schema `n`.
 */
export const TYPE_NAMES = (compared: string): string => {
  const argument = (types: string, where: string): string =>
    `SELECT pg_catalog.unnest(${types}) FROM pg_catalog.pg_proc o JOIN pg_catalog.pg_namespace n ON n.oid = o.pronamespace WHERE ${where} AND ${compared}`;
  return `SELECT t.oid, s.nspname, t.typname FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace s ON s.oid = t.typnamespace
   WHERE t.oid IN (${argument('o.proargtypes::pg_catalog.oid[]', 'true')} UNION ${argument('o.proallargtypes', `o.prokind = 'p'`)})`;
};

/** The same by their OIDs: found by an index. */
export const typeNamesOf = (oids: readonly number[]): string =>
  `SELECT t.oid, s.nspname, t.typname FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace s ON s.oid = t.typnamespace WHERE t.oid = ANY ('{${[...new Set(oids)].join(',')}}'::pg_catalog.oid[])`;

/** The OIDs of the types in what ROUTINE_NAME answered. */
export const argumentTypes = (json: unknown): readonly number[] => (json as RoutineJson)[3].map(Number);

const MODES: Readonly<Record<string, ArgumentMode>> = { i: 'IN', o: 'OUT', b: 'INOUT', v: 'VARIADIC' };

type RoutineJson = readonly [name: string, shown: string, isProcedure: boolean, types: readonly (string | number)[], modes: readonly string[] | null];

/** Reads names of every kind. @param types what TYPE_NAMES answered. */
export function nameReader(types: readonly Row[]): (kind: ObjectKind, json: unknown) => ObjectName {
  const byOid = new Map(types.map(([oid, schema, name]): [number, TypeName] => [Number(oid), { schema: schema as string, name: name as string }]));
  const routine = ([name, shown, isProcedure, oids, modes]: RoutineJson): Routine => ({
    name,
    shown,
    // An empty name cannot be rendered: the change that names it fails, and no other.
    types: oids.map((oid) => byOid.get(Number(oid)) ?? { schema: '', name: '' }),
    modes: isProcedure ? oids.map((_, index) => MODES[modes?.[index] ?? 'i'] ?? 'IN') : undefined,
  });
  return (kind, json) => {
    if (kind === 'function') return routine(json as RoutineJson);
    if (kind !== 'column') return json as string;
    const [table, column] = json as readonly [string, string];
    return { table, column };
  };
}
