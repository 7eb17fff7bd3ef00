// The plan: spec + catalog → ordered changes, what is held back, and what is to be said. Pure; every reader of a plan reads this value.
import { abilityOf, type Inability } from './ability.ts';
import type { Catalog } from './catalog.ts';
import {
  CHANGE_KINDS,
  type Change,
  type ChangeKind,
  type Entity,
  forNames,
  keyOf,
  neededDatabase,
  neededTrigger,
  type PasswordReason,
  REVOKES,
  rolesOf,
  splitNames,
  subjectOf,
  triggerKey,
} from './change.ts';
import { sentenceOf } from './sentence.ts';
import { desiredOf, membershipKey } from './desired.ts';
import { diff } from './diff.ts';
import { planDrain } from './drain.ts';
import type { Document } from './document/types.ts';
import { type LawOptions, lawOf } from './law.ts';
import type { Cluster } from './model.ts';
import { declaringNames } from './named.ts';
import type { Notice } from './notice.ts';
import { actingOf } from './privileges/acting.ts';
import { withPlannedDatabases } from './privileges/foresee.ts';
import { type DatabaseReading, planPrivileges } from './privileges/plan-privileges.ts';
import { planRemoval, type RemovalOptions } from './removal.ts';
import { restingUsers } from './rotation.ts';
import { planConnections, type SecretWishes } from './secret-plan.ts';
import { statementKey } from './sql.ts';
import type { TriggerPolicy } from './triggers/plan-trigger.ts';

export interface PlanInput {
  readonly document: Document;
  readonly catalog: Catalog;
  readonly law: LawOptions;
  readonly removal: RemovalOptions;
  readonly defaultDatabase: string;
  readonly withoutSecret: ReadonlyMap<string, string>;
  /** Users whose stored password is not the one of their Secret. */
  readonly passwords: ReadonlyMap<string, PasswordReason>;
  /** Secrets that are to be made or written. */
  readonly secrets: SecretWishes;
  /** Whether an earlier failure makes a change wait (by its key). */
  readonly isDeferred: (key: string) => boolean;
  /** Whether anything waits at all. */
  readonly anyDeferred: boolean;
  /** What is known of the databases whose contents matter. */
  readonly readings: ReadonlyMap<string, DatabaseReading>;
  /** `report`: what would be revoked is said and counted as drift, and stays. */
  readonly revokes: 'apply' | 'report';
  /** Where event triggers are installed. */
  readonly triggers: TriggerPolicy;
}

export interface Plan {
  /** In the order of execution. */
  readonly changes: readonly Change[];
  /** Wanted, but our admin may not. */
  readonly blocked: readonly { readonly change: Change; readonly inability: Inability }[];
  /** Wanted, but waiting after a failure, or for something that is blocked or waits. */
  readonly deferred: readonly Change[];
  /** Wanted, but held back by REVOKES=report. */
  readonly held: readonly Change[];
  /** Notices of each database that was read. */
  readonly noticesOf: ReadonlyMap<string, readonly Notice[]>;
  readonly notices: readonly Notice[];
  readonly breakerTripped: boolean;
  /** Users and roles that the document wants and that may be managed. */
  readonly entities: ReadonlyMap<string, Entity>;
  /** Users of our making → the user of the document that each logs in for. */
  readonly standIns: ReadonlyMap<string, string>;
  /** By user, when its password is due to be replaced, in milliseconds. */
  readonly rotationDue: ReadonlyMap<string, number>;
  /** When a plan may say something else although nothing changed, by the server's clock in milliseconds; Infinity for never. */
  readonly dueAt: number;
}

