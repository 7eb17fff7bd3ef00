// Held: by whom the privileges of a guardrail are held in a database, before any membership.
import { type Holder, holdersOf } from '../explain/holders.ts';
import type { Realm } from '../explain/securable.ts';
import { targetWords } from '../changes/target.ts';
import type { DefaultAcl, ObjectGroup, ObjectName } from '../model/contents.ts';
import { atOnce, type InParts, type Pace } from '../model/in-parts.ts';
import type { GuardTarget } from '../model/guardrails.ts';
import { type ObjectKind, kindWords } from '../model/kinds.ts';
import { functionPattern, isGlob, matches } from '../model/pattern.ts';
import { aimOf } from './aim.ts';
import type { Guarded } from './guarded.ts';
import { guardedPrivileges, kindsOf, type Rail } from './rails.ts';

/** One privilege that somebody holds, as an example of what it gets at. */
export interface Held {
  readonly holder: Holder;
  readonly privilege: string;
  /** On what, for people. */
  readonly on: string;
  /** By what it gets at that with the rights of another, for people. */
  readonly through?: string;
}

/** By role, or PUBLIC. */
export type HeldBy = ReadonlyMap<string, Held>;

/** Groups that a guardrail is about, each with the first name by which it is. */
interface Aimed {
  readonly group: ObjectGroup;
  readonly name: ObjectName;
}

const aimed = new WeakMap<Guarded, WeakMap<Rail['targets'], readonly Aimed[]>>();

/** Found once for what is read. */
function* aimedIn({ targets }: Rail, guarded: Guarded, pace: Pace): InParts<readonly Aimed[]> {
  const known = aimed.get(guarded) ?? new WeakMap<Rail['targets'], readonly Aimed[]>();
  aimed.set(guarded, known);
  const before = known.get(targets);
  if (before !== undefined) return before;
  const aim = aimOf(targets);
  const found: Aimed[] = [];
  for (const group of guarded.groups)
    for (const name of group.names) {
      if (pace(1)) yield;
      if (!aim.isAny(group.kind, group.schema, name)) continue;
      found.push({ group, name });
      break;
    }
  known.set(targets, found);
  return found;
}

/** Who holds what a guardrail is about in this database; the first of each is enough. */
export function* heldIn(rail: Rail, realm: Realm, database: string, guarded: Guarded, pace: Pace): InParts<Map<string, Held>> {
  const held = new Map<string, Held>();
  const add = (one: Held): void => void (held.has(one.holder.role) || held.set(one.holder.role, one));
  for (const { group, name } of yield* aimedIn(rail, guarded, pace)) {
    for (const privilege of guardedPrivileges(rail, group.kind, realm.major)) {
      const on = targetWords({ database, object: group.kind, schema: group.schema, names: [name] });
      for (const holder of holdersHere(rail, realm, group, privilege)) add({ holder, privilege, on });
      if (pace(group.entries.length)) yield;
    }
  }
  yield* findComing(rail, guarded, pace);
  for (const row of guarded.defaults) for (const one of heldByComing(rail, realm.major, database, guarded, row)) add(one);
  return held;
}

/** What of it is there: an example, which a superuser may whoever holds it, and who owns any of it. */
export interface There {
  readonly what: Omit<Held, 'holder'> | undefined;
  readonly owners: ReadonlySet<string>;
}

export function* thereIn(rail: Rail, major: number, database: string, guarded: Guarded, pace: Pace): InParts<There> {
  const found = yield* aimedIn(rail, guarded, pace);
  const first = found.find(({ group }) => guardedPrivileges(rail, group.kind, major).length > 0);
  const owners = new Set(found.map(({ group }) => group.owner));
  if (first === undefined) return { what: undefined, owners };
  const { kind, schema } = first.group;
  const [privilege = ''] = guardedPrivileges(rail, kind, major);
  return { what: { privilege, on: targetWords({ database, object: kind, schema, names: [first.name] }) }, owners };
}

function holdersHere({ through }: Rail, realm: Realm, { kind, owner, untouched, entries }: ObjectGroup, privilege: string): readonly Holder[] {
  const object = { kind, name: '', owner, untouched, entries, columns: new Map(), isCatalog: false };
  const others = holdersOf(realm, object, privilege).filter(({ role }) => role !== owner);
  // A parameter is nobody's.
  return through.ownership && kind !== 'column' && kind !== 'parameter' ? [...others, ownerHolder(owner)] : others;
}

