// What is read of a database for guardrails, beside what is compared: only the objects that some guardrail is about, with the entries of everybody.
import type { GuardTarget } from '../model/guardrails.ts';
import { KINDS, type ObjectKind } from '../model/kinds.ts';
import { functionPattern, isEverything, isGlob } from '../model/pattern.ts';
import { kindsOf } from '../guard/rails.ts';
import { IN_DATABASES, type StoredKind } from '../sql/stored.ts';
import { literal } from '../sql/sql-text.ts';
import { entriesSql } from './acl-sql.ts';
import { objectSources, type Source } from './object-sources.ts';

/** Everybody's entries. */
export const everybody = (): string => 'true';

/** Nothing of it is compared: what has no ACL of its own gives nobody anything, but for its owner. */
const SOURCES = objectSources({ grantees: [], columns: false, largeObjects: true });

/** The objects that the targets are about, as those that are compared are read. */
export function guardedSources(targets: readonly GuardTarget[]): readonly Source[] {
  return IN_DATABASES.flatMap((stored, index) => {
    const source = SOURCES[index];
    const about = targets.filter((target) => isOfRows(stored, target));
    if (source === undefined || about.length === 0) return [];
    return [{ ...source, where: `${source.where ?? 'true'} AND (${conditionsOf(stored.kind, about)})` }];
  });
}

const isOfRows = ({ kind }: StoredKind, target: GuardTarget): boolean =>
  kindsOf(target).some((one) => one === kind || (kind === 'table' && one === 'sequence'));

/** Which rows `o`, with their schema `n`, some target may be about. */
export function conditionsOf(kind: ObjectKind, targets: readonly GuardTarget[]): string {
  const stored = IN_DATABASES.find((one) => one.kind === kind);
  return stored === undefined ? 'false' : [...new Set(targets.map((target) => conditionOf(stored, target)))].join(' OR ');
}

/** Wider than the target at most: what comes is compared once more. */
function conditionOf({ kind, name, namespace }: StoredKind, target: GuardTarget): string {
  const own = target.kind === 'function' ? functionPattern(target.name).name : target.name;
  const relation = kind === 'table' ? [`o.relkind ${target.kind === 'sequence' ? '=' : '<>'} 'S'`] : [];
  const schema = namespace !== undefined && KINDS[target.kind].scope === 'schema' ? [like('n.nspname', target.schema)] : [];
  const parts = [...relation, ...schema, like(kind === 'column' ? 'o.relname' : name, own)].filter((part) => part !== 'true');
  return parts.length === 0 ? 'true' : `(${parts.join(' AND ')})`;
}

/** A pattern as SQL. In the type text, so that no name is cut; with a character of its own as the escape, as what a backslash means is a setting. */
function like(column: string, pattern: string): string {
  if (isEverything(pattern)) return 'true';
  if (!isGlob(pattern)) return `${column}::text = ${literal(pattern)}::text`;
  const text = pattern.replaceAll(/[!%_]/g, '!$&').replaceAll(/\*+/g, '%');
  return `${column}::text LIKE ${literal(text)}::text ESCAPE '!'`;
}

/** The database itself, in the form of a group. */
export const GUARDED_DATABASE = `SELECT 'database', '', pg_catalog.pg_get_userbyid(d.datdba), false, d.datacl IS NULL, pg_catalog.json_build_array(d.datname),
    ${entriesSql(`coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba))`, 'd.datdba', everybody)}, false
  FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()`;

/** Default privileges for kinds that some target is about, with the entries of everybody. */
export function guardedDefaults(targets: readonly GuardTarget[]): string | undefined {
  const codes = [...new Set(targets.flatMap(kindsOf).flatMap((kind) => KINDS[kind].defaults?.code ?? []))];
  if (codes.length === 0) return undefined;
  return `SELECT pg_catalog.pg_get_userbyid(d.defaclrole), coalesce(n.nspname, ''), d.defaclobjtype, ${entriesSql('d.defaclacl', 'd.defaclrole', everybody)}
   FROM pg_catalog.pg_default_acl d LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace
   WHERE d.defaclobjtype IN (${codes.map((code) => `'${code}'`).join(', ')})`;
}