/** The plan for one cycle. */
export function planOf(input: PlanInput): Plan {
  const { document } = input;
  const law = lawOf(input.catalog, input.law);
  const catalog = withPlannedDatabases(input.catalog, document, law, input.defaultDatabase);
  const desired = desiredOf({ document, catalog, law, defaultDatabase: input.defaultDatabase, withoutSecret: input.withoutSecret });
  const compared = diff(desired.cluster, managedPart(catalog.cluster, document, desired.entities, desired.tolerated), {
    entities: desired.entities,
    managed: oursByOid(catalog),
    oneRowPerMembership: catalog.server.major < 16,
    acting: actingOf(catalog),
    allConnects: catalog.cluster.grants,
    additive: new Set(document.users.flatMap((user) => (user.additive === true ? [user.username] : []))),
    ownerOf: (database) => catalog.databases.get(database)?.owner ?? '',
    willOwn: new Set(document.databases.flatMap((entry) => (entry.owner === undefined ? [] : [`${entry.name}\0${entry.owner}`]))),
  });
  const privileges = planPrivileges({
    document,
    catalog,
    law,
    defaultDatabase: input.defaultDatabase,
    isManaged: (role) => desired.entities.has(role),
    readings: input.readings,
    revokes: input.revokes === 'apply',
    triggers: input.triggers,
  });
  const passwords = [...input.passwords].flatMap(([role, reason]): Change[] =>
    desired.entities.get(role) === 'user' ? [{ kind: 'set_password', role, reason }] : [],
  );
  const removal = planRemoval({
    catalog,
    law,
    named: desired.named,
    heldBecause: reasonToHoldRemovals(document),
    changes: compared,
    told: input.secrets.told,
    options: input.removal,
  });
  const drained = planDrain(document, catalog, desired.entities, input.removal.drain);
  const creations = [...input.secrets.create, ...input.secrets.rotate].filter((change) => desired.entities.get(change.role) === 'user');
  const wanted = [...creations, ...compared, ...privileges.changes];
  const isHeld = (change: Change): boolean => input.revokes === 'report' && REVOKES.has(change.kind);
  const held = wanted.filter(isHeld);
  const taken = [
    ...wanted.filter((change) => !isHeld(change)),
    ...forgottenPrivileges(input, desired.entities),
    ...passwords,
    ...restingPasswords(document, catalog, desired.entities),
    ...drained.changes,
    ...removal.changes,
  ];
  const { changes, blocked, deferred } = sift(inOrder(taken), input);
  const reported = held.map((change): Notice => ({ kind: 'held', subject: subjectOf(change), message: `REVOKES=report: would ${sentenceOf(change)}` }));
  const cannot = blocked.map(({ change, inability }): Notice => ({
    kind: 'cannot',
    subject: subjectOf(change),
    message: `cannot ${sentenceOf(change)}: ${inability.reason}`,
    sql: inability.sql,
  }));
  const notices = [...desired.notices, ...privileges.notices, ...drained.notices, ...removal.notices, ...cannot, ...reported];
  const creates = new Set(changes.flatMap((change) => (change.kind === 'create_role' ? [change.role] : [])));
  const connections = planConnections(
    input.secrets,
    document,
    { changes: [...blocked.map((item) => item.change), ...deferred], notices },
    (role) => desired.entities.get(role) === 'user' && (catalog.cluster.roles.has(role) || creates.has(role)),
    input.isDeferred,
  );
  return {
    changes: [...changes, ...connections.changes],
    blocked,
    deferred: [...deferred, ...connections.deferred],
    held,
    noticesOf: privileges.noticesOf,
    notices: [...input.secrets.notices, ...notices, ...connections.notices],
    breakerTripped: removal.breakerTripped,
    entities: desired.entities,
    standIns: new Map(document.users.flatMap(({ username, turn }) => (turn === undefined || turn.of === username ? [] : [[username, turn.of]]))),
    rotationDue: input.secrets.rotationDue,
    dueAt: Math.min(
      drained.dueAt ?? Number.POSITIVE_INFINITY,
      removal.dueAt ?? Number.POSITIVE_INFINITY,
      nextOf(input.secrets.rotationDue.values(), catalog.server.now),
    ),
  };
}

/** Nothing is removed on the word of a document that is wrong somewhere: what it lost may be what it meant to keep. */
const reasonToHoldRemovals = (document: Document): string | undefined =>
  document.problems.some((problem) => problem.severity === 'error') ? 'the document has errors, and nothing is removed until they are mended' : undefined;

/** Roles recorded as ours that still are the very roles that were recorded. */
const oursByOid = (catalog: Catalog): ReadonlySet<string> =>
  new Set([...catalog.managed.values()].filter((role) => role.oid === 0 || role.oid === catalog.oids.get(role.name)).map((role) => role.name));

/** The part of the actual state that the document decides about: its roles, and what its users hold. */
function managedPart(actual: Cluster, document: Document, entities: ReadonlyMap<string, Entity>, tolerated: ReadonlySet<string>): Cluster {
  const isUser = (name: string): boolean => entities.get(name) === 'user';
  const declared = new Set(document.roles.flatMap((role) => (role.memberOf !== undefined && entities.has(role.name) ? [role.name] : [])));
  return {
    roles: actual.roles,
    memberships: actual.memberships.filter((row) => (isUser(row.member) || declared.has(row.member)) && !tolerated.has(membershipKey(row.role, row.member))),
    grants: actual.grants.filter((row) => isUser(row.grantee)),
  };
}

/** Roles whose privileges we kept, and whose entry declares none any more. */
function forgottenPrivileges({ catalog, document, removal }: PlanInput, entities: ReadonlyMap<string, Entity>): Change[] {
  const declares = declaringNames(document);
  return [...catalog.managed.values()].flatMap((role): Change[] =>
    role.privileges && !document.invalid.has(role.name) && role.source === removal.source && entities.has(role.name) && !declares.has(role.name)
      ? [{ kind: 'forget_privileges', role: role.name }]
      : [],
  );
}

