// The diff of objects: what subjects should hold on groups of objects against what they hold. Knows nothing of documents or connections.
import type { Change } from '../../changes/change.ts';
import type { InParts, Pace } from '../../model/in-parts.ts';
import { type Acting, DATABASE_OWNER } from './acting.ts';
import { type AclEntry, type DefaultAcl, type ObjectGroup, type ObjectName, ownName, PUBLIC } from '../../model/contents.ts';
import type { ObjectKind } from '../../model/kinds.ts';
import { onceFor } from '../../model/once-for.ts';
import { extrasOf, type Holder, missingOf } from './missing-and-extra.ts';
import { lostByCascade, type Wanted } from './regrant.ts';
import { union, type Wish, wishOf } from './rules.ts';
import { concernedBy, type Subject } from './subject.ts';

export interface ObjectDiffInput {
  /** Empty for what is shared by all databases. */
  readonly database: string;
  /** Of the database, and so of what belongs to pg_database_owner. */
  readonly owner: string;
  /** The database is a template: what is in it is in every new one. */
  readonly inTemplate: boolean;
  readonly groups: readonly ObjectGroup[];
  readonly defaults: readonly DefaultAcl[];
  readonly subjects: readonly Subject[];
  readonly acting: Acting;
  /** Whether what is revoked in this plan is revoked at all. */
  readonly revokes: boolean;
  /** Whether a role's privileges are ours to revoke. */
  readonly isOurs: (role: string) => boolean;
  /** Privileges that a document may not hand out; they are neither granted nor revoked. Asked for members of extensions, parameters, and templates. */
  readonly refused: (group: ObjectGroup, name: ObjectName, subject: Subject, wish: Wish) => ReadonlySet<string>;
  readonly pace: Pace;
}

const NOTHING: Wish = wishOf([]);

/** A name is soon told apart from a pattern: so many of them are as much work as anything else that is counted. */
const PATTERNS_AS_WORK = 16;

/** How many objects one statement names at most. */
const NAMES = 500;

type GrantPrivilege = Change & { kind: 'grant_privilege' };
type Revoke = Change & { kind: 'revoke_privilege' };

/** The changes for the objects of one database, or of those that all databases share; without order. */
export function* diffObjects(input: ObjectDiffInput): InParts<Change[]> {
  const explained = explanations(input.defaults);
  const passedOn = columnsPassedOn(input.groups);
  const lookedAt = concernedBy(input.subjects, input.database);
  const changes: Change[] = [];
  /** Revokes on whole tables that reach the columns. */
  const onTables: Revoke[] = [];
  /** `role, schema, table` → grantors and privileges that are revoked on the whole table, which takes the columns' with them. */
  const wiped = new Map<string, Set<string>>();
  // Tables before columns.
  const groups = input.groups.toSorted((a, b) => Number(a.kind === 'column') - Number(b.kind === 'column'));
  for (const group of groups) {
    const held = Map.groupBy(group.entries, (entry) => entry.grantee);
    const wanted: Wanted[] = [];
    const first = changes.length;
    if (input.pace(1)) yield;
    for (const subject of lookedAt(group.kind, held)) {
      // What an owner may do is nobody's to give or to take.
      if (subject.name === (group.owner === DATABASE_OWNER ? input.owner : group.owner)) continue;
      const entries = held.get(subject.name) ?? [];
      if (input.pace(1 + entries.length)) yield;
      const isExplained = group.untouched || explained(group, subject.name, entries);
      for (const [wish, names] of yield* partition(group, subject, entries, input)) {
        if (wish !== undefined) wanted.push({ subject, wish, names });
        // The columns of a table by themselves, where a revoke on some table takes columns with it.
        for (const part of group.kind === 'column' && wiped.size > 0 ? pieces('column', names) : [names]) {
          const isWiped = group.kind === 'column' ? wiped.get(wipeKey(subject.name, group.schema, ownName(part[0] ?? ''))) : undefined;
          const left = isWiped === undefined ? entries : entries.filter((entry) => !isWiped.has(wipeEntry(entry.grantor, entry.privilege)));
          // What PUBLIC holds on columns that no rule names goes with the table's, and comes back.
          const wished = wish === undefined && isWiped !== undefined && subject.mode === 'named' ? holdings(entries) : wish;
          const found = compare(group, subject, wished, part, left, isExplained, passedOn, input);
          for (const change of found) changes.push(change);
          if (group.kind === 'table')
            noteWiped(wiped, found, (change) => input.revokes && (change.as === undefined || input.acting.inability(change.as) === undefined));
        }
      }
    }
    const own = changes.slice(first);
    if (group.kind === 'table') for (const change of own) if (change.kind === 'revoke_privilege' && change.cascade) onTables.push(change);
    changes.push(...regrants(group, [...own, ...(group.kind === 'column' ? onColumns(onTables, group) : [])], wanted, input));
  }
  return changes;
}

/** Revokes on whole tables, as they reach the columns of a group. */
const onColumns = (revokes: readonly Revoke[], group: ObjectGroup): readonly Change[] =>
  revokes.flatMap((change): Change[] => {
    if (change.on.schema !== group.schema) return [];
    const names = group.names.filter((name) => change.on.names.includes(ownName(name)));
    return names.length === 0 ? [] : [{ ...change, on: { ...change.on, object: 'column', names } }];
  });

