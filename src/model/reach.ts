// Reach: every role whose rights a role can get through memberships, directly or by way of others.
import { type Membership, membershipKey } from './cluster.ts';

/** Predefined roles that lead out of the database, to the server's files and programs. */
const ESCAPES: ReadonlySet<string> = new Set(['pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program']);

export const leavesTheServer = (role: string): boolean => ESCAPES.has(role);

/** Memberships by both of their ends. */
export interface Links {
  readonly ofMember: ReadonlyMap<string, readonly Membership[]>;
  readonly inRole: ReadonlyMap<string, readonly Membership[]>;
  /** By who granted them, where the server knows; and by role and grantor (membershipKey). */
  readonly byGrantor: ReadonlyMap<string, readonly Membership[]>;
  readonly passedOn: ReadonlyMap<string, readonly Membership[]>;
}

const known = new WeakMap<readonly Membership[], Links>();

/** The memberships by their ends, found once for a list: looking through all of them for each role is the square of their number. */
export function linksOf(memberships: readonly Membership[]): Links {
  const links = known.get(memberships) ?? newLinks(memberships);
  known.set(memberships, links);
  return links;
}

/** Each is found when somebody asks for it. */
function newLinks(memberships: readonly Membership[]): Links {
  const by = (key: (row: Membership) => string): (() => ReadonlyMap<string, readonly Membership[]>) => {
    let found: ReadonlyMap<string, readonly Membership[]> | undefined;
    return () => (found ??= Map.groupBy(memberships, key));
  };
  const [ofMember, inRole, byGrantor] = [by((row) => row.member), by((row) => row.role), by((row) => row.grantor)];
  const passedOn = by((row) => membershipKey(row.role, row.grantor));
  return {
    get ofMember() {
      return ofMember();
    },
    get inRole() {
      return inRole();
    },
    get byGrantor() {
      return byGrantor();
    },
    get passedOn() {
      return passedOn();
    },
  };
}

/** What a role reaches, itself included. Whoever asks for many roles asks `nearestOf`: all their reaches together are as much as the square of a chain. */
export function reachOf(memberships: readonly Membership[], start: string): ReadonlySet<string> {
  const { ofMember } = linksOf(memberships);
  const reached = new Set([start]);
  // A Set's iteration also visits what is added while it runs.
  for (const role of reached) for (const next of ofMember.get(role) ?? []) reached.add(next.role);
  return reached;
}

/**
 * A function that answers which of the roles that count is the nearest that a role reaches, itself included; undefined where it reaches none.
 * One walk back from all that count: it passes each membership once, however long the chains are.
 */
export function nearestOf(memberships: readonly Membership[], counts: (role: string) => boolean): (role: string) => string | undefined {
  const { inRole, ofMember } = linksOf(memberships);
  const nearest = new Map<string, string>();
  for (const role of new Set([...inRole.keys(), ...ofMember.keys()])) if (counts(role)) nearest.set(role, role);
  // A Map's iteration also visits what is added while it runs, and nobody is set twice: each gets the one that is the fewest memberships away.
  for (const [role, counted] of nearest) for (const { member } of inRole.get(role) ?? []) if (!nearest.has(member)) nearest.set(member, counted);
  return (role) => nearest.get(role) ?? (counts(role) ? role : undefined);
}
