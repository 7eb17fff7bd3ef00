// The plan: spec + catalog → ordered changes, what is held back, and what is to be said. Pure; every reader of a plan reads this value.
import { handedOverRoles } from './hand-over.ts';
import { membersOfAdopted } from './adopted.ts';
import { canonical } from './canonical.ts';
import type { Catalog, ManagedRole } from '../model/catalog.ts';
import { type Change, type Entity, sentenceOf, subjectOf } from '../changes/change.ts';
import { definitionOf, isBefore } from '../changes/table.ts';
import { additiveUsers, decisionsOf, handedOver, managedPart, oursByOid, takenBack } from './decided.ts';
import { type Desired, desiredOf } from './desired.ts';
import { diff } from './diff.ts';
import type { Document } from '../model/entries.ts';
import { planDrain } from './removal/drain.ts';
import { createPace, type InParts } from '../model/in-parts.ts';
import { type Law, lawOf } from './law/law.ts';
import { surplusRights } from './loans.ts';
import { movedNotices, recognitions } from './moved.ts';
import { declaringNames } from '../model/named.ts';
import type { Notice } from '../changes/notice.ts';
import { openWithPassword } from './secrets/opening.ts';
import type { Plan, PlanInput } from './plan-input.ts';
import { brokenNotices, refusalNotice, unreadNotices } from '../guard/say.ts';
import { siftGuarded, withoutRefusedRules } from './guarded-plan.ts';
import { inOrder } from './plan-order.ts';
import { actingOf } from './privileges/acting.ts';
import { withPlannedDatabases } from './privileges/foresee.ts';
import { planPrivileges } from './privileges/plan-privileges.ts';
import { namedOnly, planRemoval } from './removal/removal.ts';
import { planConnections } from './secrets/secret-plan.ts';
import { passwordsToSet, passwordsOutOfTurn } from './secrets/set-passwords.ts';

/** The plan for one cycle. */
export function* planOf(read: PlanInput): InParts<Plan> {
  for (let input = read; ;) {
    const plan = yield* planWith(input);
    const next = withoutRefusedRules(input, plan);
    if (next === undefined) return plan;
    input = next;
  }
}

function* planWith(read: PlanInput): InParts<Plan> {
  const pace = createPace();
  const input = yield* canonical(read, pace);
  const { document, whole = document } = input;
  const law = lawOf(input.catalog, input.law, document);
  const catalog = withPlannedDatabases(input.catalog, document, law, input.adminDatabase);
  const desired = desiredOf({ ...input, whole, catalog, law, held: input.renaming.held });
  const { entities } = desired;
  yield;
  const decisions = decisionsOf(input, catalog, entities);
  const { changes: compared, openings } = openWithPassword(differencesOf(input, catalog, law, desired, decisions), { ...input, catalog });
  yield;
  const privileges = yield* planPrivileges({
    ...input,
    catalog,
    law,
    isManaged: (role) => entities.has(role),
    revokes: input.revokes === 'apply',
    pace,
  });
  yield;
  const removal = planRemoval({
    catalog,
    law,
    named: desired.named.union(input.renaming.kept),
    heldBecause: reasonsToHoldRemovals(document),
    changes: compared,
    told: input.secrets.told,
    revokes: input.revokes === 'apply',
    options: input.removal,
    passedOn: input.passedOn,
    ...decisions,
  });
  const drained = planDrain(document, catalog, entities, input.removal.drain);
  const creations = [...creationsOf(input), ...input.secrets.rotate].filter((change) => entities.get(change.role) === 'user');
  const [wanted, held] = withoutHeld([...creations, ...compared, ...privileges.changes], input);
  const taken = [
    ...recognitions(catalog),
    ...wanted,
    ...remembered(input, law, entities),
    ...passwordsToSet(withoutTaken(input), openings, entities),
    ...passwordsOutOfTurn(document, catalog, entities),
    ...drained.changes,
    ...surplusRights(catalog, law.whose, new Set(removal.changes.map(subjectOf))),
    ...removal.changes,
  ];
  const { refused, broken, ...sifted } = yield* siftGuarded(yield* inOrder(taken, pace), input, pace);
  const { changes, blocked, deferred } = withRenames(input, sifted);
  const notices = [
    ...movedNotices(catalog),
    ...input.renaming.notices,
    ...desired.notices,
    ...membersOfAdopted(catalog, desired),
    ...privileges.notices,
    ...drained.notices,
    ...removal.notices,
    ...namedOnly(whole, catalog, law.whose, entities),
    ...blocked.map(cannotNotice),
    ...refused.map(refusalNotice),
    ...brokenNotices(broken),
    ...unreadNotices(input.guard?.guarded ?? new Map(), (name) => input.readings.has(name)),
    ...held.map(heldNotice),
  ];
  const connections = connectionsOf(input, entities, { changes, blocked, refused, deferred, notices });
  return {
    changes: [...changes, ...connections.changes],
    blocked,
    refused,
    broken,
    deferred: [...deferred, ...connections.deferred],
    held,
    noticesOf: privileges.noticesOf,
    notices: [...input.secrets.notices, ...notices, ...connections.notices],
    breakerTripped: removal.breakerTripped,
    entities,
    turns: turnsOf(document),
    rotationDue: input.secrets.rotationDue,
    dueAt: Math.min(...[drained.dueAt, removal.dueAt, nextOf(input.secrets.rotationDue.values(), catalog.server.now)].map((at) => at ?? NEVER)),
  };
}