/** What others of ours would lose by a CASCADE, granted by the owner; the same grant may be planned already. */
function regrants(group: ObjectGroup, changes: readonly Change[], wanted: readonly Wanted[], { database, acting }: ObjectDiffInput): Change[] {
  return lostByCascade(group, changes, wanted).flatMap(({ role, privilege, grantable, names }): Change[] => {
    const planned = changes.some(
      (change) => change.kind === 'grant_privilege' && change.role === role && change.privileges.includes(privilege) && change.grantable === grantable,
    );
    if (planned) return [];
    const as = group.kind === 'database' ? acting.onDatabase(ownName(names[0] ?? ''), group.owner) : acting.as(group.owner, database);
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
        for (const table of new Set(group.names.map(ownName))) {
          const key = wipeKey(entry.grantor, group.schema, table);
          const known = result.get(key);
          if (known === undefined) result.set(key, [entry]);
          else known.push(entry);
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
      const key = wipeKey(change.role, change.on.schema, ownName(name));
      wiped.set(key, new Set([...(wiped.get(key) ?? []), ...change.privileges.map((privilege) => wipeEntry(change.grantor, privilege))]));
    }
  }
}

/** The group's names by what the subject should hold on them; names that no rule concerns have an undefined wish. */
function* partition(
  group: ObjectGroup,
  subject: Subject,
  entries: readonly AclEntry[],
  { database, inTemplate, refused, pace }: ObjectDiffInput,
): InParts<ReadonlyMap<Wish | undefined, readonly ObjectName[]>> {
  const scope = subject.rules.scope(group.kind, group.kind === 'database' ? '' : database, group.kind === 'schema' ? '' : group.schema);
  const implied = (name: ObjectName): Wish | undefined => (group.kind === 'schema' ? subject.rules.impliedOn(database, ownName(name)) : undefined);
  const mayBeRefused = group.extension || group.kind === 'parameter' || group.exactOnly === true || inTemplate;
  const byNameOnly = group.extension || group.exactOnly === true;
  if (scope.uniform && !mayBeRefused && !byNameOnly && group.kind !== 'schema') return new Map([[scope.everything, group.names]]);
  const parts = new Map<Wish | undefined, ObjectName[]>();
  for (const name of group.names) {
    if (pace(1 + scope.patterns / PATTERNS_AS_WORK)) yield;
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
  names: readonly ObjectName[],
  entries: readonly AclEntry[],
  explained: boolean,
  passedOn: ReadonlyMap<string, readonly AclEntry[]>,
  { database, acting, isOurs }: ObjectDiffInput,
): Change[] {
  if (wished === undefined && subject.mode !== 'exact') return [];
  // The database whose owner counts is the object itself, where it is one.
  const home = group.kind === 'database' ? ownName(names[0] ?? '') : database;
  const as = group.kind === 'database' ? acting.onDatabase(home, group.owner) : acting.as(group.owner, home);
  const holder: Holder = { group, subject, wish: wished ?? NOTHING, entries, as };
  const changes: Change[] = [];
  const on = (part: readonly ObjectName[]) => ({ database, object: group.kind, schema: group.schema, names: part, owner: group.owner });
  // Where we cannot grant, and so cannot revoke either, what everybody has is not missing.
  const shared = as === undefined || acting.inability(as) === undefined ? [] : group.entries.filter((entry) => entry.grantee === PUBLIC);
  const missing = missingOf(holder, shared);
  for (const grantable of [false, true]) {
    const privileges = missing.flatMap(([privilege, option]) => (option === grantable ? [privilege] : []));
    if (privileges.length === 0) continue;
    const grant: Omit<GrantPrivilege, 'on'> = { kind: 'grant_privilege', role: subject.name, privileges, grantable, as, explained };
    for (const part of pieces(group.kind, names)) changes.push({ ...grant, on: on(part) });
  }
  if (subject.mode === 'additive') return changes;
  for (const [part, columns] of byColumns(group, subject, names, passedOn))
    for (const extra of extrasOf(holder, columns, isOurs)) {
      const grantor = acting.asGrantor(extra.grantor, group.owner, home);
      const revoke: Omit<Revoke, 'on'> = { kind: 'revoke_privilege', role: subject.name, ...extra, as: grantor, explained };
      // What is lent is given back, which the server refuses while the grantor's grants to others are there: those to ours are revoked in the same statement.
      for (const piece of extra.lapsed === undefined ? pieces(group.kind, part) : part.map((name) => [name])) changes.push({ ...revoke, on: on(piece) });
    }
  return changes;
}

/** A REVOKE on a table reaches what the role passed on of its columns: such tables each by themselves, with what that is. */
function byColumns(
  group: ObjectGroup,
  subject: Subject,
  names: readonly ObjectName[],
  passedOn: ReadonlyMap<string, readonly AclEntry[]>,
): readonly (readonly [names: readonly ObjectName[], columns: readonly AclEntry[]])[] {
  const columnsOf = (name: ObjectName) => (group.kind === 'table' ? passedOn.get(wipeKey(subject.name, group.schema, ownName(name))) : undefined);
  const apart = passedOn.size === 0 ? [] : names.filter((name) => columnsOf(name) !== undefined);
  const together = apart.length === 0 ? names : names.filter((name) => columnsOf(name) === undefined);
  return [...(together.length === 0 ? [] : [[together, []] as const]), ...apart.map((name) => [[name], columnsOf(name) ?? []] as const)];
}

/** As many names as one statement takes; the columns of one table are one piece, and so is each parameter's. */
function pieces(kind: ObjectKind, names: readonly ObjectName[]): readonly (readonly ObjectName[])[] {
  if (kind === 'column') return [...Map.groupBy(names, ownName).values()];
  return names.length <= NAMES ? [names] : sliced(names);
}

/** The same slices for everybody who is compared on the same objects: what is made of them further on is made once. */
const sliced = onceFor((names: readonly ObjectName[]): readonly (readonly ObjectName[])[] =>
  Array.from({ length: Math.ceil(names.length / NAMES) }, (_, index) => names.slice(index * NAMES, (index + 1) * NAMES)),
);

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
