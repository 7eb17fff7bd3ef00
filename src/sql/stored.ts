// SQL about objects of each kind where the catalogs have them, for whoever reads, follows or takes privileges.
import { ROUTINE_TARGET } from './sql-text.ts';
import { TRIGGER_SCHEMA } from '../model/trigger-names.ts';
import { KINDS, OBJECT_KINDS, type ObjectKind, privilegesOf, type Stored } from '../model/kinds.ts';

/** A kind with a catalog of its own. */
export interface StoredKind extends Stored {
  readonly kind: ObjectKind;
}

/** All of them, in the order in which they are read. */
export const STORED_KINDS: readonly StoredKind[] = OBJECT_KINDS.flatMap((kind) => {
  const { stored } = KINDS[kind];
  return stored === undefined ? [] : [{ kind, ...stored }];
});

const isShared = ({ kind }: StoredKind): boolean => KINDS[kind].scope === 'cluster';

/** What stands in each database. */
export const IN_DATABASES = STORED_KINDS.filter((one) => !isShared(one));

/** What all databases share; the server has a kind from the version on that has its first privilege. */
export const sharedKinds = (major: number): readonly StoredKind[] => STORED_KINDS.filter((one) => isShared(one) && privilegesOf(one.kind, major).length > 0);

/** Schemas that are neither the server's own nor ours. Without a pattern: what a backslash means in a literal is a setting of the session. */
export const notSystem = (schema: string): string =>
  `NOT pg_catalog.starts_with(${schema}::text, 'pg_') AND ${schema} NOT IN ('information_schema', 'pgsteward', '${TRIGGER_SCHEMA}')`;

/** The schema `n` of a row. */
export const schemaOf = ({ namespace }: Stored): string => (namespace === undefined ? '' : `JOIN pg_catalog.pg_namespace n ON n.oid = ${namespace}`);

/** Its rows `o`, with their schema `n`. */
export const rowsOf = (stored: Stored): string => `pg_catalog.${stored.rows ?? stored.catalog} o ${schemaOf(stored)}`.trimEnd();

/** Which rows are compared: those that have privileges of their own, and are neither the server's nor ours. */
export function comparedRows({ kind, namespace, compared }: StoredKind): string {
  const ours = kind === 'schema' ? [notSystem('o.nspname')] : namespace === undefined ? [] : [notSystem('n.nspname')];
  return [...(compared === undefined ? [] : [compared]), ...ours].join(' AND ') || 'true';
}

const sequenceOr = (sequence: string, table: string): string => `CASE WHEN o.relkind = 'S' THEN '${sequence}' ELSE '${table}' END`;

/** What a row is: tables and sequences are in one catalog. */
export const kindOf = ({ kind }: StoredKind): string => (kind === 'table' ? sequenceOr('sequence', 'table') : `'${kind}'`);

/** How acldefault() calls it. */
export const codeOf = ({ kind, code }: StoredKind): string => (kind === 'table' ? `${sequenceOr('s', 'r')}::"char"` : `'${code}'`);

/** The word in GRANT … ON; empty for a routine, whose name has it. */
export const wordOf = ({ kind, catalog }: StoredKind): string =>
  catalog === 'pg_class' ? sequenceOr('SEQUENCE', 'TABLE') : kind === 'function' ? `''` : `'${KINDS[kind].keyword}'`;

/** Its name as GRANT takes it after the word. */
export function quotedName({ kind, name, namespace }: StoredKind): string {
  if (kind === 'function') return ROUTINE_TARGET;
  if (kind === 'large_object') return name;
  return namespace === undefined ? `pg_catalog.quote_ident(${name})` : `pg_catalog.format('%I.%I', n.nspname, ${name})`;
}

/** The whole of what stands in GRANT … ON. */
export function targetOf(stored: StoredKind): string {
  const { kind, name, namespace } = stored;
  if (kind === 'function') return ROUTINE_TARGET;
  const names = namespace === undefined ? ['%I', name] : ['%I.%I', `n.nspname, ${name}`];
  return kind === 'table'
    ? `pg_catalog.format('%s ${names[0]}', ${wordOf(stored)}, ${names[1]})`
    : `pg_catalog.format('${KINDS[kind].keyword} ${names[0]}', ${names[1]})`;
}
