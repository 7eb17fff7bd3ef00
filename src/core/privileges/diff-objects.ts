// The diff of objects: what subjects should hold on groups of objects against what they hold. Knows nothing of documents or connections.
import type { Change } from '../change.ts';
import type { Acting } from './acting.ts';
import { type AclEntry, type DefaultAcl, type ObjectGroup, splitName } from './contents.ts';
import { dependentsOf, depthOf } from './dependents.ts';
import type { ObjectKind } from './kinds.ts';
import { lostByCascade, type Wanted } from './regrant.ts';
import { union, type Wish, wishOf } from './rules.ts';
import type { Subject } from './subject.ts';

export interface ObjectDiffInput {
  /** Empty for what is shared by all databases. */
  readonly database: string;
  readonly groups: readonly ObjectGroup[];
  readonly defaults: readonly DefaultAcl[];
  readonly subjects: readonly Subject[];
  readonly acting: Acting;
  /** Whether what is revoked in this plan is revoked at all (REVOKES). */
  readonly revokes: boolean;
  /** Whether a role's privileges are ours to revoke. */
  readonly isOurs: (role: string) => boolean;
  /** Privileges that a document may not hand out; they are neither granted nor revoked. Asked for members of extensions and parameters. */
  readonly refused: (group: ObjectGroup, name: string, subject: Subject, wish: Wish) => ReadonlySet<string>;
}

const NOTHING: Wish = wishOf([]);
const NOBODY: ReadonlySet<string> = new Set();

/** How many objects one statement names at most. */
const NAMES = 500;

type Grant = Change & { kind: 'grant_privilege' };
type Revoke = Change & { kind: 'revoke_privilege' };

/** The changes for the objects of one database, or of those that all databases share; without order. */
export function diffObjects(input: ObjectDiffInput): Change[] {
  const explained = explanations(input.defaults);
  const passedOn = columnsPassedOn(input.groups);
  const changes: Change[] = [];
  /** `role, schema, table` → grantors and privileges that are revoked on the whole table, which takes the columns' with them. */
  const wiped = new Map<string, Set<string>>();
  // Tables before columns.
  const groups = input.groups.toSorted((a, b) => Number(a.kind === 'column') - Number(b.kind === 'column'));
  for (const group of groups) {
    const held = Map.groupBy(group.entries, (entry) => entry.grantee);
    const wanted: Wanted[] = [];
    const first = changes.length;
    for (const subject of input.subjects) {
      if (subject.name === group.owner) continue;
      const entries = held.get(subject.name) ?? [];
      if (entries.length === 0 && !subject.rules.concerns(group.kind, input.database)) continue;
      const isExplained = group.untouched || explained(group, subject.name, entries);
      for (const [wish, names] of partition(group, subject, entries, input)) {
        if (wish !== undefined) wanted.push({ subject, wish, names });
        // The columns of a table by themselves, where a revoke on some table takes columns with it.
        for (const part of group.kind === 'column' && wiped.size > 0 ? pieces('column', names) : [names]) {
          const isWiped = group.kind === 'column' ? wiped.get(wipeKey(subject.name, group.schema, splitName(part[0] ?? '')[0])) : undefined;
          const left = isWiped === undefined ? entries : entries.filter((entry) => !isWiped.has(wipeEntry(entry.grantor, entry.privilege)));
          // What PUBLIC holds on columns that no rule names goes with the table's, and comes back.
          const wished = wish === undefined && isWiped !== undefined && subject.mode === 'named' ? holdings(entries) : wish;
          const found = compare(group, subject, wished, part, left, isExplained, passedOn, input);
          changes.push(...found);
          if (group.kind === 'table')
            noteWiped(wiped, found, (change) => input.revokes && (change.as === undefined || input.acting.inability(change.as) === undefined));
        }
      }
    }
    const own = changes.slice(first);
    changes.push(...regrants(group, [...own, ...(group.kind === 'column' ? onColumns(changes, group) : [])], wanted, input));
  }
  return changes;
}

/** Revokes on whole tables, as they reach the columns of a group. */
const onColumns = (changes: readonly Change[], group: ObjectGroup): readonly Change[] =>
  changes.flatMap((change): Change[] => {
    if (change.kind !== 'revoke_privilege' || !change.cascade || change.on.object !== 'table' || change.on.schema !== group.schema) return [];
    const names = group.names.filter((name) => change.on.names.includes(splitName(name)[0]));
    return names.length === 0 ? [] : [{ ...change, on: { ...change.on, object: 'column', names } }];
  });

