// One item of `users` → what can be told of it in any case, and the valid entry where it is one.
import { readConnectionSecret } from './connection-secret.ts';
import { type EntryValues, entrySchema } from './entry-schema.ts';
import type { Draft } from './draft.ts';
import { formerName } from './former-names.ts';
import { mismatch } from './issues.ts';
import { entryKeyProblems, repeatedKeys } from './keys.ts';
import { derivedSecretName, patternProblem, secretNameProblem } from './names.ts';
import { readPasswordSpec } from './password-spec.ts';
import { type Permissions, readComposition } from './permissions.ts';
import { readPrivileges } from './privilege-list.ts';
import type { ComplainAt, ProblemReport } from './problem-report.ts';
import { readRotation, rotationProblem } from './rotation.ts';
import { membershipNames, namesOf } from './roles.ts';
import { readDatabaseSettings, readSettings } from './settings.ts';
import { saidOf } from './said.ts';
import { show } from './show.ts';
import { type MappingNode, type Node, type Path, stringOf, valueOf } from './tree.ts';
import type { GrantRule, UserEntry } from '../model/entries.ts';
import { readMemberships, readValues } from './values.ts';

/** Read from the tree itself: keys that are free, numbers that keep their spelling, and values that take several forms. */
const READ_APART: ReadonlySet<string> = new Set(['settings', 'databaseSettings', 'privileges', 'grants', 'password', 'connectionSecret', 'rotation']);

/** Reads one item and reports everything that is wrong with it alone. */
export function readEntry(node: Node, index: number, permissions: Permissions, report: ProblemReport): Draft {
  const path = ['users', index];
  if (node.kind === 'mapping') return readMapping(node, path, permissions, report);
  report.add({ offset: node.offset, path, message: mismatch('a mapping with the key `username`', node) });
  for (const problem of repeatedKeys(node, path)) report.add(problem);
  return {
    report,
    path,
    offset: node.offset,
    nameOffset: node.offset,
    names: [],
    roles: [],
    former: undefined,
    movedTo: undefined,
    derivedSecret: undefined,
    entry: undefined,
  };
}

function readMapping(node: MappingNode, path: Path, permissions: Permissions, report: ProblemReport): Draft {
  const names = namesOf(node, 'username');
  const [username] = names;
  const complaints = report.complaints(username);
  const { complain } = complaints;
  for (const problem of entryKeyProblems(node, path)) complain(problem.offset, problem.path, problem.message);
  complainOfDate(node, path, complain);
  const values = readValues(node, path, entrySchema, READ_APART, complain);
  const settings = readBelow(node, path, 'settings', complain, readSettings);
  const databaseSettings = readBelow(node, path, 'databaseSettings', complain, readDatabaseSettings);
  const password = readBelow(node, path, 'password', complain, (value, at) => readPasswordSpec(value, [], at));
  const connectionSecret = readBelow(node, path, 'connectionSecret', complain, (value, at) =>
    readConnectionSecret(value, at, (offset) => report.positionOf(offset)),
  );
  const rotation = readBelow(node, path, 'rotation', complain, (value, at) => readRotation(value, at, (offset) => report.positionOf(offset)));
  complainOfPassword(node, path, complain);
  const misfit = username === undefined ? undefined : rotationProblem({ username, rotation, password, connectionSecret });
  if (misfit !== undefined) complain(valueOf(node, 'rotation')?.offset ?? node.offset, [...path, 'rotation'], misfit);
  const roles = readMemberships(values?.roles ?? [], node, path, 'roles', (offset) => report.positionOf(offset), complain);
  const derivedSecret = derivedSecretOf(node, username);
  checkDerivedSecret(node, path, derivedSecret, complain);
  const composed = readComposition(node, { path, complain, report, permissions });
  const legacy = readLegacyPrivileges(node, path, report, complain);
  const rules = composed === undefined || legacy === undefined ? (composed ?? legacy) : [...composed, ...legacy];
  const entry =
    complaints.none && values !== undefined
      ? {
          ...entryOf(values, report.positionOf(node.offset)),
          password,
          connectionSecret,
          rotation,
          roles,
          settings,
          databaseSettings,
          rules,
          said: saidOf(node, 'username', report),
        }
      : undefined;
  // A merged name stands in another entry; there it would point at the wrong one.
  const nameOffset = Math.max(valueOf(node, 'username')?.offset ?? 0, node.offset);
  const [former, movedTo] = [formerName(node), stringOf(valueOf(node, 'movedTo'))];
  return { report, path, offset: node.offset, nameOffset, names, roles: membershipNames(node, path, 'roles'), former, movedTo, derivedSecret, entry };
}

