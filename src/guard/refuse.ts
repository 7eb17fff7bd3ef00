// Refuse: which changes of a plan would add a link to a way that a guardrail forbids. What only takes away is never among them.
import { type Change, splitNames } from '../changes/change.ts';
import type { Realm } from '../explain/securable.ts';
import type { Membership } from '../model/cluster.ts';
import { nameKey } from '../model/contents.ts';
import type { InParts, Pace } from '../model/in-parts.ts';
import { accessBefore, reachIn } from './broken.ts';
import { type Gift, giftsOf, rolesAfter } from './gifts.ts';
import { type DefinerIndex, definerIndex } from './definer-index.ts';
import { type Guarded, NOTHING_GUARDED } from './guarded.ts';
import { heldOrToCome, thereIn } from './held.ts';
import type { Breach } from './court.ts';
import { heldBy, type Judge, judgeOf } from './judge.ts';
import type { Rail } from './rails.ts';
import { type GuardState, realmsOf } from './state.ts';
import { addEntrances, NO_WAYS, waysOf } from './ways.ts';

export interface Refusal extends Breach {
  readonly change: Change;
  /** Those privileges of it that a guardrail is about; empty for what grants none. */
  readonly guarded: readonly string[];
  /** Of rules that an event trigger is to follow: the roles of those that a guardrail is about; empty for any other change. */
  readonly ruled: readonly string[];
}

interface Given {
  readonly change: Change;
  readonly gifts: readonly Gift[];
}

/**
 * One round: where something of what is refused stood in the way of something else, another one finds no more of it. All that is given counts beside all that is
 * there: what the same plan takes away may fail, or come later. Grants and memberships come first: without them a login breaks nothing.
 */
export function* refusedOf(state: GuardState, changes: readonly Change[], pace: Pace): InParts<readonly Refusal[]> {
  if (state.rails.length === 0) return [];
  const given: Given[] = [];
  for (const change of changes) {
    const gifts = giftsOf(change, state, changes);
    if (gifts.length > 0) given.push({ change, gifts });
    if (pace(1)) yield;
  }
  if (given.length === 0) return [];
  const after = afterOf(state, changes, given);
  const found = new Map<Change, Finding>();
  for (const isLogin of [false, true]) {
    for (const rail of state.rails) {
      yield* findBreaches(state, after, rail, given, isLogin, found, pace);
      yield;
    }
    if (found.size > 0) return refusedParts(found);
  }
  return [];
}

/** Of each change the part that is refused: all of it where no object is named. */
const refusedParts = (found: ReadonlyMap<Change, Finding>): readonly Refusal[] =>
  [...found].map(([change, { breach, names, privileges, ruled }]) => ({
    ...breach,
    guarded: [...privileges],
    ruled: [...ruled],
    change: names.size === 0 ? change : (splitNames(change, (name) => names.has(nameKey(name))).inside ?? change),
  }));

/** What is found of a change: the first that it would break, and the objects by which it does. */
interface Finding {
  readonly breach: Breach;
  readonly names: Set<string>;
  readonly privileges: Set<string>;
  readonly ruled: Set<string>;
}

/** Whether it says what an event trigger follows. */
export const isFollowing = (change: Change): change is Extract<Change, { kind: 'install_event_trigger' | 'sync_trigger_rules' }> =>
  change.kind === 'install_event_trigger' || change.kind === 'sync_trigger_rules';

/** The server as it is with everything that is given, and nothing taken. */
interface After {
  readonly realmOf: (database: string) => Realm;
  readonly definersIn: (database: string, guarded: Guarded) => DefinerIndex;
  readonly created: ReadonlySet<string>;
}

