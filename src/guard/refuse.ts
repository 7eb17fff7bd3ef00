// Refuse: which changes of a plan would add a link to a way that a guardrail forbids. What only takes away is never among them.
import { type Change, splitNames } from '../changes/change.ts';
import { targetWords } from '../changes/target.ts';
import type { Holder } from '../explain/holders.ts';
import { linksOf } from '../explain/links.ts';
import type { Path } from '../explain/paths.ts';
import type { Realm } from '../explain/securable.ts';
import type { Membership } from '../model/cluster.ts';
import { nameKey, type ObjectName, PUBLIC } from '../model/contents.ts';
import type { InParts, Pace } from '../model/in-parts.ts';
import { kindWords } from '../model/kinds.ts';
import { functionPattern } from '../model/pattern.ts';
import { accessBefore, reachIn } from './broken.ts';
import { type Gift, giftsOf, rolesAfter } from './gifts.ts';
import { type Guarded, NOTHING_GUARDED } from './guarded.ts';
import { comingTargets, granted, heldOrToCome, type Held, ownerHolder, thereIn } from './held.ts';
import { isAgainst, isReached, pathOf, type Reach, reachOf } from './reach.ts';
import { guardedPrivileges, isAimed, kindsOf, type Rail } from './rails.ts';
import { type GuardState, realmsOf } from './state.ts';
import { isAbout } from './trigger-rules.ts';

/** What a change would give, and to whom. */
export interface Breach {
  readonly rail: Rail;
  readonly database: string;
  readonly who: string;
  readonly privilege: string;
  readonly on: string;
  /** undefined where nobody knows what is held, as a database could not be read. */
  readonly path: Path | undefined;
}

export interface Refusal extends Breach {
  readonly change: Change;
  /** Those privileges of it that a guardrail is about; empty for what grants none. */
  readonly guarded: readonly string[];
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
  [...found].map(([change, { breach, names, privileges }]) => ({
    ...breach,
    guarded: [...privileges],
    change: names.size === 0 ? change : (splitNames(change, (name) => names.has(nameKey(name))).inside ?? change),
  }));

/** What is found of a change: the first that it would break, and the objects by which it does. */
interface Finding {
  readonly breach: Breach;
  readonly names: Set<string>;
  readonly privileges: Set<string>;
}

/** The server as it is with everything that is given, and nothing taken. */
interface After {
  readonly realmOf: (database: string) => Realm;
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
  return { realmOf, created: new Set(changes.flatMap((change) => (change.kind === 'create_role' ? [change.role] : []))) };
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
  const hadAccess = rail.by.fresh ? accessBefore(state, rail) : () => false;
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
        if (before === undefined) found.set(change, { breach: finding.breach, names: new Set(keys), privileges: new Set(finding.privileges) });
        else if (keys.length === 0) before.names.clear();
        else if (before.names.size > 0) for (const key of keys) before.names.add(key);
      }
    }
    if (pace(1)) yield;
  }
}

/** Says of a gift what it would break in one database. */
type Judge = (gift: Gift) => Judgement | undefined;

interface Judgement {
  readonly breach: Breach;
  /** Of objects that are named those that the guardrail is about. */
  readonly names: readonly ObjectName[];
  /** The same of privileges. */
  readonly privileges: readonly string[];
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
    if (database === '' || !rail.isIn(state.databases.get(database) ?? { name: database })) continue;
    const reading = state.guarded.get(database);
    const guarded = reading?.kind === 'read' ? reading.guarded : NOTHING_GUARDED;
    const realm = after.realmOf(database);
    const held = heldOrToCome(rail, realm, database, guarded);
    const there = thereIn(rail, state.major, database, guarded);
    for (const { gifts } of given) {
      for (const gift of gifts)
        for (const one of heldBy(rail, gift, database, guarded, state.major)) if (!held.has(one.holder.role)) held.set(one.holder.role, one);
      if (pace(1)) yield;
    }
    judges.push(
      judgeOf({
        state,
        after,
        rail,
        database,
        guarded,
        realm,
        held,
        reach: reachIn(rail, realm, held, there !== undefined),
        there,
        isUnread: reading?.kind === 'unreadable',
        hadAccess,
      }),
    );
  }
  return judges;
}

interface Court {
  readonly state: GuardState;
  readonly after: After;
  readonly rail: Rail;
  readonly database: string;
  readonly guarded: Guarded;
  readonly realm: Realm;
  readonly held: ReadonlyMap<string, Held>;
  readonly reach: Reach;
  /** Something that the guardrail is about. */
  readonly there: Omit<Held, 'holder'> | undefined;
  readonly isUnread: boolean;
  readonly hadAccess: (role: string) => boolean;
}

const judgeOf =
  (court: Court): Judge =>
  (gift) => {
    if (gift.what === 'link') return linkJudged(court, gift.member, gift.role, gift);
    if (gift.what === 'login') return loginJudged(court, gift.role);
    if (gift.database !== court.database) return undefined;
    const given = heldBy(court.rail, gift, court.database, court.guarded, court.state.major);
    const [first] = given;
    if (first === undefined) return undefined;
    const culprit = behind(court, gift.role, first.holder);
    if (culprit === undefined) return undefined;
    return {
      breach: { ...breachOf(court, culprit.who, first), path: culprit.path },
      names: aimedNames(court.rail, gift),
      privileges: aimedPrivileges(court, gift),
    };
  };

const breachOf = ({ rail, database }: Court, who: string, { privilege, on }: Held): Omit<Breach, 'path'> => ({ rail, database, who, privilege, on });

