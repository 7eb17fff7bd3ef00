// Judge: what one gift would break of one guardrail in one database: who is behind it, and by which way.
import { targetWords } from '../changes/target.ts';
import type { Holder } from '../explain/holders.ts';
import { linksOf } from '../explain/links.ts';
import type { Path } from '../explain/paths.ts';
import type { Realm } from '../explain/securable.ts';
import { type ObjectName, PUBLIC } from '../model/contents.ts';
import { kindWords } from '../model/kinds.ts';
import { functionPattern } from '../model/pattern.ts';
import type { Gift } from './gifts.ts';
import type { Guarded } from './guarded.ts';
import { comingTargets, granted, type Held, ownerHolder } from './held.ts';
import { isAgainst, isReached, pathOf, type Reach, reachOf } from './reach.ts';
import { guardedPrivileges, isAimed, kindsOf, type Rail } from './rails.ts';
import type { GuardState } from './state.ts';
import { isAbout } from './trigger-rules.ts';

/** Says of a gift what it would break in one database. */
export type Judge = (gift: Gift) => Judgement | undefined;

interface Judgement {
  readonly breach: Breach;
  /** Of objects that are named those that the guardrail is about. */
  readonly names: readonly ObjectName[];
  /** The same of privileges. */
  readonly privileges: readonly string[];
}

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

/** What is known where a gift is judged: one guardrail, one database, and everything as it is with all that is given. */
export interface Court {
  readonly state: GuardState;
  /** Roles that the plan makes. */
  readonly created: ReadonlySet<string>;
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

/** Says of a gift what it would break there. */
export const judgeOf =
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
  const { rail, realm, state, reach, held, there, isUnread, created, hadAccess } = court;
  const wasLogin = state.roles.get(role)?.login === true;
  if (wasLogin || !(rail.by.logins || rail.by.fresh) || !isAgainst(rail, realm, state.admin, role, hadAccess)) return undefined;
  if (!isReached(reach, role) && !(isUnread && !created.has(role))) return undefined;
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
export function heldBy(rail: Rail, gift: Gift, database: string, guarded: Guarded, major: number): readonly Held[] {
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
