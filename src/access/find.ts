// An object of a state as somebody names it, with what stands around it: what is read of a live server for an explanation, out of values.
import type { Definers, View } from '../explain/definers.ts';
import { ObjectNameError, type ObjectReference, written } from '../explain/object-name.ts';
import type { Securable, Surroundings } from '../explain/securable.ts';
import type { SecurableGroup } from '../explain/what-can.ts';
import { type ObjectGroup, type ObjectName, isSystemSchema, ownName, pairKey, type Routine } from '../model/contents.ts';
import { KINDS, kindWords, type ObjectKind } from '../model/kinds.ts';
import { LIMITS } from '../model/limits.ts';
import { normalizeArguments } from '../model/pattern.ts';
import type { RelationName } from './beside.ts';
import { shownName } from './difference.ts';
import type { AccessState, DatabaseAccess } from './state.ts';

export interface FoundInState {
  readonly object: Securable;
  readonly around: Surroundings;
  /** What views may read. */
  readonly relation: RelationName | undefined;
  /** As the rules of a document name it. */
  readonly rules: RuleName;
}

export interface RuleName {
  readonly kind: ObjectKind;
  /** Of a routine, the types of its input arguments. */
  readonly shownTypes: string | undefined;
  /** Patterns leave it out. */
  readonly exactOnly: boolean;
}

const NOTHING: DatabaseAccess = { groups: [], defaults: [] };

/** @param database where it is, or is asked from. @throws ObjectNameError where there is none. */
export function findObject(state: AccessState, database: string, asked: ObjectReference): FoundInState {
  const here = state.databases.get(database) ?? NOTHING;
  const isShared = KINDS[asked.kind].scope === 'cluster';
  const { schema } = asked;
  if (!isShared && schema !== undefined && isSystemSchema(schema))
    throw new ObjectNameError(`nothing is read here of the schema ${written(schema)}, which is the server's own: ask the live server itself`);
  const itself = named(state.shared, 'database', '', database);
  if (itself === undefined) throw new ObjectNameError(`there is no database ${written(database)}; capital letters need double quotes`);
  const inSchema = schema === undefined || asked.kind === 'schema' ? undefined : named(here.groups, 'schema', '', schema);
  if (schema !== undefined && asked.kind !== 'schema' && inSchema === undefined)
    throw new ObjectNameError(`there is no schema ${written(schema)} in that database`);
  const object = asked.kind === 'parameter' ? parameter(state, asked.name) : securable(asked, isShared ? state.shared : here.groups);
  const isRelation = object.kind === 'table' || object.kind === 'column';
  const rows = isRelation ? here.beside?.rowSecurity.find((one) => one.schema === schema && one.name === asked.name) : undefined;
  return {
    object,
    relation: isRelation ? { schema: schema ?? '', name: asked.name } : undefined,
    rules: { kind: object.kind, ...ruleNameOf(isShared ? state.shared : here.groups, asked) },
    around: {
      database: { ...plain(itself, 'database', written(database)), allowsConnections: !state.closed.has(database) },
      schema: inSchema === undefined ? undefined : plain(inSchema, 'schema', written(schema ?? '')),
      rowSecurity: rows === undefined ? undefined : { forced: rows.forced, policies: rows.policies },
      remarks: remarksOf(state, here, asked, isRelation),
    },
  };
}

function remarksOf({ parameters }: AccessState, { beside }: DatabaseAccess, { kind, name }: ObjectReference, isRelation: boolean): readonly string[] {
  if (kind === 'large_object' && beside?.largeObjects != null) return [beside.largeObjects];
  if (isRelation && beside === undefined) return ['row level security, and views and functions that act with their owners’ rights, are not known of it'];
  const context = kind === 'parameter' ? parameters.get(name) : undefined;
  if (context === undefined) return [];
  return [context === 'user' ? 'anybody may SET it for their own session, whatever its ACL says' : `its context is ${context}`];
}

const has = (names: readonly ObjectName[], name: string): boolean => names.some((one) => ownName(one) === name);

const named = (groups: readonly ObjectGroup[], kind: ObjectKind, schema: string, name: string): ObjectGroup | undefined =>
  groups.find((group) => group.kind === kind && group.schema === schema && has(group.names, name));

const plain = ({ owner, untouched, entries }: ObjectGroup, kind: ObjectKind, name: string): Securable => ({
  kind,
  name,
  owner,
  untouched,
  entries,
  columns: new Map(),
  isCatalog: false,
});

/** Most parameters have no row: nobody was granted anything on them. */
function parameter({ major, shared, parameters }: AccessState, name: string): Securable {
  if (major < 15) throw new ObjectNameError(`the server is PostgreSQL ${major}: parameters have privileges from 15 on`);
  const found = named(shared, 'parameter', '', name);
  if (found === undefined && !parameters.has(name)) throw new ObjectNameError(`there is no parameter ${written(name)}, as far as this session knows`);
  return { kind: 'parameter', name, owner: '', untouched: found?.untouched ?? true, entries: found?.entries ?? [], columns: new Map(), isCatalog: false };
}

function securable(asked: ObjectReference, groups: readonly ObjectGroup[]): Securable {
  const { kind, name, column } = asked;
  const schema = asked.schema === undefined || kind === 'schema' ? '' : asked.schema;
  const full = [...(schema === '' ? [] : [schema]), name, ...(column === undefined ? [] : [column])].map(written).join('.');
  if (kind === 'function') {
    const { group, routine } = findRoutine(groups, schema, asked);
    return plain(group, kind, `${full}(${routine.shown})`);
  }
  const found = (kind === 'column' ? (['table'] as const) : kind === 'table' ? (['table', 'sequence'] as const) : [kind])
    .map((one) => named(groups, one, schema, name))
    .find((group) => group !== undefined);
  if (found === undefined) throw missing(asked);
  if (found.kind !== 'table') return plain(found, found.kind, kind === 'large_object' ? name : full);
  const columns = columnsOf(groups, schema, name);
  if (column !== undefined && columns.isWhole && !columns.names.has(column))
    throw new ObjectNameError(`there is no column ${written(column)} in it; capital letters need double quotes`);
  return { ...plain(found, kind, full), columns: columns.acls, ...(column === undefined ? {} : { column }) };
}

