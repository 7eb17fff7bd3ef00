// `databases`: what belongs to a database: its owner, its schemas and extensions, what PUBLIC may do, and who creates objects there.
import { z } from 'zod';
import { BLOCK_KEYS, readBlock } from './block.ts';
import { name } from './entry-schema.ts';
import { isGlob } from '../model/pattern.ts';
import { reportContradictions } from './contradictions.ts';
import { type DatabaseDraft, fileOfOther } from './draft.ts';
import { mismatch } from './issues.ts';
import { repeatedKeys, unknownKeys } from './keys.ts';
import { isStorable } from './names.ts';
import type { ComplainAt, ProblemReport } from './problem-report.ts';
import { saidOf } from './said.ts';
import { show } from './show.ts';
import { follow, type MappingNode, type Node, type Path, stringOf, valueOf } from './tree.ts';
import type { DatabaseEntry, GrantRule } from '../model/entries.ts';
import { readValues } from './values.ts';

/** Every key of an item of `databases`, and of one of its schemas and extensions. */
export const DATABASE_KEYS = ['name', 'owner', 'create', 'public', 'schemas', 'extensions', 'createdBy'] as const;
export const SCHEMA_KEYS = ['name', 'owner'] as const;
export const EXTENSION_KEYS = ['name', 'schema'] as const;

const READ_APART: ReadonlySet<string> = new Set(['public']);
const orName = <T extends z.ZodType>(mapping: T) => z.preprocess((value) => (typeof value === 'string' ? { name: value } : value), mapping);

const schema = z.object({
  name: name('database'),
  owner: name('role').optional(),
  create: z.boolean().optional(),
  schemas: z.array(orName(z.object({ name: name('schema'), owner: name('role').optional() }))).optional(),
  extensions: z.array(orName(z.object({ name: name('extension'), schema: name('schema').optional() }))).optional(),
  createdBy: z.array(name('role')).optional(),
});

/** Reads the list; one draft for each item. */
export const readDatabases = (node: Node | undefined, report: ProblemReport): readonly DatabaseDraft[] =>
  node?.kind === 'list' ? node.items.map((item, index) => readItem(item, ['databases', index], report)) : [];

function readItem(node: Node, path: Path, report: ProblemReport): DatabaseDraft {
  const item = { report, path, offset: node.offset };
  if (node.kind !== 'mapping') {
    report.add({ offset: node.offset, path, message: mismatch('a mapping with the key `name`', node) });
    return { ...item, name: undefined, entry: undefined };
  }
  const entry = readDatabase(node, path, report);
  const name = stringOf(valueOf(node, 'name'));
  return name === undefined || !isStorable(name) ? { ...item, name: undefined, entry: undefined } : { ...item, name, entry };
}

/** Reports databases that have several entries. @returns the drafts that are invalid because of it. */
export function checkDatabases(drafts: readonly DatabaseDraft[]): readonly DatabaseDraft[] {
  const last = new Map<string, DatabaseDraft>();
  return drafts.flatMap((draft) => {
    const { name } = draft;
    if (name === undefined) return [];
    const before = last.get(name);
    last.set(name, draft);
    if (before === undefined) return [];
    for (const [here, other] of [
      [before, draft],
      [draft, before],
    ] as const) {
      const file = fileOfOther(other, here);
      const message = `the database ${show(name)} stands here ${file === undefined ? 'more than once' : `and in ${show(file)}`}; keep one entry`;
      here.report.add({ offset: here.offset, path: [...here.path, 'name'], message });
    }
    return [before, draft];
  });
}

function readDatabase(node: MappingNode, path: Path, report: ProblemReport): DatabaseEntry | undefined {
  const complaints = report.complaints();
  const { complain } = complaints;
  for (const problem of keyProblems(node, path)) complain(problem.offset, problem.path, problem.message);
  const values = readValues(node, path, schema, READ_APART, complain);
  if (values !== undefined && isGlob(values.name))
    complain(valueOf(node, 'name')?.offset ?? node.offset, [...path, 'name'], 'an entry is about one database, and its name cannot be a pattern');
  const rules = values === undefined ? [] : readPublic(node, values.name, path, report, complain);
  if (values === undefined) return undefined;
  const placed = <T extends { readonly name: string }>(items: readonly T[] | undefined, key: string) => {
    const seen = new Set<string>();
    const { node: list } = follow(node, [key]);
    return (items ?? []).map((item, index) => {
      const { offset } = follow(list, [index]);
      if (seen.has(item.name)) complain(offset, [...path, key, index], `${show(item.name)} stands here twice; keep one`);
      seen.add(item.name);
      return { ...item, position: report.positionOf(offset) };
    });
  };
  const schemas = placed(values.schemas, 'schemas');
  const extensions = placed(values.extensions, 'extensions');
  if (!complaints.none || reportContradictions(rules, 'PUBLIC', [...path, 'public'], report)) return undefined;
  return {
    name: values.name,
    owner: values.owner,
    create: values.create ?? false,
    public: rules,
    schemas,
    extensions,
    createdBy: [...new Set(values.createdBy)],
    said: saidOf(node, 'name', report),
    position: report.positionOf(node.offset),
  };
}

function keyProblems(node: MappingNode, path: Path) {
  const below = (key: string, known: readonly string[]) => {
    const list = valueOf(node, key);
    return list?.kind === 'list' ? list.items.flatMap((item, index) => unknownKeys(item, [...path, key, index], known)) : [];
  };
  return [...unknownKeys(node, path, DATABASE_KEYS), ...below('schemas', SCHEMA_KEYS), ...below('extensions', EXTENSION_KEYS), ...repeatedKeys(node, path)];
}

/** `revoked`, or blocks that say what PUBLIC may do; what they do not name is left as it is. */
function readPublic(node: MappingNode, database: string, path: Path, report: ProblemReport, complain: ComplainAt): readonly GrantRule[] {
  const value = valueOf(node, 'public');
  if (value === undefined) return [];
  const at = [...path, 'public'];
  const readOne = (block: MappingNode, below: Path): readonly GrantRule[] => {
    for (const problem of unknownKeys(block, below, BLOCK_KEYS)) complain(problem.offset, problem.path, problem.message);
    const rules = readBlock(block, { path: below, complain, report, database });
    const passedOn = rules.find((rule) => rule.privileges.some((privilege) => privilege.grantable));
    if (passedOn !== undefined) complain(block.offset, below, 'PUBLIC cannot have a grant option; take `grantable` away');
    return rules;
  };
  if (value.kind === 'mapping') return readOne(value, at);
  if (value.kind === 'list' && value.items.length > 0)
    return value.items.flatMap((item, index) => {
      if (item.kind === 'mapping') return readOne(item, [...at, index]);
      complain(item.offset, [...at, index], mismatch('a block of grants', item));
      return [];
    });
  if (stringOf(value) !== 'revoked') {
    complain(value.offset, at, mismatch('`revoked`, a block of grants or a list of them', value));
    return [];
  }
  const none = { database, name: '*', column: '', privileges: [], implied: false, permission: undefined, position: report.positionOf(value.offset) };
  return [
    { ...none, kind: 'database', schema: '' },
    { ...none, kind: 'schema', schema: 'public' },
  ];
}
