// Removal: what becomes of roles that are ours and that a valid document no longer names. Every step is decided from the catalogs,
// so a crash after any of them is taken up where it stopped.
import type { Catalog, ManagedRole } from './catalog.ts';
import type { Change } from './change.ts';
import { type Ending, endingOf } from './drain.ts';
import type { DeletionPolicy } from './document/types.ts';
import type { Law } from './law.ts';
import type { Notice } from './notice.ts';
import { turnComment } from './rotation.ts';
import type { SecretWishes } from './secret-plan.ts';

export interface RemovalOptions {
  readonly source: string;
  readonly policy: DeletionPolicy;
  /** The most roles that one cycle may begin to remove; undefined is the larger of 5 and 20 % of ours. */
  readonly maxDeletions: number | undefined;
  readonly reassignTo: string | undefined;
  /** DRAIN: how sessions end where the role's entry did not say. */
  readonly drain: string;
  /** The database that holds the ledger: what is shared by all databases is released there. */
  readonly defaultDatabase: string;
}

export interface RemovalInput {
  readonly catalog: Catalog;
  readonly law: Law;
  readonly named: ReadonlySet<string>;
  /** Why nothing may be removed in this cycle, or undefined. */
  readonly heldBecause: string | undefined;
  /** What the rest of the plan does: memberships revoked there no longer keep a role. */
  readonly changes: readonly Change[];
  /** Users as whom a connection Secret still tells programs to log in → that Secret. */
  readonly told: SecretWishes['told'];
  readonly options: RemovalOptions;
}

export interface Removal {
  readonly changes: readonly Change[];
  readonly notices: readonly Notice[];
  readonly breakerTripped: boolean;
  /** The next moment at which sessions that go on are to be ended (core/drain.ts). */
  readonly dueAt?: number | undefined;
}

/** Names of our source's roles that a document with these names no longer mentions: whose dependencies a snapshot must read. */
export const removalCandidates = (managed: Iterable<ManagedRole>, source: string, named: ReadonlySet<string>): ManagedRole[] =>
  [...managed].filter((role) => role.source === source && !named.has(role.name));

/** The changes that remove what is no longer named, or the reasons why not. */
export function planRemoval(input: RemovalInput): Removal {
  const { catalog, options } = input;
  const candidates = removalCandidates(catalog.managed.values(), options.source, input.named);
  if (candidates.length === 0) return { changes: [], notices: [], breakerTripped: false };
  if (input.heldBecause !== undefined) {
    const notices = candidates.map((role): Notice => ({ kind: 'kept', subject: role.name, message: `no longer named, but kept: ${input.heldBecause}` }));
    return { changes: [], notices, breakerTripped: false };
  }
  const leavers = candidates.filter((role) => role.entity === 'user');
  const goingOn = usersGoingOn(leavers, input);
  const users = leavers.map((role) => removeUser(role, goingOn, input));
  const leaving = new Set(users.flatMap((removal) => removal.changes.filter((change) => change.kind === 'drop_role').map((change) => change.role)));
  const roles = candidates.filter((role) => role.entity === 'role').map((role) => removeBareRole(role, leaving, input));
  const all = [...users, ...roles];

  const ours = [...catalog.managed.values()].filter((role) => role.source === options.source).length;
  const limit = options.maxDeletions ?? Math.max(5, Math.floor(ours * 0.2));
  const beginning = all.filter((removal) => removal.begins);
  const tripped = beginning.length > limit;
  const kept = tripped ? all.filter((removal) => !removal.begins) : all;
  const breaker: Notice[] = tripped
    ? [
        {
          kind: 'breaker',
          subject: '',
          message: `${beginning.length} of ${ours} roles would be removed in one cycle and the limit is ${limit}: none is removed; raise MAX_DELETIONS to ${beginning.length} if this is meant`,
        },
      ]
    : [];
  return {
    changes: kept.flatMap((removal) => removal.changes),
    notices: [...breaker, ...kept.flatMap((removal) => removal.notices)],
    breakerTripped: tripped,
    dueAt: soonest(kept.flatMap((removal) => removal.dueAt ?? [])),
  };
}

const soonest = (moments: readonly number[]): number | undefined => (moments.length === 0 ? undefined : Math.min(...moments));

interface OneRemoval {
  readonly changes: readonly Change[];
  readonly notices: readonly Notice[];
  /** Whether this cycle begins it: what was begun earlier has passed the breaker already. */
  readonly begins: boolean;
  readonly dueAt?: number | undefined;
}

