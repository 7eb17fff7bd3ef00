// A block of grants → rules: the form that roles, users, permissions and databases[].public share (docs/privileges.md).
import { KINDS, kindWords, OBJECT_KINDS, type ObjectKind } from '../model/kinds.ts';
import { LIMITS } from '../model/limits.ts';
import { mismatch } from './issues.ts';
import { patternProblem } from './names.ts';
import { PRESETS, type PresetName } from './presets.ts';
import { readPrivileges } from './privilege-list.ts';
import type { ComplainAt, ProblemReport } from './problem-report.ts';
import { show } from './show.ts';
import { suggest } from './suggest.ts';
import { type MappingNode, type Node, type Path, stringOf, valueOf } from './tree.ts';
import type { GrantRule, WishedPrivilege } from '../model/entries.ts';

export interface BlockOptions {
  readonly path: Path;
  readonly complain: ComplainAt;
  /** Gives positions, and counts the rules of the document. */
  readonly report: Pick<ProblemReport, 'positionOf' | 'spendRules'>;
  /** The permission that the block is. */
  readonly permission?: string | undefined;
  /** The database that the block is about, where it may not name one (databases[].public). */
  readonly database?: string | undefined;
}

/** Kinds that a block names by a key of their own, as a mapping or a list of patterns. */
export const LISTED = OBJECT_KINDS.filter((kind) => KINDS[kind].key !== undefined && kind !== 'column');
const blockKeyOf = (kind: ObjectKind): string => KINDS[kind].key ?? '';

/** Every key of a block of grants. */
export const BLOCK_KEYS: readonly string[] = [
  'database',
  'databases',
  'schemas',
  'databasePrivileges',
  ...LISTED.map(blockKeyOf),
  'columns',
  'actions',
  'preset',
];

interface BlockItem {
  readonly name: string;
  readonly offset: number;
  readonly path: Path;
  /** undefined: the block's `actions`. */
  readonly privileges: readonly WishedPrivilege[] | undefined;
  readonly column?: string;
}

/** The rules of one block; what is wrong with it goes to `complain`, and what is right is returned all the same. */
export function readBlock(node: MappingNode, options: BlockOptions): readonly GrantRule[] {
  const { path, complain, report } = options;
  const databases = readDatabases(node, options);
  const schemas = readTargets(valueOf(node, 'schemas'), [...path, 'schemas'], 'schema', complain);
  const objects = new Map(
    LISTED.flatMap((kind) => {
      const value = valueOf(node, blockKeyOf(kind));
      return value === undefined ? [] : [[kind, readTargets(value, [...path, blockKeyOf(kind)], kind, complain)] as const];
    }),
  );
  const columns = readColumns(valueOf(node, 'columns'), [...path, 'columns'], complain);
  const preset = readPreset(node, options);
  const needsSchema = [...objects.keys()].some((kind) => KINDS[kind].scope === 'schema') || columns.length > 0 || preset !== undefined;
  if (needsSchema && valueOf(node, 'schemas') === undefined)
    complain(node.offset, path, 'the block names objects of schemas but no `schemas`; add them, for example `schemas: [public]`');

  const actions = readActions(node, options, schemas, objects);
  const targets = [...objects].map(([kind, ofKind]) => ofKind.length * (KINDS[kind].scope === 'schema' ? schemas.length : 1));
  const inSchemas = schemas.length * (2 + columns.length + Object.keys(preset ?? {}).length);
  const count = databases.length * (2 + inSchemas + targets.reduce((sum, ofKind) => sum + ofKind, 0));
  const tooLarge = sizeProblem(count, count, report);
  if (tooLarge !== undefined) {
    complain(node.offset, path, `the block stands for ${tooLarge}`);
    return [];
  }
  const rules: GrantRule[] = [];
  const add = (
    kind: ObjectKind,
    target: Pick<BlockItem, 'name' | 'offset' | 'column'>,
    schema: string,
    privileges: readonly WishedPrivilege[],
    implied = false,
  ): void => {
    const base = { kind, schema, name: target.name, column: target.column ?? '', privileges, implied, permission: options.permission };
    const position = report.positionOf(target.offset);
    if (KINDS[kind].scope === 'cluster' && kind !== 'database') rules.push({ ...base, database: '', position });
    else for (const database of databases) rules.push({ ...base, database, position });
  };
  const whole = { name: '*', offset: node.offset };

  const databasePrivileges = valueOf(node, 'databasePrivileges');
  if (databasePrivileges !== undefined)
    add(
      'database',
      { ...whole, offset: databasePrivileges.offset },
      '',
      readPrivileges(databasePrivileges, [...path, 'databasePrivileges'], 'database', complain),
    );
  if (actions.database !== undefined) add('database', whole, '', actions.database);

  let givesInSchema = false;
  for (const [kind, targets] of objects)
    for (const target of targets) {
      const privileges = target.privileges ?? actions.objects.get(kind) ?? [];
      if (KINDS[kind].scope !== 'schema') add(kind, target, '', privileges);
      else for (const schema of schemas) add(kind, target, schema.name, privileges);
      givesInSchema ||= KINDS[kind].scope === 'schema' && privileges.length > 0;
    }
  for (const target of columns) {
    for (const schema of schemas) add('column', target, schema.name, target.privileges ?? []);
    givesInSchema ||= (target.privileges ?? []).length > 0;
  }
  for (const [kind, privileges] of Object.entries(preset ?? {}) as [ObjectKind, readonly string[]][]) {
    if (kind === 'schema' || (objects.get(kind) ?? []).some((target) => target.name === '*')) continue;
    for (const schema of schemas) add(kind, whole, schema.name, privileges.map(wish));
    givesInSchema = true;
  }
  const namesObjects = needsSchema;
  for (const schema of schemas) {
    const own = schema.privileges ?? actions.schema ?? preset?.schema?.map(wish);
    const target = { name: '*', offset: schema.offset };
    if (own !== undefined) add('schema', target, schema.name, own);
    else if (!namesObjects) add('schema', target, schema.name, [wish('USAGE')]);
    // What is said to be nothing at all has no USAGE of its own either: PUBLIC may have it.
    if (givesInSchema && schema.privileges?.length !== 0) add('schema', target, schema.name, [wish('USAGE')], true);
  }
  return rules;
}

