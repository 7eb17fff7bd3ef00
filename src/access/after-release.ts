// What is left of a role in a database after it was released there: what it owned is its heir's, and its privileges are gone.
import type { Change } from '../changes/change.ts';
import { mayWith } from '../explain/holders.ts';
import { guisesOf, rightsOf } from '../explain/links.ts';
import type { Securable } from '../explain/securable.ts';
import { give, renamed, takeAllOf } from './acl.ts';
import { withPolicyRoles } from './beside.ts';
import { grantMembership } from './after-roles.ts';
import type { Pile } from './piles.ts';
import type { World } from './world.ts';

type Release = Extract<Change, { readonly kind: 'release_owned' }>;

/** What was its owner's, entries as grants, is the next one's. */
export function handOver(pile: Pile, owner: string): void {
  const before = pile.owner;
  pile.owner = owner;
  pile.acl = renamed(pile.acl, (name) => (name === before ? owner : name));
}

/** The object as who may what with it is asked. */
const securable = ({ kind, owner, untouched, acl }: Pile): Securable => ({
  kind,
  name: '',
  owner,
  untouched,
  entries: [...acl.values()],
  columns: new Map(),
  isCatalog: false,
});

export function releaseOwned(world: World, change: Release): void {
  const { role, heir, database, fresh, moves, stays } = change;
  const here = world.database(database);
  const piles = (): readonly Pile[] => [...(here?.piles.all() ?? []), ...world.shared.all()];
  if (!stays) joinAll(world, change);
  if (!stays && heir !== undefined) {
    if (moves) lendCreate(world, piles(), change);
    for (const pile of piles()) if (pile.owner === role) handOver(pile, heir);
    world.forgetRealms();
    if (fresh) keepUsage(world, piles(), change);
  }
  if (moves) return;
  here?.defaults.leave(role, !stays);
  for (const pile of piles()) {
    if (pile.owner === role) continue;
    takeAllOf(pile.acl, role, world.mayStill(pile, database));
    if (pile.kind === 'column' && pile.acl.size === 0) pile.untouched = true;
  }
  if (!stays && here?.beside !== undefined) here.beside = withPolicyRoles(here.beside, (name) => (name === role ? undefined : name));
  // DROP OWNED takes the memberships as well that the role granted.
  if (!stays && world.facts.major >= 16) world.setMemberships(world.memberships.filter(({ grantor }) => grantor !== role));
}

/** Heirs that we joined for it and stay in. */
function joinAll(world: World, { join, leave }: Release): void {
  const { admin } = world.facts;
  for (const role of join) if (!leave.includes(role)) grantMembership(world, { role, member: admin, admin: false, inherit: false, set: true });
}

/** Where the heir has no CREATE it gets it for a moment: the ACL is explicit afterwards, and of a schema that moves it is the owner's own. */
function lendCreate(world: World, piles: readonly Pile[], { role, heir = '', database }: Release): void {
  const realm = world.realm(database);
  const { admin } = world.facts;
  const rights = rightsOf(realm, heir);
  const ours = guisesOf(realm, admin);
  const mayLend = ({ owner, acl }: Pile): boolean =>
    world.isSuperuser(admin) ||
    ours.has(owner) ||
    [...acl.values()].some(({ grantee, privilege, grantable }) => grantable && privilege === 'CREATE' && rightsOf(realm, admin).has(grantee));
  const owned = piles.filter(({ owner }) => owner === role);
  const schemas = new Set(owned.map(({ schema }) => schema));
  for (const pile of piles) {
    const isPlace = pile.kind === 'schema' ? [...pile.names.keys()].some((name) => schemas.has(name)) : pile.kind === 'database' && pile.names.has(database);
    if (!isPlace || owned.length === 0 || mayWith(realm, securable(pile), 'CREATE', heir, rights) || !mayLend(pile)) continue;
    pile.untouched = false;
    if (pile.owner === role) give(pile.acl, { grantee: role, grantor: role, privilege: 'CREATE', grantable: false });
  }
}

/** An heir that was made for this role sees the schemas of its tables, where the role saw them. */
function keepUsage(world: World, piles: readonly Pile[], { role, heir = '', database }: Release): void {
  const realm = world.realm(database);
  const has = (pile: Pile, who: string): boolean => mayWith(realm, securable(pile), 'USAGE', who, rightsOf(realm, who));
  const tables = new Set(piles.filter(({ kind, owner }) => owner === heir && (kind === 'table' || kind === 'sequence')).map(({ schema }) => schema));
  const here = world.database(database)?.piles;
  for (const schema of tables) {
    const [pile] = here?.of('schema', '', [schema]) ?? [];
    if (pile === undefined || !has(pile, role) || has(pile, heir)) continue;
    give(pile.acl, { grantee: heir, grantor: pile.owner, privilege: 'USAGE', grantable: false });
    pile.untouched = false;
  }
}
