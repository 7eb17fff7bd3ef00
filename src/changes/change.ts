// A change: one typed step of a plan, and what is asked of it: whom it concerns, where it is made, its identity, its words. Its kind answers (changes/).
import { definitionOf, type Change } from './table.ts';
import { namesKey } from './target.ts';
import { type ObjectName, PUBLIC } from '../model/contents.ts';

export type { Attributes, Opening } from './attributes.ts';
export type { PasswordReason } from './password.ts';
export type { RotationReason } from './secret.ts';
export type { Change, ChangeKind } from './table.ts';
export { firstName, type GrantTarget, targetWords } from './target.ts';
export type { Entity } from '../model/cluster.ts';

/** The role that a change is about: whose failure it is, and which entry it belongs to; empty for none. */
export const subjectOf = (change: Change): string => definitionOf(change).subject(change);

/** The database that a change has to be made in; empty where any will do. */
export const databaseOf = (change: Change): string => definitionOf(change).database?.(change) ?? '';

/** The database that must exist for the change to work; empty where none has to. */
export const neededDatabase = (change: Change): string => definitionOf(change).neededDatabase?.(change) ?? databaseOf(change);

/** Every role that must exist for the change to work. */
export function rolesOf(change: Change): readonly string[] {
  const subject = subjectOf(change);
  return definitionOf(change).roles?.(change) ?? (subject === '' || subject === PUBLIC ? [] : [subject]);
}

/** What a change acts on, for the audit log: the role, and the object where there is one. */
export const objectOf = (change: Change): string => definitionOf(change).object(change);

/** The change as an imperative: «create role: analyst». Never holds a password, a verifier or a setting's value. */
export const sentenceOf = (change: Change): string => definitionOf(change).sentence(change);

/** Identity of a change across cycles, without the objects that it names: what several of one identity name adds up. */
export const groupKeyOf = (change: Change): string => [change.kind, ...definitionOf(change).key(change)].join('\0');

/** The objects that a change names one by one; empty for those that are about one thing. */
export const namesOf = (change: Change): readonly ObjectName[] => ('on' in change ? change.on.names : []);

/** Identity of a change across cycles: two plans that hold the same key want the same thing. */
export const keyOf = (change: Change): string => `${groupKeyOf(change)}\0${namesKey(namesOf(change))}`;

/** How a database stands among names of roles: no role can be called so, as a NUL cannot be stored. */
export const databaseKey = (name: string): string => `\0${name}`;

/** A change taken apart by its objects; undefined where a part has none. A change that names no objects is not taken apart. */
export function splitNames(change: Change, isIn: (name: ObjectName) => boolean): { readonly inside: Change | undefined; readonly outside: Change | undefined } {
  const names = namesOf(change);
  const inside = names.filter(isIn);
  const outside = inside.length === 0 ? names : names.filter((name) => !isIn(name));
  return {
    inside: inside.length === 0 ? undefined : forNames(change, inside),
    outside: outside.length === 0 && names.length > 0 ? undefined : forNames(change, outside),
  };
}

/** The same change for some of its objects. */
export const forNames = (change: Change, names: readonly ObjectName[]): Change => ('on' in change ? { ...change, on: { ...change.on, names } } : change);