/** What others of ours would lose by a CASCADE, granted by the owner; the same grant may be planned already. */
function regrants(group: ObjectGroup, changes: readonly Change[], wanted: readonly Wanted[], { database, acting }: ObjectDiffInput): Change[] {
  return lostByCascade(group, changes, wanted).flatMap(({ role, privilege, grantable, names }): Change[] => {
    const planned = changes.some(
      (change) => change.kind === 'grant_privilege' && change.role === role && change.privileges.includes(privilege) && change.grantable === grantable,
    );
    if (planned) return [];
    const as = group.kind === 'database' ? acting.onDatabase(names[0] ?? '') : acting.as(group.owner, database);
    const grant = { kind: 'grant_privilege' as const, role, privileges: [privilege], grantable, as, explained: false };
    return pieces(group.kind, names).map((part) => ({ ...grant, on: { database, object: group.kind, schema: group.schema, names: part, owner: group.owner } }));
  });
}

/** `grantor, schema, table` → what it passed on of the table's columns. */
function columnsPassedOn(groups: readonly ObjectGroup[]): ReadonlyMap<string, readonly AclEntry[]> {
  const result = new Map<string, AclEntry[]>();
  for (const group of groups) {
    if (group.kind !== 'column') continue;
    for (const entry of group.entries)
      if (entry.grantor !== group.owner)
        for (const table of new Set(group.names.map((name) => splitName(name)[0]))) {
          const key = wipeKey(entry.grantor, group.schema, table);
          result.set(key, [...(result.get(key) ?? []), entry]);
        }
  }
  return result;
}

/** A REVOKE reaches what its own grantor gave. */
const wipeEntry = (grantor: string, privilege: string): string => `${grantor}\0${privilege}`;

const wipeKey = (role: string, schema: string, table: string): string => `${role}\0${schema}\0${table}`;

function noteWiped(wiped: Map<string, Set<string>>, changes: readonly Change[], willRun: (change: Revoke) => boolean): void {
  for (const change of changes) {
    if (change.kind !== 'revoke_privilege' || change.optionOnly || change.dependents.length > 0 || !willRun(change)) continue;
    for (const name of change.on.names) {
      const key = wipeKey(change.role, change.on.schema, name);
      wiped.set(key, new Set([...(wiped.get(key) ?? []), ...change.privileges.map((privilege) => wipeEntry(change.grantor, privilege))]));
    }
  }
}

/** The group's names by what the subject should hold on them; names that no rule concerns have an undefined wish. */
function partition(
  group: ObjectGroup,
  subject: Subject,
  entries: readonly AclEntry[],
  { database, refused }: ObjectDiffInput,
): ReadonlyMap<Wish | undefined, readonly string[]> {
  const scope = subject.rules.scope(group.kind, group.kind === 'database' ? '' : database, group.kind === 'schema' ? '' : group.schema);
  const implied = (name: string): Wish | undefined => (group.kind === 'schema' ? subject.rules.impliedOn(database, name) : undefined);
  const mayBeRefused = group.extension || group.kind === 'parameter';
  const byNameOnly = group.extension || group.exactOnly === true;
  if (scope.uniform && !mayBeRefused && !byNameOnly && group.kind !== 'schema') return new Map([[scope.everything, group.names]]);
  const parts = new Map<Wish | undefined, string[]>();
  for (const name of group.names) {
    const named = byNameOnly ? scope.findExact(name) : scope.find(name);
    const follows = implied(name);
    // What only follows from other rules adds to what PUBLIC holds, and names nothing that it could lose.
    const found = named === undefined && follows !== undefined && subject.mode === 'named' ? union(follows, holdings(entries)) : union(named, follows);
    const wish = found === undefined || !mayBeRefused ? found : withoutRefused(found, refused(group, name, subject, found), entries);
    const names = parts.get(wish);
    if (names === undefined) parts.set(wish, [name]);
    else names.push(name);
  }
  return parts;
}

const holdings = (entries: readonly AclEntry[]): Wish => wishOf(new Map(entries.map((entry) => [entry.privilege, entry.grantable])));

/** What is refused and already held stays as it is. */
const withoutRefused = (wish: Wish, refused: ReadonlySet<string>, entries: readonly AclEntry[]): Wish =>
  refused.size === 0 ? wish : wishOf([...wish].filter(([privilege]) => !refused.has(privilege) || entries.some((entry) => entry.privilege === privilege)));

