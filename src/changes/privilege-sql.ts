// GRANT and REVOKE on objects: these as the server looks them up, each part of a name quoted by itself.
import { type ObjectName, ownName, PUBLIC, type Routine, type TypeName } from '../model/contents.ts';
import { KINDS, type ObjectKind } from '../model/kinds.ts';
import { onceFor } from '../model/once-for.ts';
import { identifier, keyword, list, settingName, type Sql, sql, storedIdentifier } from '../sql/sql-text.ts';
import { actedAs, type ActedAs } from './acted-as.ts';
import type { GrantTarget } from './target.ts';

/** What a GRANT says. */
export interface Grant extends ActedAs {
  readonly on: GrantTarget;
  readonly privileges: readonly string[];
  readonly grantable: boolean;
}

/** What a REVOKE says. */
export interface Revoke extends ActedAs {
  readonly on: GrantTarget;
  readonly privileges: readonly string[];
  readonly grantor: string;
  readonly optionOnly: boolean;
  readonly cascade: boolean;
  /** The grantor has lost its grant option: the owner lends it. As whom that is done, and whether the grantor holds the privilege itself. */
  readonly lapsed?: { readonly as: string | undefined; readonly holds: boolean } | undefined;
}

/** The statements that grant to these roles: one, or two where functions and procedures are named. */
export const grantSql = ({ as, privileges, on, grantable }: Grant, roles: readonly string[]): readonly Sql[] =>
  actedAs(
    as,
    objects(on).map((what) => sql`GRANT ${privilegeList(privileges, on)} ON ${what} TO ${grantees(roles)}${grantable ? sql` WITH GRANT OPTION` : sql``}`),
  );

export function revokeSql({ as, privileges, on, optionOnly, cascade, grantor, lapsed }: Revoke, roles: readonly string[]): readonly Sql[] {
  const each = (statement: (what: Sql) => Sql): readonly Sql[] => objects(on).map(statement);
  const option = (isOption: boolean): Sql => (isOption ? sql`GRANT OPTION FOR ` : sql``);
  const list = privilegeList(privileges, on);
  const revoke = actedAs(
    as,
    each((what) => sql`REVOKE ${option(optionOnly)}${list} ON ${what} FROM ${grantees(roles)}${cascade ? sql` CASCADE` : sql``}`),
  );
  if (lapsed === undefined) return revoke;
  return [
    ...actedAs(
      lapsed.as,
      each((what) => sql`GRANT ${list} ON ${what} TO ${identifier(grantor)} WITH GRANT OPTION`),
    ),
    ...revoke,
    // Without CASCADE: what it granted to others as well, of whom nothing is said here, would go.
    ...actedAs(
      lapsed.as,
      each((what) => sql`REVOKE ${option(lapsed.holds)}${list} ON ${what} FROM ${identifier(grantor)}`),
    ),
  ];
}

/** The objects as GRANT names them, by their keywords. */
const objects = ({ object, schema, names }: GrantTarget): readonly Sql[] => named(names, object, schema);

/** Thousands of roles can be granted something on the same thousands of objects. */
const named = onceFor((names: readonly ObjectName[], object: ObjectKind, schema: string): readonly Sql[] => {
  if (object === 'function') return routines(schema, names);
  const one = (name: ObjectName): Sql => {
    const own = ownName(name);
    if (object === 'large_object') return sql`${BigInt(own)}`;
    // Names of parameters have dots and may be longer than an identifier.
    if (object === 'parameter') return settingName(own);
    return inSchema(schema, own);
  };
  return [sql`${keyword(KINDS[object].keyword)} ${list((object === 'column' ? names.slice(0, 1) : names).map(one))}`];
});

const inSchema = (schema: string, name: string): Sql => (schema === '' ? storedIdentifier(name) : sql`${storedIdentifier(schema)}.${storedIdentifier(name)}`);

/**
 * Functions and procedures apart: they may share name and input types (`f(integer)` and `f(OUT integer)`), and ROUTINE would find both. A
 * procedure's modes are spelled out, as only then its OUT arguments count: `p(OUT, IN, IN)` beside `p(IN, IN, IN)`.
 */
function routines(schema: string, names: readonly ObjectName[]): readonly Sql[] {
  const all = names.flatMap((name) => (typeof name === 'object' && 'types' in name ? [name] : []));
  if (all.length !== names.length) throw new RangeError(`a routine of schema ${schema} has no arguments`);
  const [functions, procedures] = [all.filter(({ modes }) => modes === undefined), all.filter(({ modes }) => modes !== undefined)];
  const written = (some: readonly Routine[]): Sql => list(some.map((routine) => sql`${inSchema(schema, routine.name)}(${argumentList(routine)})`));
  return [
    ...(functions.length === 0 ? [] : [sql`FUNCTION ${written(functions)}`]),
    ...(procedures.length === 0 ? [] : [sql`PROCEDURE ${written(procedures)}`]),
  ];
}

const argumentList = ({ types, modes }: Routine): Sql =>
  list(types.map((type, index) => (modes === undefined ? typeName(type) : sql`${keyword(modes[index] ?? 'IN')} ${typeName(type)}`)));

/** A type by its own name, which is a name like any other: for arrays too. */
const typeName = ({ schema, name }: TypeName): Sql => inSchema(schema, name);

/** The privileges; on columns each with the list of them. */
function privilegeList(privileges: readonly string[], { object, names }: GrantTarget): Sql {
  if (object !== 'column') return list(privileges.map(keyword));
  const columns = list(names.map((name) => storedIdentifier(typeof name === 'object' && 'column' in name ? name.column : '')));
  return list(privileges.map((privilege) => sql`${keyword(privilege)} (${columns})`));
}

/** Whom a privilege is granted to or revoked from. */
export const grantees = (roles: readonly string[]): Sql => list(roles.map((role) => (role === PUBLIC ? sql`PUBLIC` : identifier(role))));
