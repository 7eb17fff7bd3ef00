// Passed on: what others hold only because a leaving role gave it to them. It ends with the role, as the server knows no grant without its grantor.
import type { Inability } from '../../changes/inability.ts';
import { keepMemberships, keepPrivileges } from '../../changes/advice.ts';
import type { Catalog } from '../../model/catalog.ts';
import { firstNames } from '../../model/first-names.ts';
import { giveAgain, grantedBy, isCovered } from '../membership-losses.ts';
import { PUBLIC } from '../../model/contents.ts';
import { saidName } from '../../sql/sql-text.ts';

/** What somebody would lose in one database if a role went. */
export interface PassedOn {
  readonly database: string;
  /** Whoever holds it; undefined for one that is gone since. */
  readonly grantee: string | undefined;
  /** Of the objects. */
  readonly owner: string | undefined;
  /** It is CONNECT on databases. */
  readonly isConnect: boolean;
  readonly objects: number;
  /** The first of the statements that give it by the owner as well, as the server quotes them. */
  readonly statements: readonly string[];
}

/** What leavers passed on, or why that could not be read. */
export type PassedOnBy = ReadonlyMap<string, readonly PassedOn[] | { readonly unreadable: string }>;

/** What one who leaves passed on in one database, and of what all share. */
export interface HeldThere {
  readonly name: string;
  readonly database: string;
  readonly held: readonly PassedOn[] | { readonly unreadable: string };
}

/** All of it by who leaves; those of whom nobody holds anything are not in it. */
export function passedOnFrom(found: readonly HeldThere[]): PassedOnBy {
  const result = new Map<string, readonly PassedOn[] | { readonly unreadable: string }>();
  for (const { name, held } of found) {
    const before = result.get(name) ?? [];
    if ('unreadable' in held) result.set(name, held);
    else if (!('unreadable' in before) && held.length > 0) result.set(name, [...before, ...held]);
  }
  return result;
}

/** Statements that one notice shows. */
const SHOWN = 20;

/** What the release of a role asks of those that hold something from it. */
export interface PassedOnFacts {
  readonly catalog: Catalog;
  readonly passedOn: PassedOnBy;
  /** Whether the document says what the holder has, and we may give it: then it gets that by the owner, within the same cycle. */
  readonly decides: (holder: PassedOn) => boolean;
  /** Whether the document says which roles somebody is in. */
  readonly decidesRoles: (member: string) => boolean;
}

/** Why a role cannot go: others would lose with it what is not ours to take. Undefined where nobody would. */
export function passedOnToOthers(role: string, facts: PassedOnFacts): Inability | undefined {
  const held = facts.passedOn.get(role) ?? [];
  if ('unreadable' in held) return { reason: `what it passed on cannot be read: ${held.unreadable}`, advice: undefined };
  const others = held.filter((holder) => !facts.decides(holder));
  const [first] = others;
  if (first === undefined) return membershipsOfOthers(role, facts);
  const here = others.filter(({ database }) => database === first.database);
  const elsewhere = new Set(others.map(({ database }) => database)).size - 1;
  const names = namesOf(here.flatMap(({ grantee }) => (grantee === undefined ? [] : [grantee === PUBLIC ? 'everybody (PUBLIC)' : grantee])));
  const objects = here.reduce((sum, one) => sum + one.objects, 0);
  const statements = here.flatMap((one) => one.statements);
  const shown = statements.slice(0, SHOWN);
  const more = objects > shown.length ? ` (the first ${shown.length} of ${objects} statements; the others are said when these are done)` : '';
  const further = elsewhere === 0 ? '' : ` The same is so in ${elsewhere} more database(s).`;
  return {
    reason: `in database ${first.database} ${names} have privileges from it, which end with it and are not ours to take. Run the SQL there as a superuser or as the owners${more}: then they have them from the owners; or take them away as ${saidName(role)}, with SET ROLE and REVOKE … CASCADE. After either it is dropped.${further}`,
    advice: keepPrivileges(shown, first.database),
  };
}

/** From 16 on a membership ends with the role that granted it. */
function membershipsOfOthers(role: string, { catalog, decidesRoles }: PassedOnFacts): Inability | undefined {
  if (catalog.server.major < 16) return undefined;
  const { memberships } = catalog.cluster;
  const given = grantedBy(role, memberships);
  const going = new Set(given);
  const others = given.filter((row) => !decidesRoles(row.member) && !isCovered(row, going, memberships));
  if (others.length === 0) return undefined;
  const names = namesOf(others.map((row) => `${row.member} (in ${row.role})`));
  const statements = others.slice(0, SHOWN).map(giveAgain);
  return {
    reason: `memberships that it granted end with it, and are not ours to take: ${names}. Run the SQL as a superuser, or as somebody else with ADMIN on the roles: then they have them from there; or take them away with REVOKE … GRANTED BY ${saidName(role)}. After either it is dropped.`,
    advice: keepMemberships(statements),
  };
}

const namesOf = (all: readonly string[]): string => firstNames([...new Set(all)]);

/** OIDs of those that a plan knows to hold something from a role: nobody else may, when it is released. 0 is PUBLIC. */
export function holdersOf(role: string, { catalog, passedOn }: PassedOnFacts): readonly number[] {
  const held = passedOn.get(role) ?? [];
  const grantees = 'unreadable' in held ? [] : held.flatMap((one) => (one.grantee === undefined ? [] : [one.grantee]));
  const members = catalog.server.major < 16 ? [] : grantedBy(role, catalog.cluster.memberships).map((row) => row.member);
  return [...new Set([...grantees, ...members])].flatMap((name) => (name === PUBLIC ? [0] : (catalog.oids.get(name) ?? []))).toSorted((a, b) => a - b);
}