/** The first moment after another one; Infinity for none. */
const nextOf = (moments: Iterable<number>, now: number): number => {
  let next = Number.POSITIVE_INFINITY;
  for (const moment of moments) if (moment > now && moment < next) next = moment;
  return next;
};

/** Passwords of those whose turn is over for this time. */
const restingPasswords = (document: Document, catalog: Catalog, entities: ReadonlyMap<string, Entity>): Change[] =>
  restingUsers(document).flatMap(({ username }): Change[] => {
    // Where nobody can look, one that somebody else set is cleared together with the login.
    const isTold = (catalog.managed.get(username)?.witness ?? null) !== null || catalog.cluster.roles.get(username)?.login === true;
    const has = catalog.server.readsVerifiers ? catalog.verifiers.get(username) != null : isTold;
    return has && entities.get(username) === 'user' ? [{ kind: 'clear_password', role: username }] : [];
  });

const rank = new Map(CHANGE_KINDS.map((kind, index) => [kind, index]));

/**
 * The order of what depends on each other. Who passed a right on can take it back only while it has the right and the way to the object:
 * the most distant hand goes first, columns before their tables, schemas last. A REVOKE on a table takes the privileges on its columns
 * with it, so those are granted after it.
 */
function rankOf(change: Change): number {
  const kind = rank.get(change.kind) ?? 0;
  if (change.kind === 'grant_privilege') return change.on.object === 'column' ? (rank.get('revoke_privilege') ?? 0) + 0.2 : kind;
  if (change.kind !== 'revoke_privilege') return kind;
  const distance = Math.min(change.depth, 10) / 100;
  if (change.on.object === 'column') return kind - 0.3 - distance;
  return kind - distance + (change.on.object === 'schema' || change.on.object === 'database' ? 0.4 : 0);
}

/** By kind, and within a kind those together that can share a statement. */
function inOrder(changes: readonly Change[]): Change[] {
  return changes
    .map((change, index) => ({ change, index, rank: rankOf(change), statement: statementKey(change) ?? '' }))
    .toSorted((a, b) => a.rank - b.rank || (a.statement < b.statement ? -1 : a.statement > b.statement ? 1 : a.index - b.index))
    .map((item) => item.change);
}

/** Steps of a removal: each needs the ones before it. */
export const REMOVAL_STEPS: ReadonlySet<ChangeKind> = new Set(['disable_role', 'end_sessions', 'release_owned', 'drop_role']);

/** Takes out what cannot be done or has to wait, and with a role that is not created everything that needs it. */
function sift(changes: readonly Change[], input: PlanInput): Pick<Plan, 'changes' | 'blocked' | 'deferred'> {
  const ability = abilityOf(input.catalog, changes);
  const stuck = new Set<string>();
  const exists = new Set<string>(input.catalog.cluster.roles.keys());
  /** Databases that the plan has to make first, and does not make now. */
  const missing = new Set(changes.flatMap((change) => (change.kind === 'create_database' ? [change.database] : [])));
  const withoutTrigger = new Set(changes.flatMap((change) => (change.kind === 'install_event_trigger' ? [triggerKey(change.database)] : [])));
  const result = { changes: [] as Change[], blocked: [] as { change: Change; inability: Inability }[], deferred: [] as Change[] };
  for (const change of changes) {
    const inability = ability(change);
    const removes = REMOVAL_STEPS.has(change.kind);
    const unmet =
      change.kind === 'create_role' || change.kind === 'forget_role'
        ? false
        : rolesOf(change).some((role) => !exists.has(role)) || missing.has(neededDatabase(change)) || withoutTrigger.has(neededTrigger(change) ?? '');
    const isWaiting = (name: string): boolean => input.isDeferred(keyOf(forNames(change, [name])));
    const parts = inability === undefined && input.anyDeferred ? splitNames(change, isWaiting) : { inside: undefined, outside: change };
    if (parts.inside !== undefined && parts.outside !== undefined) {
      result.deferred.push(parts.inside);
      result.changes.push(parts.outside);
      continue;
    }
    const waits = parts.inside !== undefined || input.isDeferred(keyOf(change)) || unmet || (removes && stuck.has(rolesOf(change)[0] ?? ''));
    const held = inability !== undefined || waits;
    if (change.kind === 'create_role' && !held) exists.add(change.role);
    if (change.kind === 'create_database' && !held) missing.delete(change.database);
    if (change.kind === 'install_event_trigger' && !held) withoutTrigger.delete(triggerKey(change.database));
    if (removes && held) for (const role of rolesOf(change)) stuck.add(role);
    if (inability !== undefined) result.blocked.push({ change, inability });
    else if (waits) result.deferred.push(change);
    else result.changes.push(change);
  }
  return result;
}
