// Subjects: whose privileges are compared, and how strictly.
import type { Catalog } from '../../model/catalog.ts';
import type { DatabaseEntry, Document, GrantRule, Position } from '../../model/entries.ts';
import { PUBLIC } from '../../model/contents.ts';
import type { ObjectKind } from '../../model/kinds.ts';
import type { Law } from '../law/law.ts';
import { planDatabase } from './plan-database.ts';
import { compileRules, type RoleRules } from './rules.ts';

export interface Subject {
  /** A role's name, or PUBLIC. */
  readonly name: string;
  readonly rules: RoleRules;
  /**
   * `exact`: what it holds beyond the rules is revoked. `additive`: nothing is revoked. `named`: exact for what the rules name, and
   * everything else is left alone.
   */
  readonly mode: 'exact' | 'additive' | 'named';
  /** Whether CONNECT is compared elsewhere (users have it on their databases). */
  readonly connectsElsewhere: boolean;
  readonly position: Position;
}

export interface SubjectsInput {
  readonly document: Document;
  readonly catalog: Catalog;
  /** The one that holds our memory, and belongs to nobody of the document. */
  readonly adminDatabase: string;
  /** The one that rules and users are about which name none. */
  readonly defaultDatabase: string;
  /** Whether the role is managed in this cycle: declared, not refused, and with a usable Secret. */
  readonly isManaged: (role: string) => boolean;
  /** Which owners are refused; undefined: nobody asks, and every declared one counts. */
  readonly law?: Law | undefined;
}

/**
 * By a kind of objects and by who holds something on them, the subjects that are to be looked at, in their order: many roles beside many objects have mostly
 * nothing to do with each other.
 */
export function concernedBy(subjects: readonly Subject[], database: string): (kind: ObjectKind, held: ReadonlyMap<string, unknown>) => Iterable<Subject> {
  const places = new Map(subjects.map((subject, index) => [subject, index]));
  const named = Map.groupBy(subjects, ({ name }) => name);
  const place = (subject: Subject): number => places.get(subject) ?? 0;
  const ruledIn = new Map<ObjectKind, ReadonlySet<Subject>>();
  return (kind, held) => {
    const ruled = ruledIn.get(kind) ?? new Set(subjects.filter(({ rules }) => rules.concerns(kind, database)));
    ruledIn.set(kind, ruled);
    const others = [...held.keys()].flatMap((name) => (named.get(name) ?? []).filter((subject) => !ruled.has(subject)));
    return others.length === 0 ? ruled : [...ruled, ...others].toSorted((a, b) => place(a) - place(b));
  };
}

/** Roles and users that declare privileges, owners that need some, and PUBLIC where a database says something of it. */
export function subjectsOf({ document, catalog, adminDatabase, defaultDatabase, isManaged, law }: SubjectsInput): readonly Subject[] {
  const { major } = catalog.server;
  const subject = (name: string, rules: readonly GrantRule[], more: Omit<Subject, 'name' | 'rules'>): Subject => ({
    name,
    rules: compileRules(rules, { major, defaultDatabase }),
    ...more,
  });
  const ownership = major < 15 ? ownersOfPublic(document, catalog, adminDatabase, law) : new Map<string, never>();
  const entries = [
    ...document.roles.map(({ name, rules, additive, position }) => ({ name, rules, additive, position, connectsElsewhere: false })),
    ...document.users.map(({ username: name, rules, additive, position }) => ({ name, rules, additive, position, connectsElsewhere: true })),
  ];
  const declaring = entries.flatMap(({ name, rules, additive, connectsElsewhere, position }) => {
    if (rules === undefined || !isManaged(name)) return [];
    const owned = ownership.get(name);
    return [subject(name, owned === undefined ? rules : [...rules, ...owned], { mode: additive === true ? 'additive' : 'exact', connectsElsewhere, position })];
  });
  const names = new Set(declaring.map((one) => one.name));
  const owners = [...ownership].flatMap(([name, rules]) => {
    const [rule] = rules;
    return rule === undefined || names.has(name) ? [] : [subject(name, rules, { mode: 'additive', connectsElsewhere: false, position: rule.position })];
  });
  return [
    ...declaring,
    ...owners,
    ...everybody(document).map(({ rules, position }) => subject(PUBLIC, rules, { mode: 'named', connectsElsewhere: false, position })),
  ];
}

/** PUBLIC's rules, from all databases that say something of it; at most one. */
function everybody(document: Document): readonly { readonly rules: readonly GrantRule[]; readonly position: Position }[] {
  const told = document.databases.filter((entry) => entry.public.length > 0);
  const [first] = told;
  return first === undefined ? [] : [{ rules: told.flatMap((entry) => entry.public), position: first.position }];
}

/** From 15 on the schema public belongs to whoever owns the database; before, its owner has to be given what that means. One that is refused owns nothing. */
function ownersOfPublic(document: Document, catalog: Catalog, adminDatabase: string, law: Law | undefined): ReadonlyMap<string, readonly GrantRule[]> {
  const privileges = ['USAGE', 'CREATE'].map((privilege) => ({ privilege, grantable: false }));
  const isOwner = (entry: DatabaseEntry): boolean =>
    law === undefined || !planDatabase(entry, catalog, law, adminDatabase).notices.some(({ kind }) => kind === 'refused');
  const rules = document.databases
    .filter(isOwner)
    .flatMap(({ name: database, owner, position }): { owner: string; rule: GrantRule }[] =>
      owner === undefined || database === adminDatabase
        ? []
        : [{ owner, rule: { kind: 'schema', database, schema: 'public', name: '*', column: '', privileges, implied: true, permission: undefined, position } }],
    );
  return new Map([...Map.groupBy(rules, ({ owner }) => owner)].map(([owner, list]) => [owner, list.map(({ rule }) => rule)]));
}

/** Roles whose every privilege the document decides. */
export function isOursAmong(subjects: readonly Subject[]): (role: string) => boolean {
  const exact = new Set(subjects.flatMap((subject) => (subject.mode === 'exact' ? [subject.name] : [])));
  return (role) => exact.has(role);
}