/** Why so many rules are not taken: for one entry, or together with what the document already grants. */
export function sizeProblem(count: number, more: number, report: Pick<ProblemReport, 'spendRules'>): string | undefined {
  const product = `${count} rules (databases × schemas × objects)`;
  if (count > LIMITS.rulesOfEntry) return `${product}, and an entry may have ${LIMITS.rulesOfEntry}; use patterns, or fewer names`;
  if (report.spendRules(more)) return undefined;
  return `${product}, and all entries of a document together may have ${LIMITS.rulesOfDocument}; use patterns, or a role that the users are members of`;
}

const wish = (privilege: string): WishedPrivilege => ({ privilege, grantable: false });

function readDatabases(node: MappingNode, { path, complain, database }: BlockOptions): readonly (string | undefined)[] {
  const given = ['database', 'databases'].filter((key) => valueOf(node, key) !== undefined);
  if (database !== undefined) {
    for (const key of given)
      complain(valueOf(node, key)?.offset ?? node.offset, [...path, key], 'this block is about its own database already; remove the key');
    return [database];
  }
  const [key] = given;
  if (key === undefined) return [undefined];
  if (given.length > 1) complain(node.offset, path, 'the block has both `database` and `databases`; keep one');
  const value = valueOf(node, key);
  return value === undefined ? [] : namesIn(value, [...path, key], 'database', complain).map(({ name }) => name);
}

/** A text, or a list of texts. */
function namesIn(node: Node, path: Path, what: string, complain: ComplainAt): { readonly name: string; readonly offset: number; readonly path: Path }[] {
  const items = node.kind === 'list' ? node.items : [node];
  if (node.kind === 'mapping') {
    complain(node.offset, path, mismatch(`a ${what} or a list of them`, node));
    return [];
  }
  return items.flatMap((item, index) => {
    const at = node.kind === 'list' ? [...path, index] : path;
    const name = item.kind === 'scalar' && what === 'large object' && typeof item.value === 'number' ? item.source : stringOf(item);
    if (name === undefined) {
      complain(item.offset, at, mismatch(`the name of a ${what}`, item));
      return [];
    }
    const problem = patternProblem(name, what);
    if (problem !== undefined) complain(item.offset, at, problem);
    return problem === undefined ? [{ name, offset: item.offset, path: at }] : [];
  });
}