function compare(
  group: ObjectGroup,
  subject: Subject,
  wished: Wish | undefined,
  names: readonly string[],
  entries: readonly AclEntry[],
  explained: boolean,
  passedOn: ReadonlyMap<string, readonly AclEntry[]>,
  { database, acting, isOurs }: ObjectDiffInput,
): Change[] {
  if (wished === undefined && subject.mode !== 'exact') return [];
  const wish = wished ?? NOTHING;
  const isElsewhere = (privilege: string): boolean => subject.connectsElsewhere && group.kind === 'database' && privilege === 'CONNECT';
  const held = new Map<string, boolean>();
  for (const { privilege, grantable } of entries) held.set(privilege, grantable || held.get(privilege) === true);

  const changes: Change[] = [];
  const on = (part: readonly string[]) => ({ database, object: group.kind, schema: group.schema, names: part, owner: group.owner });
  const missing = (wantsOption: boolean): string[] =>
    [...wish].flatMap(([privilege, grantable]) =>
      grantable === wantsOption && !isElsewhere(privilege) && (held.get(privilege) === undefined || (grantable && held.get(privilege) === false))
        ? [privilege]
        : [],
    );
  // The database whose owner counts is the object itself, where it is one.
  const home = group.kind === 'database' ? (names[0] ?? '') : database;
  const as = group.kind === 'database' ? acting.onDatabase(home) : acting.as(group.owner, home);
  for (const grantable of [false, true]) {
    const privileges = missing(grantable);
    if (privileges.length === 0) continue;
    const grant: Omit<Grant, 'on'> = { kind: 'grant_privilege', role: subject.name, privileges, grantable, as, explained };
    for (const part of pieces(group.kind, names)) changes.push({ ...grant, on: on(part) });
  }
  if (subject.mode === 'additive') return changes;
  // A REVOKE on a table reaches what the role passed on of its columns: such tables each by themselves.
  const isApart = (name: string): boolean => group.kind === 'table' && passedOn.has(wipeKey(subject.name, group.schema, name));
  const apart = passedOn.size === 0 ? [] : names.filter(isApart);
  const together = apart.length === 0 ? names : names.filter((name) => !isApart(name));
  for (const [part, columns] of [
    [together, []] as const,
    ...apart.map((name) => [[name], passedOn.get(wipeKey(subject.name, group.schema, name)) ?? []] as const),
  ])
    for (const extra of part.length === 0 ? [] : extrasOf(columns)) {
      const revoke: Omit<Revoke, 'on'> = {
        kind: 'revoke_privilege',
        role: subject.name,
        ...extra,
        as: acting.asGrantor(extra.grantor, group.owner, home),
        explained,
      };
      for (const piece of pieces(group.kind, part)) changes.push({ ...revoke, on: on(piece) });
    }

  /** What is held beyond the wish, by who granted it and who depends on it. */
  function extrasOf(columns: readonly AclEntry[]): Iterable<Pick<Revoke, 'grantor' | 'depth' | 'privileges' | 'optionOnly' | 'cascade' | 'dependents'>> {
    const extras = new Map<string, Pick<Revoke, 'grantor' | 'depth' | 'optionOnly' | 'cascade' | 'dependents'> & { privileges: string[] }>();
    for (const { privilege, grantor, grantable } of entries) {
      if (isElsewhere(privilege)) continue;
      const wanted = wish.get(privilege);
      if (wanted !== undefined && (wanted || !grantable)) continue;
      const passes = grantable || columns.length > 0;
      const losing = passes ? dependentsOf(subject.name, privilege, group.owner, [...group.entries, ...columns]) : NOBODY;
      const dependents = [...losing].filter((role) => !isOurs(role) && role !== group.owner);
      const depth = depthOf(grantor, privilege, group.owner, group.entries);
      const key = [grantor, depth, wanted !== undefined, losing.size > 0, ...dependents].join('\0');
      const extra = extras.get(key);
      if (extra === undefined)
        extras.set(key, { grantor, depth, privileges: [privilege], optionOnly: wanted !== undefined, cascade: losing.size > 0, dependents });
      else extra.privileges.push(privilege);
    }
    return extras.values();
  }
  return changes;
}

/** As many names as one statement takes; the columns of one table are one piece, and so is each parameter's. */
function pieces(kind: ObjectKind, names: readonly string[]): readonly (readonly string[])[] {
  if (kind === 'column') return [...Map.groupBy(names, (name) => splitName(name)[0]).values()];
  if (names.length <= NAMES) return [names];
  return Array.from({ length: Math.ceil(names.length / NAMES) }, (_, index) => names.slice(index * NAMES, (index + 1) * NAMES));
}

/** Whether a role holds on a group just what default privileges gave the objects when they were made. */
function explanations(defaults: readonly DefaultAcl[]): (group: ObjectGroup, role: string, entries: readonly AclEntry[]) => boolean {
  const given = new Map<string, Set<string>>();
  for (const { creator, schema, kind, entries } of defaults)
    for (const { grantee, privilege } of entries) {
      const key = [creator, schema, kind, grantee].join('\0');
      given.set(key, (given.get(key) ?? new Set()).add(privilege));
    }
  return (group, role, entries) => {
    if (given.size === 0) return false;
    const of = (schema: string): Iterable<string> => given.get([group.owner, schema, group.kind, role].join('\0')) ?? [];
    const expected = new Set([...of(''), ...of(group.schema)]);
    const held = new Set(entries.map((entry) => entry.privilege));
    return expected.size > 0 && expected.size === held.size && [...expected].every((privilege) => held.has(privilege));
  };
}