/** Connection Secrets of users that are there, or will be. */
function connectionsOf(
  input: PlanInput,
  entities: Desired['entities'],
  { changes, blocked, refused, deferred, notices }: Pick<Plan, 'changes' | 'blocked' | 'refused' | 'deferred' | 'notices'>,
): ReturnType<typeof planConnections> {
  const creates = new Set(changes.flatMap((change) => (change.kind === 'create_role' ? [change.role] : [])));
  return planConnections(
    input.secrets,
    input.document,
    { changes: [...[...blocked, ...refused].map((item) => item.change), ...deferred], notices },
    (role) => entities.get(role) === 'user' && (input.catalog.cluster.roles.has(role) || creates.has(role)),
    input.isDeferred,
  );
}

const NEVER = Number.POSITIVE_INFINITY;

/** Users of our making → whom each logs in for. */
const turnsOf = ({ users }: Document): Plan['turns'] =>
  new Map(users.flatMap(({ username, turn }) => (turn === undefined || turn.of === username ? [] : [[username, turn.of]])));

type Sifted = Pick<Plan, 'changes' | 'blocked' | 'deferred'>;

/** What is about the names of roles comes before everything on the server that says them. */
function withRenames({ renaming }: PlanInput, { changes, blocked, deferred }: Sifted): Sifted {
  const isEarly = (change: Change): boolean => isBefore(change, 'rename_role');
  return {
    changes: [...changes.filter(isEarly), ...renaming.renames, ...changes.filter((change) => !isEarly(change))],
    blocked: [...renaming.blocked, ...blocked],
    deferred: [...renaming.deferred, ...deferred],
  };
}

/** A password is taken over together with the name, and not when the Secret is made again later, for a new one. */
function creationsOf({ secrets, renaming }: PlanInput): PlanInput['secrets']['create'] {
  const renamed = new Set(renaming.renames.map(({ role }) => role));
  return secrets.create.map((change) => (change.takes === undefined || renamed.has(change.role) ? change : { ...change, takes: undefined }));
}

/** Whose password is not taken over: that one stays as it is. */
function withoutTaken(input: PlanInput): PlanInput['passwords'] {
  const taken = new Set(creationsOf(input).flatMap(({ role, takes }) => (takes === undefined ? [] : [role])));
  const cleared = new Set(input.renaming.renames.flatMap(({ role, clearsPassword }) => (clearsPassword ? [role] : [])));
  return taken.size === 0 ? input.passwords : new Map([...input.passwords].filter(([role]) => !taken.has(role) || cleared.has(role)));
}

/** What roles, memberships and CONNECT have to become. */
const differencesOf = (
  input: PlanInput,
  catalog: Catalog,
  law: Law,
  desired: Desired,
  { decidesRoles }: Pick<ReturnType<typeof decisionsOf>, 'decidesRoles'>,
): Change[] =>
  diff(desired.cluster, managedPart(catalog.cluster, input.document, desired.entities, desired.tolerated, takenBack(catalog, input.document)), {
    entities: desired.entities,
    managed: oursByOid(catalog),
    oneRowPerMembership: catalog.server.major < 16,
    allMemberships: catalog.cluster.memberships,
    decidesRoles,
    acting: actingOf(catalog),
    allConnects: catalog.cluster.grants,
    additive: additiveUsers(input.document),
    ownerOf: (database) => catalog.databases.get(database)?.owner ?? '',
    willOwn: handedOver(catalog, law, input),
  });

/** What is done, and what REVOKES=report holds back. */
function withoutHeld(changes: readonly Change[], { revokes }: PlanInput): readonly [wanted: readonly Change[], held: readonly Change[]] {
  const isHeld = (change: Change): boolean => revokes === 'report' && definitionOf(change).revokes === true;
  return [changes.filter((change) => !isHeld(change)), changes.filter(isHeld)];
}

const heldNotice = (change: Change): Notice => ({ kind: 'held', subject: subjectOf(change), message: `REVOKES=report: would ${sentenceOf(change)}` });

const cannotNotice = ({ change, inability }: Plan['blocked'][number]): Notice => ({
  kind: 'cannot',
  subject: subjectOf(change),
  message: `cannot ${sentenceOf(change)}: ${inability.reason}`,
  advice: inability.advice,
});

/** Nothing is removed on the word of a document that is wrong somewhere: what it lost may be what it meant to keep. */
function reasonsToHoldRemovals({ problems, sources }: Document): (role: ManagedRole) => string | undefined {
  const wrong = new Set(problems.flatMap(({ severity, source, isByOthers }) => (severity === 'error' && isByOthers !== true ? [source] : [])));
  const because = 'the document has errors, and nothing is removed until they are mended';
  return ({ source, document }) => {
    const author = sources?.authors.get(source);
    const gone = author?.gone.get(document ?? '') ?? undefined;
    return author?.heldBecause ?? (wrong.has(author === undefined ? undefined : source) ? because : gone);
  };
}

/** What is only recorded of roles. */
const remembered = (input: PlanInput, law: Law, entities: Desired['entities']): readonly Change[] => [
  ...handedOverRoles(input.catalog, law.whose, input.document, entities),
  ...forgottenPrivileges(input, law, entities),
];

/** Roles whose privileges we kept, and whose entry declares none any more. */
function forgottenPrivileges({ catalog, document }: PlanInput, { whose }: Law, entities: ReadonlyMap<string, Entity>): Change[] {
  const declares = declaringNames(document);
  return [...catalog.managed.values()].flatMap((role): Change[] =>
    role.privileges && !document.invalid.has(role.name) && whose.has(role.source) && entities.has(role.name) && !declares.has(role.name)
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
