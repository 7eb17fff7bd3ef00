// A link of a path → which rows of the audit log may tell of it, and what they say.
import { objectOf } from '../changes/change.ts';
import { type PrivilegeStatement, readPrivilegeSql } from '../changes/read-privilege-sql.ts';
import type { Recorded, Step } from '../explain/origins.ts';
import type { TypeName } from '../model/contents.ts';
import { KINDS, type ObjectKind } from '../model/kinds.ts';
import { storedIdentifier } from '../sql/sql-text.ts';

/** The object that is asked about, by its names alone. */
export interface NamedObject {
  readonly kind: ObjectKind;
  /** The one that it is in; of a database, itself. */
  readonly database: string;
  readonly schema: string | undefined;
  readonly name: string;
  readonly column: string | undefined;
  /** Of a routine's arguments, as a GRANT names them. */
  readonly types: readonly TypeName[] | undefined;
  readonly owner: string;
}

/** A row of the audit log that may tell of a step. */
export interface AuditRow {
  readonly wanted: number;
  readonly change: string;
  /** Milliseconds. */
  readonly moment: number;
  readonly at: string;
  readonly why: string;
  readonly sql: string;
}

/** Which rows may tell of a step. */
export interface Question {
  readonly kinds: readonly string[];
  readonly role: string;
  /** What the row has to name, exactly; null where it may name more than this. */
  readonly object: string | null;
  /** How that ends, where objects of several databases may have one name. */
  readonly ending: string | null;
  /** What its SQL has to hold. */
  readonly piece: string | null;
}

/** What is asked of one step, and how the rows answer: each finder has the rows of each of its questions. */
export interface Finder {
  readonly wanted: readonly Question[];
  readonly find: (rows: readonly (readonly AuditRow[])[]) => Recorded | undefined;
}

const recorded = (row: AuditRow | undefined, byDefault = false): Recorded | undefined =>
  row === undefined ? undefined : { at: row.at, why: row.why, byDefault };
export const question = (kinds: readonly string[], role: string, more: Partial<Question> = {}): Question => ({
  kinds,
  role,
  object: null,
  ending: null,
  piece: null,
  ...more,
});

/** Of the newest row that says anything: it gave, and nothing took it since. */
const newestGiving = (rows: readonly AuditRow[], gives: (row: AuditRow) => boolean | undefined): AuditRow | undefined => {
  const newest = rows.find((row) => gives(row) !== undefined);
  return newest !== undefined && gives(newest) === true ? newest : undefined;
};

function membership(member: string, role: string): Finder {
  const object = objectOf({ kind: 'grant_membership', role, member, admin: false, inherit: true, set: true });
  const gives = ({ change, sql }: AuditRow): boolean | undefined =>
    change === 'grant_membership' ? true : sql.startsWith('REVOKE ADMIN OPTION FOR ') ? undefined : false;
  return { wanted: [question(['grant_membership', 'revoke_membership'], member, { object })], find: ([rows = []]) => recorded(newestGiving(rows, gives)) };
}

function attribute(role: string, word: string): Finder {
  const gives = ({ sql }: AuditRow): boolean | undefined => {
    // Behind the name, which may be any text.
    const said = sql.replace(/"(?:[^"]|"")*"/g, '').split(' ');
    return said.includes(word) ? true : said.includes(`NO${word}`) ? false : undefined;
  };
  return { wanted: [question(['create_role', 'alter_role'], role)], find: ([rows = []]) => recorded(newestGiving(rows, gives)) };
}

function ownership(role: string, object: NamedObject, of: 'object' | 'database'): Finder | undefined {
  const { database, name, kind } = object;
  if (of === 'database' || kind === 'database')
    return {
      wanted: [question(['create_database', 'alter_database_owner'], role, { object: objectOf({ kind: 'create_database', database, owner: role }) })],
      find: ([rows = []]) => recorded(rows[0]),
    };
  if (kind !== 'schema') return undefined;
  const words = objectOf({ kind: 'create_schema', database, schema: name, owner: role });
  return { wanted: [question(['create_schema', 'alter_schema_owner'], role, { object: words })], find: ([rows = []]) => recorded(rows[0]) };
}