/** Also one from whom the privilege was taken: it may give it to itself. */
export const ownerHolder = (role: string): Holder => ({ by: 'grant', role, grantor: role, grantable: true, owner: true, builtIn: false });

export const granted = (role: string, grantor: string): Holder => ({ by: 'grant', role, grantor, grantable: false, owner: false, builtIn: false });

/** What default privileges will give on objects that a guardrail would be about. */
function heldByComing(rail: Rail, major: number, database: string, guarded: Guarded, { kind, schema, creator, entries }: DefaultAcl): readonly Held[] {
  if (!mayCome(rail, guarded, kind, schema === '' ? undefined : schema)) return [];
  const privileges = new Set(guardedPrivileges(rail, kind, major));
  return entries
    .filter(({ privilege, grantee }) => privileges.has(privilege) && grantee !== creator)
    .map(({ privilege, grantee, grantor }) => ({
      holder: granted(grantee, grantor),
      privilege,
      on: `${kindWords(kind)}s to come of ${creator}${schema === '' ? '' : ` in schema ${schema}`} in database ${database}`,
    }));
}

/** Whether an object of a kind that nobody has made yet could be one that a guardrail is about. @param schema undefined: in any. */
const mayCome = (rail: Rail, guarded: Guarded, kind: ObjectKind, schema: string | undefined): boolean =>
  comingTargets(rail, guarded).some(
    (target) => kindsOf(target).includes(kind) && (schema === undefined || target.schema === '' || matches(target.schema, schema)),
  );

const coming = new WeakMap<Guarded, WeakMap<Rail['targets'], readonly GuardTarget[]>>();

/** What a guardrail says of objects that nobody has made yet: what a pattern names, and what it names exactly where that is not there. */
export const comingTargets = (rail: Rail, guarded: Guarded): readonly GuardTarget[] => atOnce(findComing(rail, guarded, () => false));

/** The same in parts; found once for what is read. */
function* findComing({ targets }: Rail, guarded: Guarded, pace: Pace): InParts<readonly GuardTarget[]> {
  const known = coming.get(guarded) ?? new WeakMap<Rail['targets'], readonly GuardTarget[]>();
  coming.set(guarded, known);
  const before = known.get(targets);
  if (before !== undefined) return before;
  const exact = targets.filter((target) => target.kind !== 'database' && !isOfMany(target));
  const there = new Set<GuardTarget>();
  const aim = aimOf(exact);
  for (const { kind, schema, names } of exact.length === 0 ? [] : guarded.groups)
    for (const name of names) {
      for (const target of aim.at(kind, schema, name)) if (target.kind === kind) there.add(target);
      if (pace(1)) yield;
    }
  const found = [...targets.filter(isOfMany), ...exact.filter((target) => !there.has(target))];
  known.set(targets, found);
  return found;
}

/** Whether there may be one more of what a target names, whatever is there: by a pattern of any part, or as another function of the same name. */
const isOfMany = ({ kind, schema, name, column }: GuardTarget): boolean =>
  kind !== 'database' && ([schema, name, column].some(isGlob) || (kind === 'function' && functionPattern(name).args === undefined));

/** Who holds it, and who needs no grant on what a guardrail says of objects that nobody has made yet. */
export function* heldOrToCome(rail: Rail, realm: Realm, database: string, guarded: Guarded, pace: Pace): InParts<Map<string, Held>> {
  const held = yield* heldIn(rail, realm, database, guarded, pace);
  for (const kind of new Set(comingTargets(rail, guarded).flatMap(kindsOf)))
    for (const privilege of guardedPrivileges(rail, kind, realm.major))
      for (const holder of holdersOf(realm, { ...TO_COME, kind }, privilege))
        if (!held.has(holder.role)) held.set(holder.role, { holder, privilege, on: `${kindWords(kind)}s to come in database ${database}` });
  return held;
}

const TO_COME = { name: '', owner: '', untouched: false, entries: [], columns: new Map(), isCatalog: false };