function afterOf(state: GuardState, changes: readonly Change[], given: readonly Given[]): After {
  const roles = rolesAfter(state.roles, changes);
  const rows = given.flatMap(({ gifts }) =>
    gifts.flatMap((gift): Membership[] =>
      gift.what === 'link' && gift.database === undefined
        ? [{ role: gift.role, member: gift.member, grantor: '', admin: false, inherit: gift.inherit, set: gift.set }]
        : [],
    ),
  );
  const all = { major: state.major, roles, memberships: [...state.memberships, ...rows], now: 0 };
  const realmOf = realmsOf(all, state.databases);
  const access = Map.groupBy(
    given.flatMap(({ gifts }) => gifts.flatMap((gift) => (gift.what === 'access' ? [gift] : []))),
    ({ database }) => database,
  );
  const indexes = new Map<string, DefinerIndex>();
  const definersIn = (database: string, guarded: Guarded): DefinerIndex => {
    const found = indexes.get(database) ?? definerIndex(realmOf(database), database, guarded.definers, access.get(database));
    indexes.set(database, found);
    return found;
  };
  return { realmOf, definersIn, created: new Set(changes.flatMap((change) => (change.kind === 'create_role' ? [change.role] : []))) };
}

function* findBreaches(
  state: GuardState,
  after: After,
  rail: Rail,
  given: readonly Given[],
  isLogin: boolean,
  found: Map<Change, Finding>,
  pace: Pace,
): InParts<void> {
  const hadAccess = rail.by.fresh ? yield* accessBefore(state, rail, pace) : () => false;
  const judged = yield* judgesOf(state, after, rail, given, hadAccess, pace);
  if (judged.length === 0) return;
  for (const { change, gifts } of given) {
    for (const gift of gifts) {
      if ((gift.what === 'login') !== isLogin) continue;
      for (const judge of judged) {
        const finding = judge(gift);
        if (finding === undefined) continue;
        const before = found.get(change);
        const keys = finding.names.map(nameKey);
        for (const privilege of finding.privileges) before?.privileges.add(privilege);
        const ruled = gift.what === 'to come' && isFollowing(change) ? [gift.role] : [];
        for (const role of ruled) before?.ruled.add(role);
        if (before === undefined)
          found.set(change, { breach: finding.breach, names: new Set(keys), privileges: new Set(finding.privileges), ruled: new Set(ruled) });
        else if (keys.length === 0) before.names.clear();
        else if (before.names.size > 0) for (const key of keys) before.names.add(key);
      }
    }
    if (pace(1)) yield;
  }
}

/** One for each database that the guardrail is about. */
function* judgesOf(
  state: GuardState,
  after: After,
  rail: Rail,
  given: readonly Given[],
  hadAccess: (role: string) => boolean,
  pace: Pace,
): InParts<readonly Judge[]> {
  const databases = new Set([
    ...state.guarded.keys(),
    ...given.flatMap(({ gifts }) => gifts.flatMap((gift) => ('database' in gift ? [gift.database ?? ''] : []))),
  ]);
  const judges: Judge[] = [];
  for (const database of databases) {
    if (!rail.isIn(state.databases.get(database) ?? { name: database })) continue;
    const reading = state.guarded.get(database);
    const guarded = reading?.kind === 'read' ? reading.guarded : NOTHING_GUARDED;
    const realm = after.realmOf(database);
    const held = yield* heldOrToCome(rail, realm, database, guarded, pace);
    const there = yield* thereIn(rail, state.major, database, guarded, pace);
    for (const { gifts } of given) {
      for (const gift of gifts)
        for (const one of heldBy(rail, gift, database, guarded, state.major)) if (!held.has(one.holder.role)) held.set(one.holder.role, one);
      if (pace(1)) yield;
    }
    const ways = rail.through.definer === false ? NO_WAYS : yield* waysOf(rail, after.definersIn(database, guarded), held, there, pace);
    addEntrances(held, ways);
    yield;
    judges.push(
      judgeOf({
        ways,
        state,
        created: after.created,
        rail,
        database,
        guarded,
        realm,
        held,
        reach: reachIn(rail, realm, held, there.what !== undefined),
        there: there.what,
        isUnread: reading?.kind === 'unreadable' || ways.unknown !== undefined,
        hadAccess,
      }),
    );
  }
  return judges;
}