/** Patterns as `{pattern: [privileges]}`, or as a list that shares the block's `actions`. */
function readTargets(node: Node | undefined, path: Path, kind: ObjectKind, complain: ComplainAt): readonly BlockItem[] {
  if (node === undefined) return [];
  const what = kindWords(kind);
  if (node.kind !== 'mapping') return namesIn(node, path, what, complain).map((target) => ({ ...target, privileges: undefined }));
  return node.pairs.map(({ key, keyOffset, value }) => {
    const at = [...path, key];
    const problem = patternProblem(key, what);
    if (problem !== undefined) complain(keyOffset, at, problem);
    return { name: key, offset: keyOffset, path: at, privileges: readPrivileges(value, at, kind, complain) };
  });
}

/** `{table: {column: [privileges]}}`. */
function readColumns(node: Node | undefined, path: Path, complain: ComplainAt): readonly BlockItem[] {
  if (node === undefined) return [];
  if (node.kind !== 'mapping') {
    complain(node.offset, path, mismatch('a mapping of tables to their columns, `{table: {column: [SELECT]}}`', node));
    return [];
  }
  return node.pairs.flatMap(({ key, keyOffset, value }) => {
    const problem = patternProblem(key, 'table');
    if (problem !== undefined) complain(keyOffset, [...path, key], problem);
    if (value.kind !== 'mapping') {
      complain(value.offset, [...path, key], mismatch('a mapping of columns to privileges', value));
      return [];
    }
    return readTargets(value, [...path, key], 'column', complain).map((target) => ({ ...target, name: key, column: target.name }));
  });
}

function readPreset(node: MappingNode, { path, complain }: BlockOptions): (typeof PRESETS)[PresetName] | undefined {
  const value = valueOf(node, 'preset');
  if (value === undefined) return undefined;
  const name = stringOf(value);
  const known = Object.keys(PRESETS) as PresetName[];
  const found = known.find((one) => one === name);
  if (found !== undefined) return PRESETS[found];
  const near = name === undefined ? undefined : suggest(name, known);
  complain(
    value.offset,
    [...path, 'preset'],
    `there is no such preset; it must be ${known.map(show).join(', ')}${near === undefined ? '' : `; did you mean ${show(near)}?`}`,
  );
  return undefined;
}

interface Actions {
  readonly database?: readonly WishedPrivilege[];
  readonly schema?: readonly WishedPrivilege[];
  readonly objects: ReadonlyMap<ObjectKind, readonly WishedPrivilege[]>;
}

/** `actions` belong to what the block lists: objects, else its schemas, else its database. */
function readActions(node: MappingNode, options: BlockOptions, schemas: readonly BlockItem[], objects: ReadonlyMap<ObjectKind, readonly BlockItem[]>): Actions {
  const { complain } = options;
  const path = [...options.path, 'actions'];
  const value = valueOf(node, 'actions');
  const listed = [...objects].filter(([, targets]) => targets.some((target) => target.privileges === undefined)).map(([kind]) => kind);
  if (value === undefined) {
    for (const kind of listed)
      complain(
        valueOf(node, blockKeyOf(kind))?.offset ?? node.offset,
        [...options.path, blockKeyOf(kind)],
        `a list of names needs \`actions\`; add them, or write \`${blockKeyOf(kind)}: {name: [PRIVILEGE]}\``,
      );
    return { objects: new Map() };
  }
  if (listed.length > 0) return { objects: new Map(listed.map((kind) => [kind, readPrivileges(value, path, kind, complain)])) };
  const plainSchemas = schemas.length > 0 && schemas.every((schema) => schema.privileges === undefined);
  if (plainSchemas && objects.size === 0) return { schema: readPrivileges(value, path, 'schema', complain), objects: new Map() };
  if (schemas.length === 0 && objects.size === 0 && valueOf(node, 'databasePrivileges') === undefined)
    return { database: readPrivileges(value, path, 'database', complain), objects: new Map() };
  complain(value.offset, path, 'there is nothing that these privileges are for: everything in the block has privileges of its own; remove `actions`');
  return { objects: new Map() };
}
