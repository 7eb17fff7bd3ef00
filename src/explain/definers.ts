// Second ways: views and functions that act with their owner's rights. No ACL of a table shows who reads it through them.
import { saidAs } from './said-name.ts';
import { columnHolders, isPublic, mayWith } from './holders.ts';
import { rightsOf } from './links.ts';
import { askOf, type Person, type WhoCan, whoCan } from './who-can.ts';
import type { Realm, Securable } from './securable.ts';

/** A view that reads the object, itself or through others. */
export interface View {
  readonly oid: number;
  readonly object: Securable;
  /** What it reads is looked at with the rights of whoever asks (security_invoker). */
  readonly invoker: boolean;
  /** A materialized view: a copy, made when it was last refreshed. */
  readonly copy: boolean;
  /** What it reads, by OID. */
  readonly reads: readonly number[];
}

export interface Definers {
  readonly target: number;
  readonly views: readonly View[];
  /** Functions with SECURITY DEFINER; triggers, which nobody calls, are not among them. */
  readonly functions: readonly Securable[];
  /** There are more than are looked at. */
  readonly more: boolean;
}

/** A way to the object that begins at another. */
export interface SecondWay {
  readonly through: Securable;
  /** What somebody needs there. */
  readonly privilege: string;
  /** Whether it leads to the object for sure: what is in a function is not looked at. */
  readonly sure: boolean;
  readonly said: string;
}

const OF_VIEWS: ReadonlySet<string> = new Set(['SELECT', 'INSERT', 'UPDATE', 'DELETE']);

/** Every second way to a privilege on a relation. */
export function secondWays(realm: Realm, object: Securable, privilege: string, { target, views, functions }: Definers): readonly SecondWay[] {
  if (!OF_VIEWS.has(privilege)) return [];
  const leads = leadingOf(realm, object, privilege, target, views);
  const through = views
    .filter((view) => !view.invoker && leads(view.oid))
    .map((view): SecondWay => ({
      through: view.object,
      privilege,
      sure: true,
      said: view.copy
        ? 'has a copy of it, or of a part'
        : `${privilege === 'SELECT' ? 'reads' : 'writes'} it, or a part of it, as its owner ${saidAs(view.object.owner)}`,
    }));
  const able = ableFor(realm, object, privilege);
  const byView = views.filter((view) => !view.invoker && leads(view.oid)).map((view) => askOf(realm, view.object, privilege));
  const calls = functions
    .filter(({ owner }) => able(owner) || byView.some((may) => may(owner)))
    .map((one): SecondWay => ({
      through: one,
      privilege: 'EXECUTE',
      sure: false,
      said: `runs as its owner ${saidAs(one.owner)}, who may; what it does is not looked at`,
    }));
  return [...through, ...calls];
}

/** Whether somebody may on the whole or on a part. */
function ableFor(realm: Realm, object: Securable, privilege: string): (role: string) => boolean {
  const parts = columnHolders(object, privilege);
  const whole = askOf(realm, object, privilege);
  const some = parts.some(isPublic) ? () => true : askOf(realm, { ...object, entries: [...object.columns.values()].flat() }, privilege);
  return (role) => whole(role) || (parts.length > 0 && some(role));
}

/** Whether a view leads to the target with its owner's rights. Views that read each other in a circle (by their rules) are asked once. */
function leadingOf(realm: Realm, object: Securable, privilege: string, target: number, views: readonly View[]): (view: number) => boolean {
  const byOid = new Map(views.map((view) => [view.oid, view]));
  const able = ableFor(realm, object, privilege);
  const asked = new Map<number, boolean>();
  const may = new Map(views.map((view) => [view.oid, askOf(realm, view.object, privilege)]));
  /** Whether whoever acts gets from here to the target. */
  const leads = (at: number, actor: string): boolean => {
    if (at === target) return able(actor);
    const view = byOid.get(at);
    if (view === undefined || may.get(at)?.(actor) !== true) return false;
    return within(view);
  };
  const within = (view: View): boolean => {
    // What one with the rights of whoever asks reads is looked at with those of whoever asks in the end, also where that is by another view.
    if (view.invoker || (view.copy && privilege !== 'SELECT')) return false;
    const known = asked.get(view.oid);
    if (known !== undefined) return known;
    asked.set(view.oid, false);
    const answer = view.copy || view.reads.some((read) => leads(read, view.object.owner));
    asked.set(view.oid, answer);
    return answer;
  };
  return (oid) => {
    const view = byOid.get(oid);
    return view !== undefined && within(view);
  };
}

/** A second way with those for whom it is the only one. */
export interface Through {
  readonly way: SecondWay;
  readonly everybody: boolean;
  readonly people: readonly Person[];
}

/** Who may begin a second way and has no other. */
export function throughOf(realm: Realm, way: SecondWay, who: WhoCan): Through {
  const has = new Set(who.people.map(({ role }) => role));
  const there = whoCan(realm, way.through, way.privilege, {});
  return { way, everybody: there.everybody && !who.everybody, people: who.everybody ? [] : there.people.filter(({ role }) => !has.has(role)) };
}

/** The second ways that a role may begin by itself. */
export const waysOf = (realm: Realm, role: string, ways: readonly SecondWay[]): readonly SecondWay[] => {
  const rights = rightsOf(realm, role);
  return ways.filter(({ through, privilege }) => mayWith(realm, through, privilege, role, rights));
};