/** Somebody that the guardrail is against, and who gets at what this one is given; PUBLIC is everybody. */
function behind({ state, rail, realm, hadAccess }: Court, role: string, holder: Holder): { readonly who: string; readonly path: Path } | undefined {
  if (role === PUBLIC) return { who: PUBLIC, path: { holder, chain: [PUBLIC] } };
  const reach = reachOf(realm, [role], [], rail);
  for (const who of new Set([...reach.own.keys(), ...reach.later.keys()]))
    if (isAgainst(rail, realm, state.admin, who, hadAccess)) return { who, path: pathOf(reach, who, () => holder) };
  return undefined;
}

/** A membership leads somewhere only where its role gets at something, and matters only where somebody gets at its member. */
function linkJudged(court: Court, member: string, role: string, gift: Extract<Gift, { what: 'link' }>): ReturnType<Judge> {
  const { rail, realm, reach, isUnread, state, hadAccess, held } = court;
  if (gift.database !== undefined && gift.database !== court.database) return undefined;
  if (rail.except.has(member) || rail.except.has(role)) return undefined;
  const link =
    gift.database === undefined
      ? linksOf(realm)
          .ofMember.get(member)
          ?.find((one) => one.role === role)
      : gift;
  const inherits = gift.inherit && link?.inherit === true && (isUnread || reach.own.has(role));
  const becomes = rail.through.setRole && gift.set && link?.set === true && (isUnread || isReached(reach, role));
  if (!inherits && !becomes) return undefined;
  // What is inherited reaches those who inherit from the member, and those who may become one of them; what needs SET ROLE those who may become the member.
  const open = (one: { readonly member: string }): boolean => !rail.except.has(one.member);
  const starts = inherits ? reachOf(realm, [member], [], rail) : reachOf(realm, [], [member], rail);
  const all = new Set([member, ...starts.own.keys(), ...starts.later.keys()]);
  const who = [...all].find((one) => open({ member: one }) && isAgainst(rail, realm, state.admin, one, hadAccess));
  if (who === undefined) return undefined;
  const onward = isReached(reach, role) ? pathOf(reach, role, (holder) => held.get(holder)?.holder ?? { by: 'superuser', role: holder }) : undefined;
  const what = (onward && held.get(onward.holder.role)) ?? court.there;
  const back = who === member ? { chain: [member] } : pathOf(starts, who, (holder) => granted(holder, ''));
  const path = onward && { holder: onward.holder, chain: [...back.chain, ...onward.chain], ...(inherits ? {} : { setRole: onward.setRole ?? role }) };
  const unknown = { privilege: rail.never.join(', '), on: `what the guardrail is about in database ${court.database}` };
  return {
    breach: { rail, database: court.database, who, privilege: what?.privilege ?? unknown.privilege, on: what?.on ?? unknown.on, path },
    names: [],
    privileges: [],
  };
}

/** A role that could not log in, and gets at something. */
function loginJudged(court: Court, role: string): ReturnType<Judge> {
  const { rail, realm, state, reach, held, there, isUnread, after, hadAccess } = court;
  const wasLogin = state.roles.get(role)?.login === true;
  if (wasLogin || !(rail.by.logins || rail.by.fresh) || !isAgainst(rail, realm, state.admin, role, hadAccess)) return undefined;
  if (!isReached(reach, role) && !(isUnread && !after.created.has(role))) return undefined;
  const path = isReached(reach, role) ? pathOf(reach, role, (holder) => held.get(holder)?.holder ?? { by: 'superuser', role: holder }) : undefined;
  const what = (path && held.get(path.holder.role)) ?? there;
  if (what === undefined && !isUnread) return undefined;
  return {
    breach: {
      rail,
      database: court.database,
      who: role,
      privilege: what?.privilege ?? rail.never.join(', '),
      on: what?.on ?? `database ${court.database}`,
      path,
    },
    names: [],
    privileges: [],
  };
}

/** What a gift lets somebody hold of what a guardrail is about; one example. */
function heldBy(rail: Rail, gift: Gift, database: string, guarded: Guarded, major: number): readonly Held[] {
  if (gift.what === 'link' || gift.what === 'login' || gift.database !== database) return [];
  if (gift.what === 'access' && gift.owns && !rail.through.ownership) return [];
  const privilege = guardedPrivileges(rail, gift.kind, major).find((one) => gift.privileges.includes(one));
  if (privilege === undefined) return [];
  if (gift.what === 'access') {
    const name = gift.names.find((one) => isAimed(rail, gift.kind, gift.schema, one));
    if (name === undefined) return [];
    const on = targetWords({ database, object: gift.kind, schema: gift.schema, names: [name] });
    return [{ holder: gift.owns ? ownerHolder(gift.role) : granted(gift.role, ''), privilege, on }];
  }
  if (!comes(rail, gift, guarded)) return [];
  return [{ holder: granted(gift.role, ''), privilege, on: `${kindWords(gift.kind)}s to come in database ${database}` }];
}

const aimedPrivileges = ({ rail, state }: Court, gift: Gift): readonly string[] =>
  'privileges' in gift ? guardedPrivileges(rail, gift.kind, state.major).filter((privilege) => gift.privileges.includes(privilege)) : [];

const aimedNames = (rail: Rail, gift: Gift): readonly ObjectName[] =>
  gift.what === 'access' ? gift.names.filter((name) => isAimed(rail, gift.kind, gift.schema, name)) : [];

/** Whether what is given on objects to come may be given on one that the guardrail is about. */
const comes = (rail: Rail, gift: Extract<Gift, { what: 'to come' }>, guarded: Guarded): boolean =>
  comingTargets(rail, guarded).some(
    (target) =>
      kindsOf(target).includes(gift.kind) &&
      isAbout(
        gift,
        {
          schema: target.schema,
          name: target.kind === 'function' ? functionPattern(target.name).name : target.name,
          column: gift.kind === 'column' ? target.column : '',
        },
        gift.beside,
      ),
  );
