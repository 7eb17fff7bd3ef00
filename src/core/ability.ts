// Ability: which changes our admin may make, told before they are tried, with the SQL that would allow the others.
import type { Catalog } from './catalog.ts';
import type { Change } from './change.ts';
import { actingOf } from './privileges/acting.ts';
import { reachOf } from './reach.ts';
import { identifier } from './sql-text.ts';
import { renderChange } from './sql.ts';

/** Why a change cannot be made, and what somebody who may has to run. */
export interface Inability {
  readonly reason: string;
  readonly sql: string;
}

/**
 * A function that answers why our admin cannot make a change; undefined where it can, as far as the catalogs tell.
 * The rules are those of CREATEROLE: below 16 it acts on every role but superusers, from 16 on only on roles that it has ADMIN on.
 */
export function abilityOf(catalog: Catalog, changes: readonly Change[]): (change: Change) => Inability | undefined {
  const { server } = catalog;
  const acting = actingOf(catalog);
  const created = new Set(changes.flatMap((change) => (change.kind === 'create_role' ? [change.role] : [])));
  const reached = reachOf(catalog.cluster.memberships)(server.admin);
  const administered = new Set(catalog.cluster.memberships.filter((row) => row.admin && reached.has(row.member)).map((row) => row.role));

  const needsAdmin = (role: string): Inability | undefined => {
    if (!server.createrole) return { reason: `${server.admin} lacks the CREATEROLE attribute`, sql: `ALTER ROLE ${identifier(server.admin)} CREATEROLE` };
    if (server.major < 16 || created.has(role) || administered.has(role)) return undefined;
    return {
      reason: `${server.admin} has no ADMIN option on ${role}`,
      sql: `GRANT ${identifier(role)} TO ${identifier(server.admin)} WITH ADMIN OPTION`,
    };
  };
  const statement = (change: Change): string => renderChange(change, { major: server.major, grantor: server.grantor }).join('; ');
  /** A superuser's rights are not to be had by a membership that anybody should be told to grant. */
  const needsRole = (change: Change, role: string | undefined): Inability | undefined => {
    const inability = role === undefined || created.has(role) ? undefined : acting.inability(role);
    if (inability === undefined || role === undefined) return undefined;
    return catalog.cluster.roles.get(role)?.superuser === true
      ? { ...inability, sql: statement('as' in change ? { ...change, as: undefined } : change) }
      : inability;
  };
  const needsDatabase = (change: Change, database: string): Inability | undefined => {
    const facts = catalog.databases.get(database);
    if (facts === undefined || facts.mayGrant) return undefined;
    return { reason: `${server.admin} does not own database ${database}`, sql: statement('as' in change ? { ...change, as: undefined } : change) };
  };
  const needsCreatedb = (change: Change): Inability | undefined =>
    catalog.cluster.roles.get(server.admin)?.createdb === true ? undefined : { reason: `${server.admin} lacks the CREATEDB attribute`, sql: statement(change) };
  const needsGrantor = (grantor: string): Inability | undefined =>
    reached.has(grantor)
      ? undefined
      : { reason: `${server.admin} cannot act as the grantor ${grantor}`, sql: `GRANT ${identifier(grantor)} TO ${identifier(server.admin)}` };

  return (change) => {
    if (change.kind === 'revoke_privilege' && change.dependents.length > 0) return needsDependents(change);
    if (server.superuser) return undefined;
    switch (change.kind) {
      case 'adopt_role':
      case 'forget_role':
      case 'forget_privileges':
      case 'create_secret':
      case 'write_connection_secret':
      // Whoever may create event triggers differs between platforms: the server's answer tells.
      case 'install_event_trigger':
      case 'sync_trigger_rules':
      case 'remove_event_trigger':
        return undefined;
      case 'create_role':
        return needsAdmin(change.role);
      case 'grant_privilege':
      case 'revoke_privilege': {
        const [name = ''] = change.on.names;
        if (change.as === undefined && change.on.object === 'database') return needsDatabase(change, name);
        return needsRole(change, change.as);
      }
      case 'grant_default_privilege':
      case 'revoke_default_privilege':
        return needsRole(change, change.as);
      case 'create_database':
        return needsCreatedb(change) ?? needsRole(change, change.owner);
      case 'alter_database_owner':
        return needsCreatedb(change) ?? needsDatabase(change, change.database) ?? needsRole(change, change.owner);
      case 'create_schema':
        return needsDatabase(change, change.database) ?? needsRole(change, change.owner);
      case 'alter_schema_owner':
        return needsRole(change, change.as) ?? needsRole(change, change.owner);
      case 'create_extension':
        return needsDatabase(change, change.database);
      case 'grant_membership':
        return needsAdmin(change.role);
      case 'revoke_membership':
        return needsAdmin(change.role) ?? (server.major < 16 ? undefined : needsGrantor(change.grantor));
      case 'release_owned':
        return change.join
          .map((role) => (catalog.cluster.roles.get(role)?.superuser === true ? superuserHeir(change, role) : needsAdmin(role)))
          .find((answer) => answer !== undefined);
      default:
        return needsAdmin(change.role);
    }
  };
}

/** What others hold is not ours to take, and a REVOKE would take it with it. */
function needsDependents(change: Change & { kind: 'revoke_privilege' }): Inability {
  const plain = { ...change, dependents: [], optionOnly: false, cascade: false, grantor: change.role, as: change.role };
  const sql = change.dependents.flatMap((role) => renderChange({ ...plain, role }, { major: 18, grantor: '' }));
  return { reason: `${change.role} passed it on to ${change.dependents.join(', ')}, whom pgsteward does not manage`, sql: sql.join('; ') };
}

const superuserHeir = (change: Change & { kind: 'release_owned' }, role: string): Inability => ({
  reason: `what ${change.role} owns in ${change.database} would go to the superuser ${role}; set REASSIGN_TO to a role that pgsteward is a member of`,
  sql: `REASSIGN OWNED BY ${identifier(change.role)} TO ${identifier(role)}; DROP OWNED BY ${identifier(change.role)}`,
});
