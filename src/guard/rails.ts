// Rails: the guardrails of the operator and of a document as they hold on one server, and what each is about.
import type { Document } from '../model/entries.ts';
import { type ObjectName, furtherName, ownName } from '../model/contents.ts';
import { type Guardrail, type GuardTarget, meansDatabase } from '../model/guardrails.ts';
import { KINDS, type ObjectKind, privilegesOf } from '../model/kinds.ts';
import { onceFor } from '../model/once-for.ts';
import { functionPattern, matches } from '../model/pattern.ts';

/** A database as patterns know it. */
export type Named = Parameters<typeof meansDatabase>[1];

/** Stands for a database where something is in none: no database is called so. */
export const SHARED = '';

/** Whether it is about tablespaces or parameters, which all databases share; nothing else stands beside them. */
export const isShared = ({ targets }: Pick<Guardrail, 'targets'>): boolean =>
  targets.some(({ kind }) => kind !== 'database' && KINDS[kind].scope === 'cluster');

/** A guardrail as it holds here. */
export interface Rail extends Guardrail {
  readonly isIn: (database: Named) => boolean;
}

/**
 * All guardrails, those of the operator first: a document adds to them, and takes nothing away. Its own are about the databases that it names.
 */
export function railsOf(document: Document, operator: readonly Guardrail[], defaultDatabase: string): readonly Rail[] {
  const own = document.guardrails ?? [];
  if (own.length + operator.length === 0) return [];
  const named = own.length === 0 ? [] : databasesOf(document, defaultDatabase);
  return [...operator, ...own].map((rail) => {
    const patterns = rail.databases ?? [defaultDatabase];
    const isInNone = isShared(rail);
    const isIn = (database: Named): boolean =>
      database.name === SHARED || isInNone
        ? database.name === SHARED && isInNone
        : meansDatabase(patterns, database) && (rail.origin === 'operator' || meansDatabase(named, database));
    return { ...rail, isIn };
  });
}

/** Databases that a document names anywhere, as patterns. */
function databasesOf({ databases, users, roles }: Document, defaultDatabase: string): readonly string[] {
  const rules = new Set([...users, ...roles].flatMap((entry) => (entry.rules === undefined ? [] : [entry.rules])));
  return [
    ...new Set([
      ...databases.map(({ name }) => name),
      ...users.flatMap((user) => [user.database ?? defaultDatabase, ...user.databases]),
      ...[...rules].flatMap((list) => list.flatMap((rule) => (rule.database === '' ? [] : [rule.database ?? defaultDatabase]))),
    ]),
  ];
}

/** The kinds of objects in whose ACLs somebody gets at what a target names: columns give parts of their tables, and tables all of their columns. */
export const kindsOf = ({ kind }: GuardTarget): readonly ObjectKind[] => (kind === 'table' || kind === 'column' ? ['table', 'column'] : [kind]);

/** The privileges of a guardrail that objects of a kind have. */
export function guardedPrivileges({ never }: Pick<Guardrail, 'never'>, kind: ObjectKind, major: number): readonly string[] {
  const known = privilegesOf(kind, major);
  return never.includes('ALL') ? known : known.filter((privilege) => never.includes(privilege));
}

/** Made once for a target: it is compared with every function. */
export const functionParts = onceFor(({ name }: GuardTarget) => functionPattern(name));

/** Whether a target is about an object, or about a part or the whole of it. */
export function isAimedAt(target: GuardTarget, kind: ObjectKind, schema: string, name: ObjectName): boolean {
  if (!kindsOf(target).includes(kind)) return false;
  if (target.kind === 'database') return true;
  if (KINDS[target.kind].scope === 'schema' && !matches(target.schema, schema)) return false;
  if (target.kind === 'function') {
    const { name: pattern, args } = functionParts(target);
    return matches(pattern, ownName(name)) && (args === undefined || args === furtherName(name));
  }
  if (!matches(target.name, ownName(name))) return false;
  return target.kind !== 'column' || kind !== 'column' || matches(target.column, furtherName(name) ?? '');
}
