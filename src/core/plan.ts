// The plan: spec + catalog → ordered changes, what is held back, and what is to be said. Pure; every reader of a plan reads this value.
import { abilityOf, type Inability } from './ability.ts';
import type { Catalog } from './catalog.ts';
import { CHANGE_KINDS, type Change, type ChangeKind, type Entity, keyOf, type PasswordReason, rolesOf, sentenceOf } from './change.ts';
import { desiredOf, membershipKey } from './desired.ts';
import { diff } from './diff.ts';
import type { Document } from './document/types.ts';
import { type LawOptions, lawOf } from './law.ts';
import type { Cluster } from './model.ts';
import type { Notice } from './notice.ts';
import { planRemoval, type RemovalOptions } from './removal.ts';
import { statementKey } from './sql.ts';

export interface PlanInput {
  readonly document: Document;
  readonly catalog: Catalog;
  readonly law: LawOptions;
  readonly removal: RemovalOptions;
  readonly defaultDatabase: string;
  readonly withoutSecret: ReadonlyMap<string, string>;
  /** Users whose stored password is not the one of their Secret. */
  readonly passwords: ReadonlyMap<string, PasswordReason>;
  /** Whether an earlier failure makes a change wait (by its key). */
  readonly isDeferred: (key: string) => boolean;
}

export interface Plan {
  /** In the order of execution. */
  readonly changes: readonly Change[];
  /** Wanted, but our admin may not. */
  readonly blocked: readonly { readonly change: Change; readonly inability: Inability }[];
  /** Wanted, but waiting after a failure, or for something that is blocked or waits. */
  readonly deferred: readonly Change[];
  readonly notices: readonly Notice[];
  readonly breakerTripped: boolean;
  /** Users and roles that the document wants and that may be managed. */
  readonly entities: ReadonlyMap<string, Entity>;
}

/** The plan for one cycle. */
export function planOf(input: PlanInput): Plan {
  const { catalog, document } = input;
  const law = lawOf(catalog, input.law);
  const desired = desiredOf({ document, catalog, law, defaultDatabase: input.defaultDatabase, withoutSecret: input.withoutSecret });
  const compared = diff(desired.cluster, managedPart(catalog.cluster, desired.entities, desired.tolerated), {
    entities: desired.entities,
    managed: oursByOid(catalog),
    oneRowPerMembership: catalog.server.major < 16,
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
    options: input.removal,
  });
  const { changes, blocked, deferred } = sift(inOrder([...compared, ...passwords, ...removal.changes]), input);
  const cannot = blocked.map(({ change, inability }): Notice => ({
    kind: 'cannot',
    subject: rolesOf(change).at(-1) ?? '',
    message: `cannot ${sentenceOf(change)}: ${inability.reason}`,
    sql: inability.sql,
  }));
  return {
    changes,
    blocked,
    deferred,
    notices: [...desired.notices, ...removal.notices, ...cannot],
    breakerTripped: removal.breakerTripped,
    entities: desired.entities,
  };
}

/** Nothing is removed on the word of a document that is wrong somewhere: what it lost may be what it meant to keep. */
const reasonToHoldRemovals = (document: Document): string | undefined =>
  document.problems.some((problem) => problem.severity === 'error') ? 'the document has errors, and nothing is removed until they are mended' : undefined;

/** Roles recorded as ours that still are the very roles that were recorded. */
const oursByOid = (catalog: Catalog): ReadonlySet<string> =>
  new Set([...catalog.managed.values()].filter((role) => role.oid === 0 || role.oid === catalog.oids.get(role.name)).map((role) => role.name));

/** The part of the actual state that the document decides about: its roles, and what its users hold. */
function managedPart(actual: Cluster, entities: ReadonlyMap<string, Entity>, tolerated: ReadonlySet<string>): Cluster {
  const isUser = (name: string): boolean => entities.get(name) === 'user';
  return {
    roles: actual.roles,
    memberships: actual.memberships.filter((row) => isUser(row.member) && !tolerated.has(membershipKey(row.role, row.member))),
    grants: actual.grants.filter((row) => isUser(row.grantee)),
  };
}

const rank = new Map(CHANGE_KINDS.map((kind, index) => [kind, index]));

/** By kind, and within a kind those together that can share a statement. */
function inOrder(changes: readonly Change[]): Change[] {
  return changes
    .map((change, index) => ({ change, index, rank: rank.get(change.kind) ?? 0, statement: statementKey(change) ?? '' }))
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
  const result = { changes: [] as Change[], blocked: [] as { change: Change; inability: Inability }[], deferred: [] as Change[] };
  for (const change of changes) {
    const inability = ability(change);
    const removes = REMOVAL_STEPS.has(change.kind);
    const unmet = change.kind === 'create_role' || change.kind === 'forget_role' ? false : rolesOf(change).some((role) => !exists.has(role));
    const waits = input.isDeferred(keyOf(change)) || unmet || (removes && stuck.has(rolesOf(change)[0] ?? ''));
    const held = inability !== undefined || waits;
    if (change.kind === 'create_role' && !held) exists.add(change.role);
    if (removes && held) for (const role of rolesOf(change)) stuck.add(role);
    if (inability !== undefined) result.blocked.push({ change, inability });
    else if (waits) result.deferred.push(change);
    else result.changes.push(change);
  }
  return result;
}
