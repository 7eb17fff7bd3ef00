// Roles, memberships and names after changes of them.
import type { Change } from '../changes/change.ts';
import type { Membership, Role } from '../model/cluster.ts';
import { renamed } from './acl.ts';
import { withPolicyRoles } from './beside.ts';
import type { World } from './world.ts';

type Of<K extends Change['kind']> = Extract<Change, { readonly kind: K }>;

function setRole(world: World, role: Role): void {
  world.roles.set(role.name, role);
  world.forgetRealms();
}

/** A role with other attributes; one that is not there stays so. */
export function alterRole(world: World, name: string, attributes: Partial<Role>): void {
  const role = world.roles.get(name);
  if (role !== undefined) setRole(world, { ...role, ...attributes });
}

/** Of all attributes, CREATE ROLE says these alone; the others stay as the server has them without a word. */
export function createRole(world: World, { role: name, attributes: { login, inherit, connectionLimit, validUntil } }: Of<'create_role'>): void {
  const none = { superuser: false, createdb: false, createrole: false, replication: false, bypassrls: false, comment: null, settings: new Map() };
  setRole(world, { ...none, name, login, inherit, connectionLimit, validUntil });
  const { admin, bootstrap, major } = world.facts;
  if (major < 16 || world.isSuperuser(admin)) return;
  // Whoever makes a role administers it, and we can become it (createrole_self_grant).
  const row = { role: name, member: admin, inherit: false };
  world.setMembership({ ...row, grantor: bootstrap, admin: true, set: false });
  world.setMembership({ ...row, grantor: admin, admin: false, set: true });
}

export function dropRole(world: World, name: string): void {
  world.roles.delete(name);
  world.setMemberships(
    world.memberships.filter(({ role, member }) => role !== name && member !== name).map((row) => (row.grantor === name ? { ...row, grantor: '' } : row)),
  );
}

export function grantMembership(world: World, { role, member, admin, inherit, set }: Pick<Membership, 'role' | 'member' | 'admin' | 'inherit' | 'set'>): void {
  const { major, grantor } = world.facts;
  const found = world.membership({ role, member, grantor });
  // Who is in it already only gets the option that it lacks.
  if (major < 16 && found !== undefined && (found.admin || !admin)) return;
  world.setMembership(major < 16 ? { role, member, grantor, admin, inherit: true, set: true } : { role, member, grantor, admin, inherit, set });
}

export function revokeMembership(world: World, { role, member, grantor, adminOnly }: Of<'revoke_membership'>): void {
  const take = (of: Pick<Membership, 'role' | 'member' | 'grantor'>, optionOnly: boolean): void => {
    const found = world.membership(of);
    if (found === undefined) return;
    if (optionOnly) world.setMembership({ ...found, admin: false });
    else world.removeMembership(found);
    if (world.facts.major < 16 || !found.admin) return;
    const others = world.memberships.filter((row) => row.role === role);
    // Who may no longer administer a role has put nobody into it either.
    if (!others.some((row) => row.member === found.member && row.admin)) for (const row of others) if (row.grantor === found.member) take(row, false);
  };
  take({ role, member, grantor }, adminOnly);
}

/** Of a membership of our own. */
export function stopInheriting(world: World, role: string): void {
  const { admin, grantor } = world.facts;
  const row = world.membership({ role, member: admin, grantor });
  if (row !== undefined) world.setMembership({ ...row, inherit: false });
}

/** Nothing changes but names: whatever a role owns, holds and belongs to goes by its OID. */
export function renameRoles(world: World, names: ReadonlyMap<string, string>): void {
  const naming = (name: string): string => names.get(name) ?? name;
  world.roles = new Map([...world.roles.values()].map((role) => [naming(role.name), { ...role, name: naming(role.name) }]));
  world.setMemberships(world.memberships.map((row) => ({ ...row, role: naming(row.role), member: naming(row.member), grantor: naming(row.grantor) })));
  const places = [world.shared, ...world.databaseNames().flatMap((name) => world.database(name)?.piles ?? [])];
  for (const pile of places.flatMap((piles) => [...piles.all()])) {
    pile.owner = naming(pile.owner);
    pile.acl = renamed(pile.acl, naming);
  }
  for (const name of world.databaseNames()) {
    const here = world.database(name);
    here?.defaults.rename(naming);
    if (here?.beside !== undefined) here.beside = withPolicyRoles(here.beside, naming);
  }
}
