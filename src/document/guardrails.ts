// `guardrails`: what must never be. One that is wrong somewhere protects nothing, and so nothing of its document is used until it is mended.
import { LISTED } from './block.ts';
import { mismatch } from './issues.ts';
import { repeatedKeys, unknownKeys } from './keys.ts';
import { nameProblem, patternProblem } from './names.ts';
import type { ComplainAt, ProblemReport } from './problem-report.ts';
import { show } from './show.ts';
import { suggest } from './suggest.ts';
import { type MappingNode, type Node, type Path, stringOf, valueOf } from './tree.ts';
import { GUARD_WAYS, type GuardedAgainst, type GuardedWays, type Guardrail, type GuardTarget } from '../model/guardrails.ts';
import { KINDS, kindWords, type ObjectKind, privilegeName } from '../model/kinds.ts';
import { LIMITS } from '../model/limits.ts';

/** Kinds that a guardrail is about beside databases and schemas. */
export const GUARDED_KINDS: readonly ObjectKind[] = LISTED;
const isInNone = (kind: ObjectKind): boolean => KINDS[kind].scope === 'cluster';
const keyOf = (kind: ObjectKind): string => KINDS[kind].key ?? '';

/** Every key of a guardrail, and of mappings within it. */
export const GUARDRAIL_KEYS = ['name', 'never', 'on', 'by', 'except', 'through'] as const;
export const GUARDED_KEYS: readonly string[] = ['database', 'schema', ...GUARDED_KINDS.map(keyOf), 'columns'];
/** Words that stand alone for many. */
export const BY_WORDS = ['*', 'roles', 'PUBLIC', 'new'] as const;

const DEFAULT_WAYS: GuardedWays = { setRole: true, ownership: true, superuser: false, definer: false };

/**
 * What can be used of a list of guardrails; what is wrong goes to the report.
 * @param at where the list stands.
 * @returns undefined where anything is wrong.
 */
export function readGuardrails(
  node: Node | undefined,
  origin: Guardrail['origin'],
  report: ProblemReport,
  at: Path = ['guardrails'],
): readonly Guardrail[] | undefined {
  if (node === undefined) return [];
  const complaints = report.complaints();
  const { complain } = complaints;
  if (node.kind !== 'list') complain(node.offset, at, mismatch('a list of guardrails', node));
  else if (node.items.length > LIMITS.guardrails)
    complain(node.offset, at, `there are ${node.items.length} guardrails, and at most ${LIMITS.guardrails} are read; use patterns`);
  if (!complaints.none || node.kind !== 'list') return undefined;
  const read = readEach(node.items, at, origin, report, complain);
  const seen = new Set<string>();
  for (const [index, item] of node.items.entries()) {
    const name = item.kind === 'mapping' ? stringOf(valueOf(item, 'name')) : undefined;
    if (name === undefined) continue;
    if (seen.has(name)) complain(item.offset, [...at, index, 'name'], `there are two guardrails called ${show(name)}; choose another name`);
    seen.add(name);
  }
  return complaints.none ? read.flatMap((one) => one ?? []) : undefined;
}

/** Until they are about more than is compared: each of it with each object. */
function readEach(
  items: readonly Node[],
  at: Path,
  origin: Guardrail['origin'],
  report: ProblemReport,
  complain: ComplainAt,
): readonly (Guardrail | undefined)[] {
  const read: (Guardrail | undefined)[] = [];
  let targets = 0;
  for (const [index, item] of items.entries()) {
    const one = readGuardrail(item, [...at, index], origin, report, complain);
    read.push(one);
    targets += one?.targets.length ?? 0;
    if (targets <= LIMITS.guardrailTargets) continue;
    complain(item.offset, [...at, index], `up to here ${tooMany(targets)}`);
    break;
  }
  return read;
}

const tooMany = (targets: number): string =>
  `guardrails are about ${targets} names in schemas, each schema counted with each name, and at most ${LIMITS.guardrailTargets} are read; use patterns`;

function readGuardrail(node: Node, path: Path, origin: Guardrail['origin'], report: ProblemReport, complain: ComplainAt): Guardrail | undefined {
  if (node.kind !== 'mapping') {
    complain(node.offset, path, mismatch('a mapping with the keys `name`, `never`, `on` and `by`', node));
    return undefined;
  }
  for (const { offset, path: at, message } of [...unknownKeys(node, path, GUARDRAIL_KEYS), ...repeatedKeys(node, path)]) complain(offset, at, message);
  for (const key of ['name', 'never', 'on', 'by']) if (valueOf(node, key) === undefined) complain(node.offset, path, `the key \`${key}\` is missing`);
  const { databases, targets } = readTargets(valueOf(node, 'on'), [...path, 'on'], complain);
  const through = readThrough(valueOf(node, 'through'), [...path, 'through'], complain);
  if (through.definer !== false && targets.some(({ kind }) => isInNone(kind) && kind !== 'database'))
    complain(
      node.offset,
      [...path, 'through', 'definer'],
      'views and functions are looked at within databases, and tablespaces and parameters are in none; remove it',
    );
  return {
    name: readName(valueOf(node, 'name'), [...path, 'name'], complain),
    origin,
    never: readNever(valueOf(node, 'never'), [...path, 'never'], targets, complain),
    databases,
    targets,
    by: readBy(valueOf(node, 'by'), [...path, 'by'], complain),
    except: readExcept(valueOf(node, 'except'), [...path, 'except'], complain),
    through,
    position: report.positionOf(node.offset),
  };
}

