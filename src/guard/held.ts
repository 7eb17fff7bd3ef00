// Held: by whom the privileges of a guardrail are held in a database, before any membership.
import { type Holder, holdersOf } from '../explain/holders.ts';
import type { Realm } from '../explain/securable.ts';
import { targetWords } from '../changes/target.ts';
import type { DefaultAcl, ObjectGroup } from '../model/contents.ts';
import type { GuardTarget } from '../model/guardrails.ts';
import { type ObjectKind, kindWords } from '../model/kinds.ts';
import { functionPattern, isGlob, matches } from '../model/pattern.ts';
import { type Guarded, isThereIn } from './guarded.ts';
import { guardedPrivileges, isAimed, kindsOf, type Rail } from './rails.ts';

/** One privilege that somebody holds, as an example of what it gets at. */
export interface Held {
  readonly holder: Holder;
  readonly privilege: string;
  /** On what, for people. */
  readonly on: string;
}

/** By role, or PUBLIC. */
export type HeldBy = ReadonlyMap<string, Held>;

/** Who holds what a guardrail is about in this database; the first of each is enough. */
export function heldIn(rail: Rail, realm: Realm, database: string, guarded: Guarded): Map<string, Held> {
  const held = new Map<string, Held>();
  const add = (one: Held): void => void (held.has(one.holder.role) || held.set(one.holder.role, one));
  for (const group of guarded.groups) {
    const name = group.names.find((one) => isAimed(rail, group.kind, group.schema, one));
    if (name === undefined) continue;
    for (const privilege of guardedPrivileges(rail, group.kind, realm.major)) {
      const on = targetWords({ database, object: group.kind, schema: group.schema, names: [name] });
      for (const holder of holdersHere(rail, realm, group, privilege)) add({ holder, privilege, on });
    }
  }
  for (const row of guarded.defaults) for (const one of heldByComing(rail, realm.major, database, guarded, row)) add(one);
  return held;
}

/** Something that a guardrail is about and that is there: what a superuser may, whoever holds it. */
export function thereIn(rail: Rail, major: number, database: string, { groups }: Guarded): Omit<Held, 'holder'> | undefined {
  for (const { kind, schema, names } of groups) {
    const name = names.find((one) => isAimed(rail, kind, schema, one));
    const [privilege] = name === undefined ? [] : guardedPrivileges(rail, kind, major);
    if (name !== undefined && privilege !== undefined) return { privilege, on: targetWords({ database, object: kind, schema, names: [name] }) };
  }
  return undefined;
}

function holdersHere({ through }: Rail, realm: Realm, { kind, owner, untouched, entries }: ObjectGroup, privilege: string): readonly Holder[] {
  const object = { kind, name: '', owner, untouched, entries, columns: new Map(), isCatalog: false };
  const others = holdersOf(realm, object, privilege).filter(({ role }) => role !== owner);
  return through.ownership && kind !== 'column' ? [...others, ownerHolder(owner)] : others;
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

const coming = new WeakMap<Guarded, Map<Rail, readonly GuardTarget[]>>();

/** What a guardrail says of objects that nobody has made yet: what a pattern names, and what it names exactly where that is not there. */
export function comingTargets(rail: Rail, guarded: Guarded): readonly GuardTarget[] {
  const known = coming.get(guarded) ?? new Map<Rail, readonly GuardTarget[]>();
  coming.set(guarded, known);
  const found = known.get(rail) ?? rail.targets.filter(isOfMany).concat(missingOf(rail, guarded));
  known.set(rail, found);
  return found;
}

const missingOf = (rail: Rail, guarded: Guarded): readonly GuardTarget[] => {
  const isThere = isThereIn(guarded);
  return rail.targets.filter((target) => target.kind !== 'database' && !isOfMany(target) && !isThere(target));
};

/** Whether there may be one more of what a target names, whatever is there: by a pattern of any part, or as another function of the same name. */
const isOfMany = ({ kind, schema, name, column }: GuardTarget): boolean =>
  kind !== 'database' && ([schema, name, column].some(isGlob) || (kind === 'function' && functionPattern(name).args === undefined));

/** The same, and who needs no grant on what a guardrail says of objects that nobody has made yet. */
export function heldOrToCome(rail: Rail, realm: Realm, database: string, guarded: Guarded): Map<string, Held> {
  const held = heldIn(rail, realm, database, guarded);
  for (const kind of new Set(comingTargets(rail, guarded).flatMap(kindsOf)))
    for (const privilege of guardedPrivileges(rail, kind, realm.major))
      for (const holder of holdersOf(realm, { ...TO_COME, kind }, privilege))
        if (!held.has(holder.role)) held.set(holder.role, { holder, privilege, on: `${kindWords(kind)}s to come in database ${database}` });
  return held;
}

const TO_COME = { name: '', owner: '', untouched: false, entries: [], columns: new Map(), isCatalog: false };
