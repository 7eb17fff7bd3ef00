// What logins may after changes and could not before, and the other way round: folded by kind and schema, and bounded.
import { holdersOf } from '../explain/holders.ts';
import { guisesOf, rightsOf } from '../explain/links.ts';
import type { Path } from '../explain/paths.ts';
import type { Realm, Securable } from '../explain/securable.ts';
import type { Might } from '../explain/what-can.ts';
import { whoCan } from '../explain/who-can.ts';
import type { Change } from '../changes/change.ts';
import { furtherName, type ObjectGroup, type ObjectName, ownName, PUBLIC } from '../model/contents.ts';
import { privilegesOf } from '../model/kinds.ts';
import { afterChanges } from './after.ts';
import { type Pair, pairsOf } from './pairs.ts';
import { type AccessState, realmIn } from './state.ts';

/** The same that somebody gains or loses on objects of one kind and schema, by the same path. */
export interface AccessLine extends Might {
  /** PUBLIC for everybody. */
  readonly role: string;
  /** Undefined for what is in no database. */
  readonly database: string | undefined;
}

export interface AccessDifference {
  readonly gained: readonly AccessLine[];
  readonly lost: readonly AccessLine[];
  /** There is more than is compared. */
  readonly more: boolean;
  /** What cannot be known: a sentence each. */
  readonly unknown: readonly string[];
}

/** So many lines are held, and so many roles are compared on objects. */
const MOST = { lines: 20_000, compared: 4_000_000 };

/** A state before changes, as it is called afterwards: who is renamed stays who it was. */
export const beforeChanges = (state: AccessState, changes: readonly Change[]): AccessState =>
  afterChanges(
    state,
    changes.filter(({ kind }) => kind === 'rename_role'),
  );

/**
 * Compares the logins of a state with those of the state that changes leave.
 * @param role only this one, whether it may log in or not.
 */
export function accessDifference(state: AccessState, changes: readonly Change[], role?: string): AccessDifference {
  const before = beforeChanges(state, changes);
  const after = afterChanges(state, changes);
  const lines = new Lines();
  const places = [undefined, ...new Set([...before.databases.keys(), ...after.databases.keys()])];
  for (const place of places) {
    const groups = (side: AccessState): readonly ObjectGroup[] => (place === undefined ? side.shared : (side.databases.get(place)?.groups ?? []));
    const both = { before: new Side(realmIn(before, place ?? ''), role), after: new Side(realmIn(after, place ?? ''), role) };
    const moved = movedLogins(both);
    const [was, now] = [groups(before), groups(after)];
    for (const pair of pairsOf(was, now)) if (!pair.isSame || moved.size > 0) compare(pair, both, pair.isSame ? moved : undefined, place, lines);
    lines.count(was, now, place);
  }
  return { ...lines.told(), unknown: after.unknown };
}

interface Allowed {
  readonly everybody: boolean;
  readonly people: ReadonlyMap<string, Path>;
}

/** Who may, of one realm: of the many objects that the same roles hold, one answer. */
class Side {
  readonly realm: Realm;
  readonly #only: string | undefined;
  readonly #known = new Map<string, Allowed>();

  constructor(realm: Realm, only: string | undefined) {
    this.realm = realm;
    this.#only = only;
  }

  /** Whether what it may counts. */
  isLogin(role: string): boolean {
    return this.#only === undefined ? this.realm.roles.get(role)?.login === true : role === this.#only && this.realm.roles.has(role);
  }

  allowed(object: Securable | undefined, privilege: string): Allowed {
    if (object === undefined) return { everybody: false, people: new Map() };
    const key = JSON.stringify(holdersOf(this.realm, object, privilege));
    const known = this.#known.get(key) ?? this.#ask(object, privilege);
    this.#known.set(key, known);
    return known;
  }

  #ask(object: Securable, privilege: string): Allowed {
    const { everybody, people, afterSetRole } = whoCan(this.realm, object, privilege, {});
    return { everybody, people: new Map([...afterSetRole, ...people].map(({ role, path }) => [role, path])) };
  }
}

interface Both {
  readonly before: Side;
  readonly after: Side;
}

/** Logins whose way to anything is another one: those that come, go, are closed or opened, and those with other roles. */
function movedLogins({ before, after }: Both): ReadonlySet<string> {
  const logins = new Set([before, after].flatMap((side) => [...side.realm.roles.keys()].filter((role) => side.isLogin(role))));
  const isSame = (role: string): boolean => {
    const [was, now] = [before.realm.roles.get(role), after.realm.roles.get(role)];
    if (before.isLogin(role) !== after.isLogin(role) || was?.superuser !== now?.superuser) return false;
    return [rightsOf, guisesOf].every((reach) => sameKeys(reach(before.realm, role), reach(after.realm, role)));
  };
  return new Set([...logins].filter((role) => !isSame(role)));
}

const sameKeys = (a: ReadonlyMap<string, unknown>, b: ReadonlyMap<string, unknown>): boolean => a.size === b.size && [...a.keys()].every((key) => b.has(key));

