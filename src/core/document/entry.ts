// One item of `users` → what can be told of it in any case, and the valid entry where it is one.
import { type EntryValues, entrySchema } from './entry-schema.ts';
import { issueMessage, mismatch } from './issues.ts';
import { entryKeyProblems, repeatedKeys } from './keys.ts';
import { derivedSecretName, isStorable, secretNameProblem } from './names.ts';
import type { Report } from './report.ts';
import { readDatabaseSettings, readSettings } from './settings.ts';
import { show } from './show.ts';
import { follow, type MappingNode, type Node, type Path, plainOf, stringOf, valueOf } from './tree.ts';
import type { RoleEntry, UserEntry } from './types.ts';

/** An item while the document is read. Checks across entries look at all of them, also at those that are invalid by themselves. */
export interface Draft {
  readonly path: Path;
  /** Where the item stands. */
  readonly offset: number;
  /** Where the username stands, or the item where there is none. */
  readonly nameOffset: number;
  /** Every name that the item may mean (a repeated key can give it several); only those that the server can hold. */
  readonly names: readonly string[];
  readonly roles: readonly { readonly name: string; readonly offset: number; readonly path: Path }[];
  /** The Secret that the naming rule gives the user; undefined with passwordSecretRef, and without login. */
  readonly derivedSecret: string | undefined;
  /** The entry, if nothing is wrong with it alone. */
  readonly entry: UserEntry | undefined;
}

/** Settings are read from the tree itself: their keys are free, and their numbers keep their spelling. */
const READ_APART: ReadonlySet<string> = new Set(['settings', 'databaseSettings']);

/** Reads one item and reports everything that is wrong with it alone. */
export function readEntry(node: Node, index: number, report: Report): Draft {
  const path = ['users', index];
  if (node.kind === 'mapping') return readMapping(node, path, report);
  report.add({ offset: node.offset, path, message: mismatch('a mapping with the key `username`', node) });
  for (const problem of repeatedKeys(node, path)) report.add(problem);
  return { path, offset: node.offset, nameOffset: node.offset, names: [], roles: [], derivedSecret: undefined, entry: undefined };
}

function readMapping(node: MappingNode, path: Path, report: Report): Draft {
  const names = namesOf(node);
  const [username] = names;
  let isValid = true;
  const complain = (offset: number, at: Path, message: string): void => {
    isValid = false;
    report.add({ offset, path: at, message, username });
  };
  for (const problem of entryKeyProblems(node, path)) complain(problem.offset, problem.path, problem.message);
  const values = readValues(node, path, complain);
  const settings = readBelow(node, path, 'settings', complain, readSettings);
  const databaseSettings = readBelow(node, path, 'databaseSettings', complain, readDatabaseSettings);
  const roles = values === undefined ? [] : readRoles(values, node, path, report, complain);
  const derivedSecret = derivedSecretOf(node, username);
  checkDerivedSecret(node, path, derivedSecret, complain);
  warnOfPrivileges(node, path, username, report);
  const entry = isValid && values !== undefined ? { ...entryOf(values, report.positionOf(node.offset)), roles, settings, databaseSettings } : undefined;
  // A merged name stands in another entry; there it would point at the wrong one.
  const nameOffset = Math.max(valueOf(node, 'username')?.offset ?? 0, node.offset);
  return { path, offset: node.offset, nameOffset, names, roles: roleNames(node, path), derivedSecret, entry };
}

type ComplainAt = (offset: number, path: Path, message: string) => void;

function namesOf(node: MappingNode): readonly string[] {
  const all = node.pairs.flatMap(({ key, value }) => (key === 'username' ? (stringOf(value) ?? []) : []));
  return [...new Set(all)].filter((name) => isStorable(name));
}

/** Undefined where the shape is wrong. */
function readValues(node: MappingNode, path: Path, complain: ComplainAt): EntryValues | undefined {
  const name = valueOf(node, 'username');
  if (name?.kind === 'scalar' && name.plain && /^\d{4}-\d{2}-\d{2}(?:[Tt ].*)?$/.test(name.source))
    complain(name.offset, [...path, 'username'], 'must be text, but is a date; write it in quotes');
  const result = entrySchema.safeParse(plainOf(node, READ_APART));
  if (result.success) return result.data;
  for (const issue of result.error.issues) {
    const steps = issue.path.map((step) => (typeof step === 'number' ? step : String(step)));
    const place = follow(node, steps);
    // A role that is only a name has its problem at `roles[0]`, although the schema sees `roles[0].name`.
    const isMissing = place.path.length < steps.length && place.node.kind === 'mapping';
    complain(place.offset, [...path, ...place.path], issueMessage(issue, isMissing ? undefined : place.node));
  }
  return undefined;
}

