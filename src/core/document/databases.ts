// `databases`: what belongs to a database: its owner, its schemas and extensions, what PUBLIC may do, and who creates objects there.
import { z } from 'zod';
import { BLOCK_KEYS, readBlock } from './block.ts';
import { name } from './entry-schema.ts';
import { isGlob } from '../privileges/pattern.ts';
import { reportContradictions } from './contradictions.ts';
import { mismatch } from './issues.ts';
import { repeatedKeys, unknownKeys } from './keys.ts';
import { isStorable } from './names.ts';
import type { ComplainAt, Report } from './report.ts';
import { show } from './show.ts';
import { follow, type MappingNode, type Node, type Path, stringOf, valueOf } from './tree.ts';
import { type DatabaseEntry, type GrantRule, UNKNOWN_DATABASE } from './types.ts';
import { readValues } from './values.ts';

const KEYS: readonly string[] = ['name', 'owner', 'create', 'public', 'schemas', 'extensions', 'createdBy'];
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

export interface Databases {
  readonly entries: readonly DatabaseEntry[];
  readonly invalid: ReadonlySet<string>;
}

/** Reads the list and reports what is wrong with it. */
export function readDatabases(node: Node | undefined, report: Report): Databases {
  const entries = new Map<string, DatabaseEntry>();
  const invalid = new Set<string>();
  const places = new Map<string, { readonly offset: number; readonly path: Path }>();
  for (const [index, item] of (node?.kind === 'list' ? node.items : []).entries()) {
    const path = ['databases', index];
    if (item.kind !== 'mapping') {
      report.add({ offset: item.offset, path, message: mismatch('a mapping with the key `name`', item) });
      invalid.add(UNKNOWN_DATABASE);
      continue;
    }
    const written = stringOf(valueOf(item, 'name'));
    const entry = readDatabase(item, path, report);
    if (written === undefined || !isStorable(written)) {
      invalid.add(UNKNOWN_DATABASE);
      continue;
    }
    const before = places.get(written);
    places.set(written, { offset: item.offset, path });
    if (before !== undefined) {
      const message = `the database ${show(written)} stands here more than once; keep one entry`;
      for (const place of [before, { offset: item.offset, path }]) report.add({ offset: place.offset, path: [...place.path, 'name'], message });
    }
    if (entry === undefined || before !== undefined) invalid.add(written);
    else entries.set(written, entry);
  }
  for (const one of invalid) entries.delete(one);
  return { entries: [...entries.values()], invalid };
}

function readDatabase(node: MappingNode, path: Path, report: Report): DatabaseEntry | undefined {
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
    return (items ?? []).map((item, index) => {
      const { offset } = follow(node, [key, index]);
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
    position: report.positionOf(node.offset),
  };
}

function keyProblems(node: MappingNode, path: Path) {
  const below = (key: string, known: readonly string[]) => {
    const list = valueOf(node, key);
    return list?.kind === 'list' ? list.items.flatMap((item, index) => unknownKeys(item, [...path, key, index], known)) : [];
  };
  return [...unknownKeys(node, path, KEYS), ...below('schemas', ['name', 'owner']), ...below('extensions', ['name', 'schema']), ...repeatedKeys(node, path)];
}

/** `revoked`, or a block that says what PUBLIC may do; what the block does not name is left as it is. */
function readPublic(node: MappingNode, database: string, path: Path, report: Report, complain: ComplainAt): readonly GrantRule[] {
  const value = valueOf(node, 'public');
  if (value === undefined) return [];
  const at = [...path, 'public'];
  const positionOf = (offset: number) => report.positionOf(offset);
  if (value.kind === 'mapping') {
    for (const problem of unknownKeys(value, at, BLOCK_KEYS)) complain(problem.offset, problem.path, problem.message);
    const rules = readBlock(value, { path: at, complain, positionOf, database });
    const passedOn = rules.find((rule) => rule.privileges.some((privilege) => privilege.grantable));
    if (passedOn !== undefined) complain(value.offset, at, 'PUBLIC cannot have a grant option; take `grantable` away');
    return rules;
  }
  if (stringOf(value) !== 'revoked') {
    complain(value.offset, at, mismatch('`revoked` or a block of grants', value));
    return [];
  }
  const none = { database, name: '*', column: '', privileges: [], implied: false, permission: undefined, position: positionOf(value.offset) };
  return [
    { ...none, kind: 'database', schema: '' },
    { ...none, kind: 'schema', schema: 'public' },
  ];
}