/** @param only those who can have gained or lost; undefined for everybody. */
function compare(pair: Pair, { before, after }: Both, only: ReadonlySet<string> | undefined, place: string | undefined, lines: Lines): void {
  const found = new Map<string, { readonly isGain: boolean; readonly role: string; readonly path: Path; readonly privileges: string[] }>();
  const note = (isGain: boolean, role: string, path: Path, privilege: string): void => {
    const key = JSON.stringify([isGain, role, path]);
    const line = found.get(key) ?? { isGain, role, path, privileges: [] };
    line.privileges.push(privilege);
    found.set(key, line);
  };
  for (const privilege of privilegesOf(pair.kind, after.realm.major)) {
    const [was, now] = [before.allowed(pair.before, privilege), after.allowed(pair.after, privilege)];
    if (was.everybody !== now.everybody)
      note(now.everybody, PUBLIC, publicPath(now.everybody ? after : before, now.everybody ? pair.after : pair.before, privilege), privilege);
    const roles = only ?? new Set([...was.people.keys(), ...now.people.keys()]);
    if (!lines.mayCompare(roles.size)) return;
    for (const role of roles) {
      const [had, has] = [before.isLogin(role) ? was.people.get(role) : undefined, after.isLogin(role) ? now.people.get(role) : undefined];
      // What everybody has is nobody's gain, and what everybody had nobody's loss.
      if (has !== undefined && had === undefined && !now.everybody && !(was.everybody && before.isLogin(role))) note(true, role, has, privilege);
      if (had !== undefined && has === undefined && !was.everybody && !(now.everybody && after.isLogin(role))) note(false, role, had, privilege);
    }
  }
  for (const line of found.values()) lines.add(line.isGain, { ...line, database: place, kind: pair.kind, schema: pair.schema }, pair.names);
}

const publicPath = ({ realm }: Side, object: Securable | undefined, privilege: string): Path => {
  const holder = (object === undefined ? [] : holdersOf(realm, object, privilege)).find(({ role }) => role === PUBLIC);
  return { holder: holder ?? { by: 'predefined', role: PUBLIC }, chain: [PUBLIC] };
};

type Line = Omit<AccessLine, 'names' | 'all'>;

interface Gathered extends Line {
  /** Objects that somebody else may have as well: thousands of logins can have the same thousands. */
  readonly parts: (readonly ObjectName[])[];
}

/** What was found, the same on several objects as one. */
class Lines {
  readonly #sides = [new Map<string, Gathered>(), new Map<string, Gathered>()] as const;
  readonly #totals = [new Map<string, number>(), new Map<string, number>()] as const;
  #compared = 0;
  #more = false;

  /** Whether there is room for so many more. */
  mayCompare(roles: number): boolean {
    this.#compared += roles;
    if (this.#compared > MOST.compared) this.#more = true;
    return !this.#more;
  }

  add(isGain: boolean, { role, database, kind, schema, privileges, path }: Line, names: readonly ObjectName[]): void {
    const side = this.#sides[isGain ? 1 : 0];
    const key = JSON.stringify([role, database, kind, schema, privileges, path]);
    const line = side.get(key) ?? { role, database, kind, schema, privileges, path, parts: [] };
    line.parts.push(names);
    if (side.has(key) || side.size < MOST.lines) side.set(key, line);
    else this.#more = true;
  }

  /** How many objects there are of each kind and schema. */
  count(before: readonly ObjectGroup[], after: readonly ObjectGroup[], database: string | undefined): void {
    for (const [index, groups] of [before, after].entries())
      for (const { kind, schema, names } of groups) {
        const totals = this.#totals[index === 0 ? 0 : 1];
        const key = JSON.stringify([database, kind, schema]);
        totals.set(key, (totals.get(key) ?? 0) + names.length);
      }
  }

  told(): Omit<AccessDifference, 'unknown'> {
    const namesOf = namesOfParts();
    const lines = (isGain: boolean): readonly AccessLine[] =>
      [...this.#sides[isGain ? 1 : 0].values()]
        .map(({ parts, ...line }): AccessLine => {
          const names = namesOf(parts);
          return { ...line, names, all: this.#isAll(line, names.length, isGain) };
        })
        .map((line) => ({ line, order: orderOf(line) }))
        .toSorted((a, b) => compareText(a.order, b.order))
        .map(({ line }) => line);
    return { gained: lines(true), lost: lines(false), more: this.#more };
  }

  #isAll({ database, kind, schema }: Line, count: number, isGain: boolean): boolean {
    return kind !== 'column' && schema !== '' && count === this.#totals[isGain ? 1 : 0].get(JSON.stringify([database, kind, schema]));
  }
}

/** The names of objects, sorted, once for all lines that are about the same. */
function namesOfParts(): (parts: readonly (readonly ObjectName[])[]) => readonly string[] {
  const numbers = new Map<readonly ObjectName[], number>();
  const known = new Map<string, readonly string[]>();
  return (parts) => {
    for (const part of parts) if (!numbers.has(part)) numbers.set(part, numbers.size);
    const key = parts.map((part) => numbers.get(part)).join(' ');
    const names = known.get(key) ?? parts.flat().map(shownName).toSorted();
    known.set(key, names);
    return names;
  };
}

/** Everybody first, and then by name. */
const orderOf = ({ role, database, kind, schema, names }: AccessLine): string =>
  JSON.stringify([role === PUBLIC ? 0 : 1, role, database ?? '', kind, schema, names[0] ?? '']);

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** As what-can names it. */
export function shownName(name: ObjectName): string {
  const further = furtherName(name);
  if (further === undefined) return ownName(name);
  return typeof name === 'object' && 'column' in name ? `${ownName(name)}.${further}` : `${ownName(name)}(${further})`;
}
