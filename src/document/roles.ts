// `roles`: group roles with what they may do and which roles they belong to.
import { z } from 'zod';
import type { RoleDraft } from './draft.ts';
import { authorName, comment, deletionPolicy, grantsMode, membership, name } from './entry-schema.ts';
import { mismatch } from './issues.ts';
import { MEMBERSHIP_KEYS, repeatedKeys, unknownKeys } from './keys.ts';
import { isStorable } from './names.ts';
import { formerName } from './former-names.ts';
import { type Permissions, readComposition } from './permissions.ts';
import { saidOf } from './said.ts';
import type { ProblemReport } from './problem-report.ts';
import { type MappingNode, type Node, type Path, stringOf, valueOf } from './tree.ts';
import { readMemberships, readValues } from './values.ts';

/** Every key of an item of `roles`. */
export const ROLE_KEYS = [
  'name',
  'renamedFrom',
  'permissions',
  'memberOf',
  'grants',
  'grantsMode',
  'comment',
  'deletionPolicy',
  'sharedWith',
  'movedTo',
] as const;
const READ_APART: ReadonlySet<string> = new Set(['grants']);

const schema = z.object({
  name: name('role'),
  renamedFrom: name('user').optional(),
  permissions: z.array(z.string()).optional(),
  memberOf: z.array(membership).optional(),
  grantsMode: grantsMode.optional(),
  comment,
  deletionPolicy: deletionPolicy.optional(),
  sharedWith: z.array(authorName).optional(),
  movedTo: authorName.optional(),
});

/** Reads the list; one draft for each item. */
export const readRoles = (node: Node | undefined, permissions: Permissions, report: ProblemReport): readonly RoleDraft[] =>
  node?.kind === 'list' ? node.items.map((item, index) => readRole(item, ['roles', index], permissions, report)) : [];

function readRole(node: Node, path: Path, permissions: Permissions, report: ProblemReport): RoleDraft {
  if (node.kind !== 'mapping') {
    report.add({ offset: node.offset, path, message: mismatch('a mapping with the key `name`', node) });
    return { report, path, offset: node.offset, nameOffset: node.offset, names: [], roles: [], former: undefined, movedTo: undefined, declaration: undefined };
  }
  const names = namesOf(node, 'name');
  const complaints = report.complaints(names[0]);
  const { complain } = complaints;
  for (const problem of keyProblems(node, path)) complain(problem.offset, problem.path, problem.message);
  const values = readValues(node, path, schema, READ_APART, complain);
  const rules = readComposition(node, { path, complain, report, permissions });
  const memberOf =
    values?.memberOf === undefined ? undefined : readMemberships(values.memberOf, node, path, 'memberOf', (offset) => report.positionOf(offset), complain);
  const declaration =
    complaints.none && values !== undefined
      ? {
          name: values.name,
          renamedFrom: values.renamedFrom,
          memberOf,
          rules,
          additive: values.grantsMode === 'additive',
          comment: values.comment,
          deletionPolicy: values.deletionPolicy,
          sharedWith: values.sharedWith,
          said: saidOf(node, 'name', report),
          position: report.positionOf(node.offset),
        }
      : undefined;
  const nameOffset = Math.max(valueOf(node, 'name')?.offset ?? 0, node.offset);
  const [former, movedTo] = [formerName(node), stringOf(valueOf(node, 'movedTo'))];
  return { report, path, offset: node.offset, nameOffset, names, roles: membershipNames(node, path, 'memberOf'), former, movedTo, declaration };
}

const keyProblems = (node: MappingNode, path: Path) => {
  const memberOf = valueOf(node, 'memberOf');
  return [
    ...unknownKeys(node, path, ROLE_KEYS),
    ...(memberOf?.kind === 'list' ? memberOf.items.flatMap((item, index) => unknownKeys(item, [...path, 'memberOf', index], MEMBERSHIP_KEYS)) : []),
    ...repeatedKeys(node, path),
  ];
};

/** Every name that an item may mean (a repeated key can give it several); only those that the server can hold. */
export function namesOf(node: MappingNode, key: string): readonly string[] {
  const all = node.pairs.flatMap((pair) => (pair.key === key ? (stringOf(pair.value) ?? []) : []));
  return [...new Set(all)].filter((one) => isStorable(one));
}

/** The roles that are readable, whatever else is wrong. */
export function membershipNames(node: MappingNode, path: Path, key: 'roles' | 'memberOf'): RoleDraft['roles'] {
  const roles = valueOf(node, key);
  if (roles?.kind !== 'list') return [];
  return roles.items.flatMap((item, index) => {
    const role = item.kind === 'mapping' ? stringOf(valueOf(item, 'name')) : stringOf(item);
    return role === undefined ? [] : [{ name: role, offset: item.offset, path: [...path, key, index] }];
  });
}