function readBelow<T>(node: MappingNode, path: Path, key: string, complain: ComplainAt, read: (value: Node, complain: ComplainAt) => T): T | undefined {
  const value = valueOf(node, key);
  if (value === undefined) return undefined;
  return read(value, (offset, below, message) => complain(offset, [...path, key, ...below], message));
}

/** Memberships without repetitions; the same role with other options is a contradiction. */
function readRoles(values: EntryValues, node: MappingNode, path: Path, report: Report, complain: ComplainAt): readonly RoleEntry[] {
  const roles = new Map<string, RoleEntry>();
  for (const [index, role] of (values.roles ?? []).entries()) {
    const { offset } = follow(node, ['roles', index]);
    const before = roles.get(role.name);
    if (before === undefined) roles.set(role.name, { ...role, position: report.positionOf(offset) });
    else if (!sameOptions(before, role))
      complain(offset, [...path, 'roles', index], `the role ${show(role.name)} is named twice with different options; keep one`);
  }
  return [...roles.values()];
}

type Options = Pick<RoleEntry, 'admin' | 'inherit' | 'set'>;

/** Options that are left out count as the server's defaults. */
const sameOptions = (left: Options, right: Options): boolean =>
  (left.admin ?? false) === (right.admin ?? false) && (left.inherit ?? true) === (right.inherit ?? true) && (left.set ?? true) === (right.set ?? true);

function derivedSecretOf(node: MappingNode, username: string | undefined): string | undefined {
  const login = valueOf(node, 'login');
  const needsNone = login?.kind === 'scalar' && login.value === false;
  return username === undefined || needsNone || valueOf(node, 'passwordSecretRef') !== undefined ? undefined : derivedSecretName(username);
}

/** A name with dots in unlucky places derives a Secret that Kubernetes would not take. */
function checkDerivedSecret(node: MappingNode, path: Path, secret: string | undefined, complain: ComplainAt): void {
  if (secret === undefined || secretNameProblem(secret) === undefined) return;
  const offset = valueOf(node, 'username')?.offset ?? node.offset;
  complain(
    offset,
    [...path, 'username'],
    `its Secret would be called ${show(secret)}, which Kubernetes does not allow; name another one with \`passwordSecretRef\``,
  );
}

function warnOfPrivileges(node: MappingNode, path: Path, username: string | undefined, report: Report): void {
  const pair = node.pairs.find(({ key }) => key === 'privileges');
  if (pair?.value.kind !== 'mapping' || pair.value.pairs.length === 0) return;
  const message = 'this version does not manage privileges on objects: they are left as they are';
  report.add({ severity: 'warning', offset: pair.keyOffset, path: [...path, 'privileges'], message, username });
}

/** The roles that are readable, whatever else is wrong. */
function roleNames(node: MappingNode, path: Path): Draft['roles'] {
  const roles = valueOf(node, 'roles');
  if (roles?.kind !== 'list') return [];
  return roles.items.flatMap((item, index) => {
    const name = item.kind === 'mapping' ? stringOf(valueOf(item, 'name')) : stringOf(item);
    return name === undefined ? [] : [{ name, offset: item.offset, path: [...path, 'roles', index] }];
  });
}

function entryOf(values: EntryValues, position: UserEntry['position']): Omit<UserEntry, 'roles' | 'settings' | 'databaseSettings'> {
  const { username, database, databases = [], passwordSecretRef, login = true, connectionLimit, validUntil, comment, deletionPolicy } = values;
  return {
    username,
    database,
    databases: [...new Set(databases)],
    secret: passwordSecretRef ?? { name: derivedSecretName(username), key: 'password' },
    secretIsDerived: passwordSecretRef === undefined,
    login,
    connectionLimit,
    validUntil,
    comment,
    deletionPolicy,
    position,
  };
}
