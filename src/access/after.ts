// The state that changes leave: each kind does here to values what its statements do to a server.
import type { Change } from '../changes/change.ts';
import { rightsOf } from '../explain/links.ts';
import type { ObjectName } from '../model/contents.ts';
import { privilegesOf } from '../model/kinds.ts';
import { builtIn, give, isSameAcl, take } from './acl.ts';
import { handOver, releaseOwned } from './after-release.ts';
import { alterRole, createRole, dropRole, grantMembership, renameRoles, revokeMembership, stopInheriting } from './after-roles.ts';
import { newDatabase } from './new-database.ts';
import type { Pile, Piles } from './piles.ts';
import type { AccessState, AfterChanges } from './state.ts';
import { World } from './world.ts';

/**
 * The state after changes, in the order in which they are executed. What was given is not touched. Of a database that was not read nothing is known
 * afterwards either.
 */
export function afterChanges(state: AccessState, changes: readonly Change[]): AfterChanges {
  const world = new World(state);
  const names = new Map(changes.flatMap((change) => (change.kind === 'rename_role' && change.from !== change.role ? [[change.from, change.role]] : [])));
  if (names.size > 0) renameRoles(world, names);
  for (const change of changes) apply(world, change);
  return world.state();
}

/** @throws never: the compiler asks here for each kind that is new. */
function apply(world: World, change: Change): void {
  switch (change.kind) {
    case 'create_role':
      return createRole(world, change);
    case 'alter_role':
      return alterRole(world, change.role, change.attributes);
    case 'set_comment':
      return alterRole(world, change.role, { comment: change.comment });
    case 'set_password':
      return alterRole(world, change.role, change.opens ?? {});
    case 'disable_role':
      return alterRole(world, change.role, { login: false });
    case 'drop_role':
      return dropRole(world, change.role);
    case 'grant_membership':
      return grantMembership(world, change);
    case 'revoke_membership':
      return revokeMembership(world, change);
    case 'stop_inheriting':
      return stopInheriting(world, change.role);
    case 'create_database':
      return newDatabase(world, change);
    case 'alter_database_owner':
      return handOverNamed(world, world.shared, 'database', change.database, change.owner);
    case 'create_schema':
      return createSchema(world, change);
    case 'alter_schema_owner':
      return handOverNamed(world, world.database(change.database)?.piles, 'schema', change.schema, change.owner);
    case 'create_extension':
      return void world.unknown.push(`what the extension ${change.extension} brings into database ${change.database} shows only when it is installed`);
    case 'grant_privilege':
      return grantPrivilege(world, change);
    case 'revoke_privilege':
      return revokePrivilege(world, change);
    case 'grant_default_privilege':
      return world.database(change.database)?.defaults.give(defaultOf(change), change.role, change.privileges, change.grantable);
    case 'revoke_default_privilege':
      return world.database(change.database)?.defaults.take(defaultOf(change), change.role, change.privileges, change.optionOnly);
    case 'release_owned':
      return releaseOwned(world, change);
    // All renames are one: two roles may change their names with each other.
    case 'rename_role':
    // Nobody may more or less by these.
    case 'prepare_ledger':
    case 'create_secret':
    case 'rotate_secret':
    case 'recognise_roles':
    case 'adopt_role':
    case 'hand_over_role':
    case 'forget_role':
    case 'forget_privileges':
    case 'set_setting':
    case 'reset_setting':
    case 'install_event_trigger':
    case 'sync_trigger_rules':
    case 'remove_event_trigger':
    case 'clear_password':
    case 'end_sessions':
    case 'rollback_prepared':
    case 'write_connection_secret':
    case 'rotate_admin_password':
    case 'trim_audit_log':
      return undefined;
  }
}

type Of<K extends Change['kind']> = Extract<Change, { readonly kind: K }>;

const defaultOf = ({ creator, schema, object }: Of<'grant_default_privilege' | 'revoke_default_privilege'>) => ({ creator, schema, kind: object });

function handOverNamed(world: World, piles: Piles | undefined, kind: 'database' | 'schema', name: string, owner: string): void {
  for (const pile of piles?.of(kind, '', [name]) ?? []) handOver(pile, owner);
  world.forgetRealms();
}

/** With the default privileges of whoever it is made for. */
function createSchema(world: World, { database, schema, owner = world.facts.admin }: Of<'create_schema'>): void {
  const here = world.database(database);
  if (here === undefined) return;
  here.piles.add({ kind: 'schema', schema: '', owner, names: [schema], extension: false, ...here.defaults.made('schema', owner, '') });
}