function complainOfDate(node: MappingNode, path: Path, complain: ComplainAt): void {
  const name = valueOf(node, 'username');
  if (name?.kind === 'scalar' && name.plain && /^\d{4}-\d{2}-\d{2}(?:[Tt ].*)?$/.test(name.source))
    complain(name.offset, [...path, 'username'], 'must be text, but is a date; write it in quotes');
}

function readBelow<T>(node: MappingNode, path: Path, key: string, complain: ComplainAt, read: (value: Node, complain: ComplainAt) => T): T | undefined {
  const value = valueOf(node, key);
  if (value === undefined) return undefined;
  return read(value, (offset, below, message) => complain(offset, [...path, key, ...below], message));
}

/** Without a password there is no Secret to name, and nothing that a connection Secret could hold. */
function complainOfPassword(node: MappingNode, path: Path, complain: ComplainAt): void {
  if (!isWithoutPassword(node)) return;
  for (const key of ['passwordSecretRef', 'connectionSecret']) {
    const other = node.pairs.find((pair) => pair.key === key);
    if (other !== undefined) complain(other.keyOffset, [...path, key], 'needs a password, and the entry says `password: none`; keep one of them');
  }
}

const isWithoutPassword = (node: MappingNode): boolean => stringOf(valueOf(node, 'password')) === 'none';

function derivedSecretOf(node: MappingNode, username: string | undefined): string | undefined {
  const login = valueOf(node, 'login');
  const needsNone = (login?.kind === 'scalar' && login.value === false) || isWithoutPassword(node);
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

/** The old form: `{table: [SELECT]}` or `{schema.table: [SELECT]}` in the user's own database. */
function readLegacyPrivileges(node: MappingNode, path: Path, report: ProblemReport, complain: ComplainAt): readonly GrantRule[] | undefined {
  const value = valueOf(node, 'privileges');
  if (value === undefined || (value.kind === 'scalar' && value.value === null)) return undefined;
  const at = [...path, 'privileges'];
  if (value.kind !== 'mapping') {
    complain(value.offset, at, mismatch('a mapping of tables to privileges', value));
    return undefined;
  }
  if (value.pairs.length === 0) return undefined;
  const database = stringOf(valueOf(node, 'database'));
  return value.pairs.flatMap(({ key, keyOffset, value: list }): GrantRule[] => {
    const below = [...at, key];
    const dot = key.indexOf('.');
    const [schema, name] = dot === -1 ? ['public', key] : [key.slice(0, dot), key.slice(dot + 1)];
    for (const problem of [patternProblem(schema, 'schema'), patternProblem(name, 'table')]) if (problem !== undefined) complain(keyOffset, below, problem);
    const privileges = readPrivileges(list, below, 'table', complain);
    const base = { database, schema, column: '', permission: undefined, position: report.positionOf(keyOffset) };
    return [
      { ...base, kind: 'table', name, privileges, implied: false },
      ...(privileges.length === 0
        ? []
        : [{ ...base, kind: 'schema' as const, name: '*', privileges: [{ privilege: 'USAGE', grantable: false }], implied: true }]),
    ];
  });
}

function entryOf(
  values: EntryValues,
  position: UserEntry['position'],
): Omit<UserEntry, 'roles' | 'settings' | 'databaseSettings' | 'rules' | 'password' | 'connectionSecret' | 'rotation' | 'said'> {
  const {
    username,
    renamedFrom,
    database,
    databases = [],
    passwordSecretRef,
    login = true,
    connectionLimit,
    validUntil,
    comment,
    deletionPolicy,
    drain,
    assumeRole,
    grantsMode,
  } = values;
  return {
    username,
    renamedFrom,
    database,
    databases: [...new Set(databases)],
    secret: passwordSecretRef ?? { name: derivedSecretName(username), key: 'password' },
    secretIsDerived: passwordSecretRef === undefined,
    login,
    connectionLimit,
    validUntil,
    comment,
    deletionPolicy,
    drain,
    assumeRole,
    additive: grantsMode === 'additive' ? true : undefined,
    position,
  };
}