const nothing = (notice?: Notice): OneRemoval => ({ changes: [], notices: notice === undefined ? [] : [notice], begins: false });
const forget = (role: ManagedRole, reason: string): OneRemoval => ({
  changes: [{ kind: 'forget_role', role: role.name, entity: role.entity, reason }],
  notices: [],
  begins: false,
});

/** Cases in which the role is not ours to remove, before any policy is asked. */
function notOurs(role: ManagedRole, { catalog, law }: RemovalInput): OneRemoval | undefined {
  const oid = catalog.oids.get(role.name);
  if (oid === undefined) return forget(role, 'it is gone from the server');
  if (role.oid !== 0 && role.oid !== oid) return forget(role, 'somebody dropped it and made another role of this name');
  const refusal = law.refuseToManage(role.name);
  return refusal === undefined ? undefined : nothing({ kind: 'refused', subject: role.name, message: `no longer named, but not removed: ${refusal}` });
}

/** An adopted role is never dropped unless its own entry said so. */
function policyFor(role: ManagedRole, fallback: DeletionPolicy): DeletionPolicy {
  if (role.deletionPolicy !== null) return role.deletionPolicy;
  return role.origin === 'adopted' && fallback === 'drop' ? 'disable' : fallback;
}

/** The sessions of a user that is removed. */
function endingFor(role: ManagedRole, policy: DeletionPolicy, { catalog, options }: RemovalInput): Ending {
  const login = catalog.cluster.roles.get(role.name)?.login === true;
  const drain = role.drain ?? options.drain;
  // Of a role that was disabled before anything remembered when, nobody can say how long ago that was.
  const unknown = login || role.status === 'active' ? null : 0;
  const since = login || role.disabledAt === null ? unknown : Date.parse(role.disabledAt);
  const after = policy === 'disable' ? '; it then leaves its roles' : '; it is then dropped';
  return endingOf({ role: role.name, since, drain, why: 'the user is removed', after }, catalog);
}

/** Users whose sessions go on, and those whom they work as meanwhile: a session needs what it has by its memberships. */
function usersGoingOn(leavers: readonly ManagedRole[], input: RemovalInput): ReadonlySet<string> {
  const { catalog, options } = input;
  const going = new Set(
    leavers.flatMap((role) => {
      const policy = policyFor(role, options.policy);
      return !catalog.sessions.has(role.name) || policy === 'retain' || notOurs(role, input) !== undefined || endingFor(role, policy, input).over
        ? []
        : [role.name];
    }),
  );
  if (going.size === 0) return going;
  const names = new Set(leavers.map((role) => role.name));
  const rolesBy = Map.groupBy(catalog.cluster.memberships, (row) => row.member);
  // A set grows while it is walked through: what is added is visited as well.
  for (const name of going) for (const row of rolesBy.get(name) ?? []) if (names.has(row.role)) going.add(row.role);
  return going;
}

function removeUser(role: ManagedRole, goingOn: ReadonlySet<string>, input: RemovalInput): OneRemoval {
  const early = notOurs(role, input);
  if (early !== undefined) return early;
  const policy = policyFor(role, input.options.policy);
  if (policy === 'retain') return forget(role, 'the deletion policy is retain');
  const { catalog } = input;
  const name = role.name;
  const told = role.status === 'active' ? input.told.get(name) : undefined;
  // Any user may be called like one of two.
  if (told !== undefined && catalog.cluster.roles.get(name)?.comment === turnComment(told.of))
    return nothing({ kind: 'kept', subject: name, message: `no longer named, but kept until the connection Secret ${told.place} is known to say ${told.of}` });
  const login = catalog.cluster.roles.get(name)?.login === true;
  const disable: Change[] = login || role.status === 'active' ? [{ kind: 'disable_role', role: name, keep: policy === 'disable' }] : [];
  const ending = endingFor(role, policy, input);
  const { changes: end, dueAt } = ending;
  const over = !goingOn.has(name);
  const notices: readonly Notice[] =
    over === ending.over ? ending.notices : [{ kind: 'kept', subject: name, message: 'the user is removed: sessions that work as it go on' }];
  const begins = role.status === 'active';
  if (policy === 'disable')
    // What goes on needs its memberships for that long.
    return { changes: [...disable, ...end, ...(over ? leaveAllRoles(name, catalog) : []), ...clearPassword(role, catalog)], notices, begins, dueAt };
  if (!over) return { changes: disable, notices, begins, dueAt };

  const release = releaseOwned(name, input);
  if (typeof release === 'string')
    return {
      changes: [...disable, ...end],
      notices: [{ kind: 'cannot', subject: name, message: `the user is disabled but cannot be dropped: ${release}` }],
      begins,
    };
  return { changes: [...disable, ...end, ...release, { kind: 'drop_role', role: name, entity: 'user' }], notices: [], begins };
}