/** The objects of a GRANT; those that had no row of their own get one by it. */
function granted(world: World, { on }: Of<'grant_privilege'>): readonly Pile[] {
  const piles = world.pilesFor(on.object, on.database);
  if (piles === undefined) return [];
  const { major, bootstrap } = world.facts;
  const isNew = (name: ObjectName): boolean => piles.pileOf(on.object, on.schema, name) === undefined;
  const added = on.object === 'column' || on.object === 'parameter' ? on.names.filter(isNew) : [];
  const owner = on.object === 'parameter' ? bootstrap : on.owner;
  if (added.length > 0)
    piles.add({
      kind: on.object,
      schema: on.schema,
      owner,
      names: added,
      extension: false,
      untouched: true,
      entries: [...builtIn(on.object, owner, major).values()],
    });
  return piles.of(on.object, on.schema, on.names);
}

function grantPrivilege(world: World, change: Of<'grant_privilege'>): void {
  const { on, as, role, privileges, grantable } = change;
  for (const pile of granted(world, change))
    for (const by of grantorsOf(world, as ?? world.facts.admin, pile, privileges, on.database)) {
      if (by.privileges.length > 0) pile.untouched = false;
      for (const privilege of by.privileges) give(pile.acl, { grantee: role, grantor: by.grantor, privilege, grantable });
    }
}

interface Granting {
  readonly grantor: string;
  readonly privileges: readonly string[];
}

/** Under whom a GRANT is recorded: the owner where whoever grants has its rights, and else who has most of the grant options, and those alone. */
function grantorsOf(world: World, actor: string, pile: Pile, privileges: readonly string[], database: string): readonly Granting[] {
  const { owner, acl } = pile;
  const byOwner = { grantor: owner, privileges };
  if (world.isSuperuser(actor)) return [byOwner];
  const rights = rightsOf(world.realm(database), actor);
  if (rights.has(owner)) return [byOwner];
  const entries = [...acl.values(), ...world.aroundOf(pile, database)].filter(({ grantable, grantee }) => grantable && rights.has(grantee));
  const best = [...rights.keys()]
    .map((grantor) => ({ grantor, privileges: privileges.filter((one) => entries.some(({ grantee, privilege }) => grantee === grantor && privilege === one)) }))
    .reduce((most, one) => (one.privileges.length > most.privileges.length ? one : most));
  // Who may not pass it on is only warned; but whose rights we borrow for it ourselves are the owner's.
  const rest = actor === world.facts.admin ? privileges.filter((one) => !best.privileges.includes(one)) : [];
  return [best, { grantor: owner, privileges: rest }];
}

function revokePrivilege(world: World, change: Of<'revoke_privilege'>): void {
  const { on, privileges } = change;
  const piles = world.pilesFor(on.object, on.database);
  for (const pile of piles?.of(on.object, on.schema, on.names) ?? []) {
    takeFrom(world, pile, change, privileges);
    if (pile.kind === 'parameter' && isSameAcl(pile.acl, builtIn('parameter', pile.owner, world.facts.major))) piles?.remove(pile);
  }
  if (on.object !== 'table' || piles === undefined) return;
  // What is taken of a table is taken of its columns.
  const ofColumns = privileges.filter((privilege) => privilegesOf('column', world.facts.major).includes(privilege));
  const columns = ofColumns.length === 0 ? [] : piles.columnsOf(on.schema, on.names);
  for (const pile of columns.length === 0 ? [] : piles.of('column', on.schema, columns)) takeFrom(world, pile, change, ofColumns);
}

/** A REVOKE reaches only what was granted by whom the server takes whoever revokes for; an owner lends the option where it lapsed. */
function takeFrom(world: World, pile: Pile, { on, as, role, grantor, optionOnly, lapsed }: Of<'revoke_privilege'>, privileges: readonly string[]): void {
  const mayStill = world.mayStill(pile, on.database);
  const all = lapsed === undefined ? grantorsOf(world, as ?? world.facts.admin, pile, privileges, on.database) : [{ grantor, privileges }];
  for (const by of all) {
    if (by.privileges.length > 0) pile.untouched = false;
    if (by.grantor === grantor) for (const privilege of by.privileges) take(pile.acl, { grantee: role, grantor, privilege }, optionOnly, mayStill);
  }
  if (pile.kind === 'column' && pile.acl.size === 0) pile.untouched = true;
}