/** It stands in metrics and messages. */
function readName(node: Node | undefined, path: Path, complain: ComplainAt): string {
  const name = stringOf(node);
  if (node === undefined || (name !== undefined && /^[A-Za-z0-9](?:[-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?$/.test(name))) return name ?? '';
  const message = name === undefined ? mismatch('text', node) : 'a guardrail is called by 1 to 63 letters, digits, `-`, `_` and `.`';
  complain(node.offset, path, message);
  return '';
}

/** One text, or a list of texts, each with its place. */
function texts(
  node: Node | undefined,
  path: Path,
  what: string,
  complain: ComplainAt,
): readonly { readonly text: string; readonly offset: number; readonly path: Path }[] {
  if (node === undefined) return [];
  if (node.kind === 'list' && node.items.length === 0) complain(node.offset, path, `the list is empty; name a ${what}, or leave the key out`);
  if (node.kind === 'mapping') complain(node.offset, path, mismatch(`a ${what} or a list of them`, node));
  const items = node.kind === 'list' ? node.items : node.kind === 'scalar' ? [node] : [];
  if (items.length > LIMITS.guardrailItems) {
    complain(node.offset, path, `there are ${items.length} names, and at most ${LIMITS.guardrailItems} are read; use patterns`);
    return [];
  }
  return items.flatMap((item, index) => {
    const at = node.kind === 'list' ? [...path, index] : path;
    const text = item.kind === 'scalar' && what === kindWords('large_object') && typeof item.value === 'number' ? item.source : stringOf(item);
    if (text !== undefined) return [{ text, offset: item.offset, path: at }];
    complain(item.offset, at, mismatch(`the name of a ${what}`, item));
    return [];
  });
}

function patterns(node: Node | undefined, path: Path, what: string, complain: ComplainAt): readonly string[] {
  return texts(node, path, what, complain).map(({ text, offset, path: at }) => {
    const problem = patternProblem(text, what);
    if (problem !== undefined) complain(offset, at, problem);
    return text;
  });
}

type Guarded = Pick<Guardrail, 'databases' | 'targets'>;

function readTargets(node: Node | undefined, path: Path, complain: ComplainAt): Guarded {
  if (node === undefined) return { databases: undefined, targets: [] };
  if (node.kind !== 'mapping' || node.pairs.length === 0) {
    complain(node.offset, path, mismatch('a mapping that says on what: `{database: shop, schema: public, tables: [orders]}`', node));
    return { databases: undefined, targets: [] };
  }
  for (const problem of unknownKeys(node, path, GUARDED_KEYS)) complain(problem.offset, problem.path, problem.message);
  const databases = valueOf(node, 'database') === undefined ? undefined : patterns(valueOf(node, 'database'), [...path, 'database'], 'database', complain);
  const schemas = patterns(valueOf(node, 'schema'), [...path, 'schema'], 'schema', complain);
  const listed = GUARDED_KINDS.filter((kind) => valueOf(node, keyOf(kind)) !== undefined);
  const columns = readColumns(valueOf(node, 'columns'), [...path, 'columns'], complain);
  const beside = node.pairs.filter(({ key }) => !listed.some((kind) => isInNone(kind) && keyOf(kind) === key));
  if (listed.some(isInNone) && beside.length > 0)
    complain(
      node.offset,
      path,
      `tablespaces and parameters are in no database and stand by themselves; make a guardrail of its own for ${beside.map(({ key }) => show(key)).join(', ')}`,
    );
  const needsSchema = columns.length > 0 || listed.some((kind) => KINDS[kind].scope === 'schema');
  if (needsSchema && schemas.length === 0) complain(node.offset, path, 'what is named there is in schemas; add `schema`, which may be a pattern');
  const named = listed.map((kind) => ({
    kind,
    names: patterns(valueOf(node, keyOf(kind)), [...path, keyOf(kind)], kindWords(kind), complain),
    within: KINDS[kind].scope === 'schema' ? schemas : [''],
  }));
  const count = named.reduce((sum, { names, within }) => sum + names.length * within.length, columns.length * schemas.length);
  if (count > LIMITS.guardrailTargets) {
    complain(node.offset, path, tooMany(count));
    return { databases, targets: [] };
  }
  const targets = named.flatMap(({ kind, names, within }) =>
    names.flatMap((name) => within.map((schema): GuardTarget => ({ kind, schema, name: kind === 'parameter' ? name.toLowerCase() : name, column: '' }))),
  );
  const ofColumns = columns.flatMap(({ table, column }) => schemas.map((schema): GuardTarget => ({ kind: 'column', schema, name: table, column })));
  if (targets.length + ofColumns.length > 0) return { databases, targets: [...targets, ...ofColumns] };
  const own: readonly GuardTarget[] =
    schemas.length > 0 ? schemas.map((name) => ({ kind: 'schema', schema: '', name, column: '' })) : [{ kind: 'database', schema: '', name: '*', column: '' }];
  return { databases, targets: own };
}

/** `{table: [column]}`. */
function readColumns(node: Node | undefined, path: Path, complain: ComplainAt): readonly { readonly table: string; readonly column: string }[] {
  if (node === undefined) return [];
  if (node.kind !== 'mapping') {
    complain(node.offset, path, mismatch('a mapping of tables to their columns, `{table: [column]}`', node));
    return [];
  }
  return node.pairs.flatMap(({ key, keyOffset, value }) => {
    const problem = patternProblem(key, 'table');
    if (problem !== undefined) complain(keyOffset, [...path, key], problem);
    return patterns(value, [...path, key], 'column', complain).map((column) => ({ table: key, column }));
  });
}

/** Each privilege is one of some kind that is named. */
function readNever(node: Node | undefined, path: Path, targets: readonly GuardTarget[], complain: ComplainAt): readonly string[] {
  const kinds = [...new Set(targets.map(({ kind }) => kind))];
  const known = [...new Set(kinds.flatMap((kind) => Object.keys(KINDS[kind].privileges))), 'ALL'];
  return [
    ...new Set(
      texts(node, path, 'privilege', complain).map(({ text, offset, path: at }) => {
        const privilege = privilegeName(text);
        if (kinds.length === 0 || known.includes(privilege)) return privilege;
        const near = suggest(text, known);
        const hint = near === undefined ? `; there are ${known.slice(0, -1).join(', ')}` : `; did you mean \`${near}\`?`;
        complain(offset, at, `${show(text)} is no privilege of a ${kinds.map(kindWords).join(' or ')}${hint}`);
        return privilege;
      }),
    ),
  ];
}

function readBy(node: Node | undefined, path: Path, complain: ComplainAt): GuardedAgainst {
  const word = stringOf(node);
  const nobody: GuardedAgainst = { logins: false, roles: false, fresh: false, names: [] };
  if (word === '*') return { ...nobody, logins: true };
  if (word === 'roles') return { ...nobody, roles: true };
  if (word === 'new') return { ...nobody, fresh: true };
  // What everybody has breaks every guardrail.
  if (word === 'PUBLIC') return nobody;
  return { ...nobody, names: patterns(node, path, 'role', complain).filter((name) => name !== 'PUBLIC' && name !== 'public') };
}

/** Only by name: what a pattern leaves out grows by itself. */
function readExcept(node: Node | undefined, path: Path, complain: ComplainAt): ReadonlySet<string> {
  return new Set(
    texts(node, path, 'role', complain).map(({ text, offset, path: at }) => {
      const problem = text.includes('*') ? 'whom a guardrail leaves out is named one by one, without patterns' : nameProblem(text, 'role');
      if (problem !== undefined) complain(offset, at, problem);
      return text;
    }),
  );
}

function readThrough(node: Node | undefined, path: Path, complain: ComplainAt): GuardedWays {
  if (node === undefined) return DEFAULT_WAYS;
  if (node.kind !== 'mapping') {
    complain(node.offset, path, mismatch('a mapping as `{setRole: false}`', node));
    return DEFAULT_WAYS;
  }
  for (const problem of unknownKeys(node, path, GUARD_WAYS)) complain(problem.offset, problem.path, problem.message);
  const way = (key: Exclude<keyof GuardedWays, 'definer'>): boolean => flagOf(node, key, path, complain);
  return { setRole: way('setRole'), ownership: way('ownership'), superuser: way('superuser'), definer: definerOf(node, path, complain) };
}

function definerOf(node: MappingNode, path: Path, complain: ComplainAt): GuardedWays['definer'] {
  const value = valueOf(node, 'definer');
  if (value === undefined) return DEFAULT_WAYS.definer;
  if (value.kind === 'scalar' && (typeof value.value === 'boolean' || value.value === 'views')) return value.value;
  complain(value.offset, [...path, 'definer'], mismatch('`true`, `views` or `false`', value));
  return DEFAULT_WAYS.definer;
}

function flagOf(node: MappingNode, key: Exclude<keyof GuardedWays, 'definer'>, path: Path, complain: ComplainAt): boolean {
  const value = valueOf(node, key);
  if (value === undefined) return DEFAULT_WAYS[key];
  if (value.kind === 'scalar' && typeof value.value === 'boolean') return value.value;
  complain(value.offset, [...path, key], mismatch('`true` or `false`', value));
  return DEFAULT_WAYS[key];
}
