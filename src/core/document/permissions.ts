// `permissions`: named blocks of grants, and how roles and users are composed of them and of blocks of their own.
import { BLOCK_KEYS, readBlock } from './block.ts';
import { mismatch } from './issues.ts';
import { repeatedKeys, unknownKeys } from './keys.ts';
import type { ComplainAt, Report } from './report.ts';
import { show } from './show.ts';
import { suggest } from './suggest.ts';
import { type MappingNode, type Node, type Path, stringOf, valueOf } from './tree.ts';
import type { GrantRule } from './types.ts';

/** The rules of each permission by its name; undefined for one that is there but wrong. */
export type Permissions = ReadonlyMap<string, readonly GrantRule[] | undefined>;

/** Reads the list and reports what is wrong with it. */
export function readPermissions(node: Node | undefined, report: Report): Permissions {
  const permissions = new Map<string, readonly GrantRule[] | undefined>();
  const first = new Map<string, { readonly offset: number; readonly path: Path }>();
  for (const [index, item] of (node?.kind === 'list' ? node.items : []).entries()) {
    const path = ['permissions', index];
    const complaints = report.complaints();
    const { complain } = complaints;
    if (item.kind !== 'mapping') {
      complain(item.offset, path, mismatch('a mapping with the key `name`', item));
      continue;
    }
    for (const problem of [...unknownKeys(item, path, ['name', ...BLOCK_KEYS]), ...repeatedKeys(item, path)])
      complain(problem.offset, problem.path, problem.message);
    const name = stringOf(valueOf(item, 'name'));
    if (name === undefined || name === '') {
      complain(valueOf(item, 'name')?.offset ?? item.offset, [...path, 'name'], 'a permission needs a `name`, so that roles can refer to it');
      continue;
    }
    const rules = readBlock(item, { path, complain, positionOf: (offset) => report.positionOf(offset), permission: name });
    if (complaints.none && rules.length === 0)
      complain(item.offset, path, `the permission ${show(name)} grants nothing; add \`schemas\`, objects or \`actions\``);
    const before = first.get(name);
    if (before !== undefined) {
      const message = `the permission ${show(name)} is declared more than once; keep one`;
      complain(item.offset, [...path, 'name'], message);
      report.add({ offset: before.offset, path: before.path, message });
      permissions.set(name, undefined);
      continue;
    }
    first.set(name, { offset: item.offset, path: [...path, 'name'] });
    permissions.set(name, complaints.none ? rules : undefined);
  }
  return permissions;
}

export interface CompositionOptions {
  readonly path: Path;
  readonly complain: ComplainAt;
  readonly report: Report;
  readonly permissions: Permissions;
}

/** The rules of an entry's `grants` and `permissions`; undefined where it has neither key. */
export function readComposition(node: MappingNode, options: CompositionOptions): readonly GrantRule[] | undefined {
  const grants = valueOf(node, 'grants');
  const named = valueOf(node, 'permissions');
  if (grants === undefined && named === undefined) return undefined;
  return [...readGrants(grants, options), ...readNamed(named, options)];
}

function readGrants(node: Node | undefined, { path, complain, report }: CompositionOptions): readonly GrantRule[] {
  if (node === undefined) return [];
  const at = [...path, 'grants'];
  if (node.kind !== 'list') {
    complain(node.offset, at, mismatch('a list of blocks', node));
    return [];
  }
  return node.items.flatMap((item, index) => {
    const below = [...at, index];
    if (item.kind !== 'mapping') {
      complain(item.offset, below, mismatch('a block of grants', item));
      return [];
    }
    for (const problem of unknownKeys(item, below, BLOCK_KEYS)) complain(problem.offset, problem.path, problem.message);
    const rules = readBlock(item, { path: below, complain, positionOf: (offset) => report.positionOf(offset) });
    if (rules.length === 0) complain(item.offset, below, 'this block grants nothing; add `schemas`, objects or `actions`');
    return rules;
  });
}

function readNamed(node: Node | undefined, { path, complain, permissions }: CompositionOptions): readonly GrantRule[] {
  if (node?.kind !== 'list') return [];
  const seen = new Set<string>();
  return node.items.flatMap((item, index) => {
    const name = stringOf(item);
    if (name === undefined || seen.has(name)) return [];
    seen.add(name);
    const rules = permissions.get(name);
    if (rules !== undefined) return rules;
    const near = suggest(name, [...permissions.keys()]);
    complain(
      item.offset,
      [...path, 'permissions', index],
      permissions.has(name)
        ? `the permission ${show(name)} has errors of its own, so nothing is changed here until they are mended`
        : `there is no permission ${show(name)}${near === undefined ? '; declare it under `permissions`' : `; did you mean ${show(near)}?`}`,
    );
    return [];
  });
}