function ruleNameOf(groups: readonly ObjectGroup[], asked: ObjectReference): Omit<RuleName, 'kind'> {
  const schema = asked.schema === undefined || asked.kind === 'schema' ? '' : asked.schema;
  const isApart = (group: ObjectGroup | undefined): boolean => group?.extension === true || group?.exactOnly === true;
  if (asked.kind === 'function') {
    const { group, routine } = findRoutine(groups, schema, asked);
    return { shownTypes: routine.shown, exactOnly: isApart(group) };
  }
  return { shownTypes: undefined, exactOnly: isApart(named(groups, asked.kind === 'column' ? 'table' : asked.kind, schema, asked.name)) };
}

/** Of a relation. Where only columns with an ACL were read, none of the others is known. */
function columnsOf(groups: readonly ObjectGroup[], schema: string, table: string) {
  const all = groups.filter((group) => group.kind === 'column' && group.schema === schema);
  const own = all.flatMap((group) =>
    group.names.flatMap((name) => (typeof name === 'object' && 'column' in name && name.table === table ? [{ name: name.column, group }] : [])),
  );
  return {
    isWhole: own.some(({ group }) => group.untouched),
    names: new Set(own.map(({ name }) => name)),
    acls: new Map(own.filter(({ group }) => !group.untouched).map(({ name, group }) => [name, group.entries])),
  };
}

function missing({ kind, schema, name }: ObjectReference): ObjectNameError {
  const what = kind === 'table' ? 'table, view or sequence' : kind === 'column' ? 'table or view' : kindWords(kind);
  const full = [...(schema === undefined || kind === 'schema' ? [] : [schema]), name].map(written).join('.');
  return new ObjectNameError(
    `there is no ${what} ${full}${kind === 'table' ? ' (an index has no privileges of its own)' : ''}; capital letters need double quotes`,
  );
}

function findRoutine(groups: readonly ObjectGroup[], schema: string, asked: ObjectReference): { readonly group: ObjectGroup; readonly routine: Routine } {
  const wanted = asked.arguments === undefined ? undefined : normalizeArguments(asked.arguments.join(', '));
  const found = groups
    .filter((group) => group.kind === 'function' && group.schema === schema)
    .flatMap((group) =>
      group.names.flatMap((name) => (typeof name === 'object' && 'shown' in name && name.name === asked.name ? [{ group, routine: name }] : [])),
    )
    .filter(({ routine }) => wanted === undefined || routine.shown === wanted);
  const [only, another] = found;
  if (only === undefined) throw missing(asked);
  if (another !== undefined)
    throw new ObjectNameError(
      `there are ${found.length} functions ${written(asked.name)}: say which one with the types of its arguments, as f(int, text) or f()`,
    );
  return only;
}

/** What may lead to a relation with the rights of owners; undefined where that was not read. */
export function definersIn(state: AccessState, database: string, relation: RelationName): Definers | undefined {
  const here = state.databases.get(database);
  const beside = here?.beside;
  if (here === undefined || beside === undefined) return undefined;
  const numbers = new Map<string, number>();
  const numberOf = ({ schema, name }: RelationName): number => {
    const key = pairKey(schema, name);
    const number = numbers.get(key) ?? numbers.size + 1;
    numbers.set(key, number);
    return number;
  };
  const target = numberOf(relation);
  const read = beside.views.map((view) => ({ view, oid: numberOf(view), reads: view.reads.map(numberOf) }));
  const above = Map.groupBy(
    read.flatMap(({ oid, reads }) => reads.map((one) => ({ oid, one }))),
    ({ one }) => one,
  );
  const reached = new Set([target]);
  // A Set's iteration also visits what is added while it runs.
  for (const at of reached) for (const { oid } of above.get(at) ?? []) reached.add(oid);
  const views = read.flatMap(({ view, oid, reads }): View[] => {
    const group = oid === target || !reached.has(oid) ? undefined : named(here.groups, 'table', view.schema, view.name);
    return group === undefined
      ? []
      : [
          {
            oid,
            object: securable({ kind: 'table', database, schema: view.schema, name: view.name }, here.groups),
            invoker: view.invoker,
            copy: view.copy,
            reads,
          },
        ];
  });
  const routines = new Map(
    here.groups
      .filter(({ kind }) => kind === 'function')
      .flatMap((group) => group.names.map((name): [string, ObjectGroup] => [pairKey(group.schema, shownName(name)), group])),
  );
  const functions = beside.definers.flatMap(({ schema, name, shown }): Securable[] => {
    const group = routines.get(pairKey(schema, `${name}(${shown})`));
    return group === undefined ? [] : [plain(group, 'function', `${[schema, name].map(written).join('.')}(${shown})`)];
  });
  const { definers: most } = LIMITS;
  return { target, views: views.slice(0, most), functions: functions.slice(0, most), more: beside.more || views.length > most || functions.length > most };
}

/** Groups as what a role may is folded from. Columns without an ACL are as their tables are. */
export const securableGroups = (groups: readonly ObjectGroup[]): readonly SecurableGroup[] =>
  groups
    .filter(({ kind, untouched }) => kind !== 'column' || !untouched)
    .map((group) => {
      const names = group.names.map(shownName);
      return { schema: group.schema, names, object: plain(group, group.kind, names[0] ?? '') };
    });