function grant({ role, privilege, grantor, column }: Extract<Step, { what: 'grant' }>, object: NamedObject): Finder | undefined {
  const { database, schema, name, types, owner } = object;
  // What we grant comes from the owner; an entry of another grantor is somebody else's.
  if (grantor !== owner) return undefined;
  const kind = object.kind === 'column' && column === undefined ? 'table' : object.kind === 'table' && column !== undefined ? 'column' : object.kind;
  const parts = kind === 'parameter' ? name.split('.') : schema === undefined || kind === 'schema' ? [name] : [schema, name];
  const piece = kind === 'large_object' ? name : parts.map(storedIdentifier).join('.');
  const isThis = (statement: PrivilegeStatement): boolean =>
    statement.objects.some(
      (stated) =>
        same(stated.parts, parts) &&
        (types === undefined ||
          same(
            (stated.types ?? []).map((type) => JSON.stringify(type)),
            types.map((type) => JSON.stringify([type.schema, type.name])),
          )),
    );
  const gives = ({ sql }: AuditRow): boolean | undefined => {
    const about = readPrivilegeSql(sql).filter(
      (statement) =>
        statement.privileges.includes(privilege) &&
        (kind === 'function' ? ROUTINES.has(statement.keyword) : statement.keyword === KINDS[kind].keyword) &&
        (column === undefined ? statement.columns.length === 0 : statement.columns.includes(column)) &&
        isThis(statement),
    );
    const last = about.findLast((statement) => !statement.optionOnly && (statement.as === undefined || statement.as === owner));
    return last === undefined ? undefined : last.verb === 'GRANT';
  };
  const ending = KINDS[kind].scope === 'cluster' ? null : ` in database ${database}`;
  const byDefault = ofDefaults(role, privilege, kind, object);
  return {
    wanted: [question(['grant_privilege', 'revoke_privilege'], role, { piece, ending }), ...byDefault.wanted],
    find: ([rows = [], ...more]) => {
      const decided = rows.find((row) => gives(row) !== undefined);
      return decided === undefined ? byDefault.find(more) : recorded(newestGiving(rows, gives));
    },
  };
}

const ROUTINES: ReadonlySet<string> = new Set(['FUNCTION', 'PROCEDURE']);
const same = (left: readonly string[], right: readonly string[]): boolean => left.length === right.length && left.every((one, index) => one === right[index]);

/** What objects get that the owner makes, in their schema or in all. */
function ofDefaults(role: string, privilege: string, kind: ObjectKind, { database, schema, owner }: NamedObject): Finder {
  if (KINDS[kind].defaults === undefined) return { wanted: [], find: () => undefined };
  const gives = ({ sql }: AuditRow): boolean | undefined => {
    const last = readPrivilegeSql(sql).findLast((statement) => statement.privileges.includes(privilege) && !statement.optionOnly);
    return last === undefined ? undefined : last.verb === 'GRANT';
  };
  const wanted = [...new Set([kind === 'schema' ? '' : (schema ?? ''), ''])].map((where) =>
    question(['grant_default_privilege', 'revoke_default_privilege'], role, {
      object: objectOf({
        kind: 'grant_default_privilege',
        role,
        database,
        creator: owner,
        schema: where,
        object: kind,
        privileges: [privilege],
        grantable: false,
        as: undefined,
      }),
    }),
  );
  return { wanted, find: (all) => all.map((rows) => recorded(newestGiving(rows, gives), true)).find((one) => one !== undefined) };
}

export const finderOf = (step: Step, object: NamedObject): Finder | undefined =>
  step.what === 'membership'
    ? membership(step.member, step.role)
    : step.what === 'attribute'
      ? attribute(step.role, step.attribute)
      : step.what === 'ownership'
        ? ownership(step.role, object, step.of)
        : grant(step, object);

/** Of whom the step tells: what was done before that role was made was of another one of its name. */
export const subjectsOf = (step: Step): readonly string[] => (step.what === 'membership' ? [step.member, step.role] : [step.role]);