const leaveAllRoles = (name: string, catalog: Catalog): Change[] =>
  catalog.cluster.memberships
    .filter((row) => row.member === name)
    .map((row) => ({ kind: 'revoke_membership', role: row.role, member: name, grantor: row.grantor, adminOnly: false, cascade: row.admin }));

/** Where verifiers can be read, a password that came back is cleared again; elsewhere once, when the user is disabled. */
function clearPassword(role: ManagedRole, catalog: Catalog): Change[] {
  const present = catalog.server.readsVerifiers ? catalog.verifiers.get(role.name) != null : role.status === 'active';
  return present ? [{ kind: 'clear_password', role: role.name }] : [];
}

/** One step for each database in which something depends on the role, or the reason why one of them cannot be done. */
function releaseOwned(name: string, { catalog, options }: RemovalInput): Change[] | string {
  const steps: Change[] = [];
  for (const { database, objects } of catalog.dependencies.get(name) ?? []) {
    const facts = catalog.databases.get(database);
    if (facts === undefined || !facts.allowsConnections)
      return `database ${database} holds ${objects} dependencies and allows no connections; run ALTER DATABASE … ALLOW_CONNECTIONS true`;
    const owner = facts.owner === name ? undefined : facts.owner;
    const heir = options.reassignTo ?? owner ?? catalog.server.admin;
    if (!catalog.cluster.roles.has(heir)) return `the role ${heir} of REASSIGN_TO does not exist`;
    if (heir === name) return `REASSIGN_TO names the very role that is removed`;
    const join = [name, heir].filter((role) => !mayActFor(role, catalog));
    const leave = join.filter((role) => role === heir && !isMember(role, catalog));
    steps.push({ kind: 'release_owned', role: name, database, heir, objects, join, leave });
  }
  return steps;
}

const isMember = (role: string, catalog: Catalog): boolean =>
  catalog.cluster.memberships.some((row) => row.role === role && row.member === catalog.server.admin);

/** REASSIGN and DROP OWNED need the rights of both roles (INHERIT) and, for the heir, SET. */
const mayActFor = (role: string, catalog: Catalog): boolean =>
  catalog.server.superuser ||
  role === catalog.server.admin ||
  catalog.cluster.memberships.some((row) => row.role === role && row.member === catalog.server.admin && row.inherit && row.set);

function removeBareRole(role: ManagedRole, leaving: ReadonlySet<string>, input: RemovalInput): OneRemoval {
  const early = notOurs(role, input);
  if (early !== undefined) return early;
  const { catalog, changes, options } = input;
  if (role.origin === 'adopted' && role.deletionPolicy !== 'drop') return forget(role, 'no user names it any longer');
  const policy = role.deletionPolicy ?? options.policy;
  if (policy === 'retain' && role.deletionPolicy === 'retain') return forget(role, 'its deletion policy is retain');
  if (policy !== 'drop') {
    const why = role.deletionPolicy === null ? `DELETION_POLICY is ${policy}` : `its deletion policy is ${policy}`;
    return nothing({ kind: 'kept', subject: role.name, message: `no user names the role any longer; kept, as ${why}` });
  }
  const revoked = new Set(changes.flatMap((change) => (change.kind === 'revoke_membership' && !change.adminOnly ? [`${change.role}\0${change.member}`] : [])));
  const members = catalog.cluster.memberships.filter(
    (row) => row.role === role.name && row.member !== catalog.server.admin && !leaving.has(row.member) && !revoked.has(`${row.role}\0${row.member}`),
  );
  const depends = (catalog.dependencies.get(role.name) ?? []).length > 0;
  const holds = !role.privileges && (catalog.cluster.memberships.some((row) => row.member === role.name) || depends);
  const keep = (message: string): OneRemoval =>
    nothing({ kind: 'kept', subject: role.name, message: `no user names the role any longer; kept, because ${message}` });
  if (members.length > 0) return keep(`${members[0]?.member}${members.length > 1 ? ` and ${members.length - 1} more` : ''} is still a member`);
  if (holds) return keep('it holds privileges, objects or memberships');
  // What a role was declared to hold goes with it; a role that was only named holds what others gave it.
  const release = depends ? releaseOwned(role.name, input) : [];
  if (typeof release === 'string')
    return nothing({ kind: 'cannot', subject: role.name, message: `the role is declared no longer but cannot be dropped: ${release}` });
  return { changes: [...release, { kind: 'drop_role', role: role.name, entity: 'role' }], notices: [], begins: true };
}
