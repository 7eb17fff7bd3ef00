// A mapping → the values of a schema, every mismatch said at its place; and memberships, which several kinds of entries have.
import type { z } from 'zod';
import { LIMITS } from '../model/limits.ts';
import { issueMessage } from './issues.ts';
import type { ComplainAt } from './problem-report.ts';
import { show } from './show.ts';
import { follow, type MappingNode, type Path, plainOf } from './tree.ts';
import type { Position, RoleEntry } from '../model/entries.ts';

/**
 * The values of a mapping; undefined where the shape is wrong.
 * @param apart keys that are read from the tree itself.
 */
export function readValues<T>(node: MappingNode, path: Path, schema: z.ZodType<T>, apart: ReadonlySet<string>, complain: ComplainAt): T | undefined {
  for (const { key, value } of node.pairs)
    if (value.kind === 'list' && value.items.length > LIMITS.listItems) {
      complain(value.offset, [...path, key], `the list has ${value.items.length} items; at most ${LIMITS.listItems} are read`);
      return undefined;
    }
  const result = schema.safeParse(plainOf(node, apart));
  if (result.success) return result.data;
  for (const issue of result.error.issues.slice(0, LIMITS.problemsOfMapping)) {
    const steps = issue.path.map((step) => (typeof step === 'number' ? step : String(step)));
    const place = follow(node, steps);
    // A role that is only a name has its problem at `roles[0]`, although the schema sees `roles[0].name`.
    const isMissing = place.path.length < steps.length && place.node.kind === 'mapping';
    complain(place.offset, [...path, ...place.path], issueMessage(issue, isMissing ? undefined : place.node));
  }
  return undefined;
}

type Options = Pick<RoleEntry, 'admin' | 'inherit' | 'set'>;

/** Memberships without repetitions; the same role with other options is a contradiction. */
export function readMemberships(
  roles: readonly Omit<RoleEntry, 'position'>[],
  node: MappingNode,
  path: Path,
  key: 'roles' | 'memberOf',
  positionOf: (offset: number) => Position,
  complain: ComplainAt,
): readonly RoleEntry[] {
  const found = new Map<string, RoleEntry>();
  // A schema has been through it: the list has an item for each role.
  const { node: list } = follow(node, [key]);
  for (const [index, role] of roles.entries()) {
    const { offset } = follow(list, [index]);
    const before = found.get(role.name);
    if (before === undefined) found.set(role.name, { ...role, position: positionOf(offset) });
    else if (!sameOptions(before, role)) complain(offset, [...path, key, index], `the role ${show(role.name)} is named twice with different options; keep one`);
  }
  return [...found.values()];
}

/** Options that are left out count as the server's defaults. */
const sameOptions = (left: Options, right: Options): boolean =>
  (left.admin ?? false) === (right.admin ?? false) && (left.inherit ?? true) === (right.inherit ?? true) && (left.set ?? true) === (right.set ?? true);
