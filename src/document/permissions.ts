// `permissions`: named blocks of grants, and how roles and users are composed of them and of blocks of their own.
import { BLOCK_KEYS, readBlock, sizeProblem } from './block.ts';
import { LIMITS } from '../model/limits.ts';
import { mismatch } from './issues.ts';
import { repeatedKeys, unknownKeys } from './keys.ts';
import type { ComplainAt, ProblemReport } from './problem-report.ts';
import { show } from './show.ts';
import { suggest } from './suggest.ts';
import { type MappingNode, type Node, type Path, stringOf, valueOf } from './tree.ts';
import type { GrantRule } from '../model/entries.ts';

/** The rules of each permission by its name; undefined for one that is there but wrong. */
export type Permissions = ReadonlyMap<string, readonly GrantRule[] | undefined>;

/** Reads the list and reports what is wrong with it. */
export function readPermissions(node: Node | undefined, report: ProblemReport): Permissions {
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
    const rules = readBlock(item, { path, complain, report, permission: name });
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
  readonly report: ProblemReport;
  readonly permissions: Permissions;
}

/** The rules of an entry's `grants` and `permissions`; undefined where it has neither key. */
export function readComposition(node: MappingNode, options: CompositionOptions): readonly GrantRule[] | undefined {
  const grants = valueOf(node, 'grants');
  const named = valueOf(node, 'permissions');
  if (grants === undefined && named === undefined) return undefined;
  const [own, shared] = [readGrants(grants, options), readNamed(named, options)];
  const count = own.length + shared.reduce((sum, rules) => sum + rules.length, 0);
  // The blocks' own rules have been counted where they stand.
  const problem = sizeProblem(count, count - own.length, options.report);
  if (problem === undefined) return own.length > 0 ? [...own, ...shared.flat()] : together(shared);
  options.complain(node.offset, options.path, `its grants and permissions stand for ${problem}`);
  return [];
}

/** The rules of some permissions: entries that have the same share one list, which is then checked, compiled and digested once for all of them. */
function together(permissions: readonly (readonly GrantRule[])[]): readonly GrantRule[] {
  const [first, ...others] = permissions;
  if (first === undefined) return [];
  if (others.length === 0) return first;
  let place = combined;
  for (const rules of permissions) {
    const next = place.next.get(rules) ?? { next: new WeakMap() };
    place.next.set(rules, next);
    place = next;
  }
  return (place.rules ??= permissions.flat());
}

/** A list of permissions is a way through these; it is forgotten with the first of them. */
interface Combined {
  readonly next: WeakMap<readonly GrantRule[], Combined>;
  rules?: readonly GrantRule[];
}

const combined: Combined = { next: new WeakMap() };

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
    const rules = readBlock(item, { path: below, complain, report });
    if (rules.length === 0) complain(item.offset, below, 'this block grants nothing; add `schemas`, objects or `actions`');
    return rules;
  });
}

/** As many as a misspelt one is compared with. */
function firstNames(permissions: Permissions): readonly string[] {
  const names: string[] = [];
  for (const name of permissions.keys()) if (names.push(name) === LIMITS.suggestions) break;
  return names;
}

/** The rules of each permission that is named. */
function readNamed(node: Node | undefined, { path, complain, permissions }: CompositionOptions): readonly (readonly GrantRule[])[] {
  if (node?.kind !== 'list') return [];
  const seen = new Set<string>();
  let unknown = 0;
  return node.items.flatMap((item, index) => {
    const name = stringOf(item);
    if (name === undefined || seen.has(name)) return [];
    seen.add(name);
    const rules = permissions.get(name);
    if (rules !== undefined) return [rules];
    unknown += 1;
    const near = unknown > LIMITS.problemsOfMapping ? undefined : suggest(name, firstNames(permissions));
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
