// Ability: which changes our admin may make, told before they are tried, with the SQL that would allow the others.
import { administer, type Advice, adviceFor, giveCreaterole, keepMemberships, revokeDemoted, revokeDependents } from '../changes/advice.ts';
import type { Catalog } from '../model/catalog.ts';
import { type Change, databaseOf } from '../changes/change.ts';
import type { Need } from '../changes/definition.ts';
import { definitionOf } from '../changes/table.ts';
import { misnamedIn } from './encodings.ts';
import { firstNames } from '../model/first-names.ts';
import type { Inability } from '../changes/inability.ts';
import { newOwnerOf } from './loans.ts';
import { giveAgain } from './membership-losses.ts';
import { actingOf } from './privileges/acting.ts';
import { linksOf, reachOf } from '../model/reach.ts';

/**
 * A function that answers why our admin cannot make a change; undefined where it can, as far as the catalogs tell.
 * The rules are those of CREATEROLE: below 16 it acts on every role but superusers, from 16 on only on roles that it has ADMIN on.
 */
export function abilityOf(catalog: Catalog, changes: readonly Change[]): (change: Change) => Inability | undefined {
  const { server } = catalog;
  const acting = actingOf(catalog);
  const created = new Set(changes.flatMap((change) => (change.kind === 'create_role' ? [change.role] : [])));
  const reached = reachOf(catalog.cluster.memberships, server.admin);
  const isSuperuser = (role: string): boolean => catalog.cluster.roles.get(role)?.superuser === true;
  const instead = (change: Change): Advice | undefined => adviceFor(change, server);
  const { ofMember } = linksOf(catalog.cluster.memberships);
  const administered = new Set([...reached].flatMap((member) => ofMember.get(member) ?? []).flatMap((row) => (row.admin ? [row.role] : [])));

  const needsAdmin = (role: string, change: Change): Inability | undefined => {
    if (!server.createrole) return { reason: `${server.admin} lacks the CREATEROLE attribute`, advice: giveCreaterole(server.admin) };
    if (server.major < 16 || created.has(role) || administered.has(role)) return undefined;
    return {
      reason: `${server.admin} has no ADMIN option on ${role}`,
      advice: administer(role, catalog) ?? instead(change),
    };
  };
  /** A superuser's rights are not to be had by a membership that anybody should be told to grant. */
  const needsRole = (change: Change, role: string | undefined): Inability | undefined => {
    const isJoined = role !== undefined && newOwnerOf(change).includes(role) && acting.joins(role);
    const inability = role === undefined || created.has(role) || isJoined ? undefined : acting.inability(role);
    if (inability === undefined || role === undefined) return undefined;
    return isSuperuser(role) || inability.advice === undefined ? { ...inability, advice: instead(change) } : inability;
  };
  const needsDatabase = (change: Change, database: string): Inability | undefined => {
    const facts = catalog.databases.get(database);
    if (facts === undefined || facts.mayGrant || acting.borrows(facts.owner)) return undefined;
    return { reason: `${server.admin} does not own database ${database}`, advice: instead(change) };
  };
  const needsCreatedb = (change: Change): Inability | undefined =>
    catalog.cluster.roles.get(server.admin)?.createdb === true
      ? undefined
      : { reason: `${server.admin} lacks the CREATEDB attribute`, advice: instead(change) };
  /** A grantor may be a superuser, whose rights nobody should give us for this. */
  const needsGrantor = (grantor: string, change: Change): Inability | undefined =>
    server.major < 16 || reached.has(grantor) ? undefined : { reason: `${server.admin} cannot act as the grantor ${grantor}`, advice: instead(change) };

  const lacks = (need: Need, change: Change): Inability | undefined => {
    switch (need.what) {
      case 'administer':
        return needsAdmin(need.role, change);
      case 'join':
        return isSuperuser(need.role) ? { reason: need.notSuperuser, advice: instead(change) } : needsAdmin(need.role, change);
      case 'act as':
        return needsRole(change, need.role);
      case 'revoke as':
        return needsGrantor(need.role, change);
      case 'own':
        return needsDatabase(change, need.database);
      case 'create databases':
        return needsCreatedb(change);
    }
  };

  /** A superuser's REVOKE is that of the owner, whatever it granted before it was one. */
  const isSuperusers = ({ grantor, on }: Revoke): boolean => grantor !== on.owner && isSuperuser(grantor);
  return (change) => {
    const misnamed = misnamedIn(change, catalog);
    if (misnamed !== undefined) return needsEncoding(misnamed, databaseOf(change), catalog);
    // These are in the way of a superuser as well, and each has advice of its own.
    if (change.kind === 'revoke_privilege' && change.dependents.length > 0) return needsDependents(change, server.major);
    if (change.kind === 'revoke_privilege' && isSuperusers(change)) return needsDemotion(change, server.major);
    if (change.kind === 'revoke_membership' && change.dependents.length > 0) return needsMembers(change);
    if (server.superuser) return undefined;
    for (const need of definitionOf(change).needs(change)) {
      const inability = lacks(need, change);
      if (inability !== undefined) return inability;
    }
    return undefined;
  };
}

type Revoke = Change & { kind: 'revoke_privilege' };

const needsDemotion = (change: Revoke, major: number): Inability => ({
  reason: `${change.grantor} granted it, and is a superuser by now, whose REVOKE takes only what the owner granted`,
  advice: revokeDemoted(change, major),
});

/** Whatever was said there of the role would be said of nobody, or of another one. */
const needsEncoding = (role: string, database: string, { databases, server }: Catalog): Inability => ({
  reason: `the name ${role} means another role in database ${database}, or none: the server keeps names as bytes, and that database is in ${databases.get(database)?.encoding ?? '?'}, ours in ${server.encoding}; what the role has there stays. A name in ASCII, or a database in ${server.encoding}, does`,
  advice: undefined,
});

/** What others hold is not ours to take, and a REVOKE would take it with it. */
const needsDependents = (change: Revoke, major: number): Inability => ({
  reason: `${change.role} passed it on to ${change.dependents.join(', ')}, whom pgsteward does not manage`,
  advice: revokeDependents(change, major),
});

function needsMembers({ role, member, dependents }: Change & { kind: 'revoke_membership' }): Inability {
  const names = [...new Set(dependents.map((row) => row.member))];
  return {
    reason: `${member} made ${firstNames(names)} members of ${role}, of whom the document says nothing; run the SQL as somebody else with ADMIN on it, and they stay members`,
    advice: keepMemberships(dependents.slice(0, 20).map(giveAgain)),
  };
}
