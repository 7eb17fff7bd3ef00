// Judge: what one gift would break of one guardrail in one database: who is behind it, and by which way.
import { targetWords } from '../changes/target.ts';
import { linksOf } from '../explain/links.ts';
import type { ObjectName } from '../model/contents.ts';
import { kindWords } from '../model/kinds.ts';
import { functionPattern } from '../model/pattern.ts';
import { isAimed } from './aim.ts';
import { behind, breachOf, type Court, type Judgement } from './court.ts';
import type { Gift } from './gifts.ts';
import type { Guarded } from './guarded.ts';
import { comingTargets, granted, type Held, ownerHolder } from './held.ts';
import { behindOwner, enteredBy, linkToOwner } from './judge-ways.ts';
import { isAgainst, isReached, pathOf, reachOf } from './reach.ts';
import { guardedPrivileges, kindsOf, type Rail } from './rails.ts';
import { isAbout } from './trigger-rules.ts';

/** Says of a gift what it would break in one database. */
export type Judge = (gift: Gift) => Judgement | undefined;

/** Says of a gift what it would break there. */
export const judgeOf =
  (court: Court): Judge =>
  (gift) => {
    if (gift.what === 'link') return linkJudged(court, gift.member, gift.role, gift) ?? linkToOwner(court, gift.member, gift.role, gift);
    if (gift.what === 'login') return loginJudged(court, gift.role);
    return gift.database === court.database ? accessJudged(court, gift) : undefined;
  };

/** What is given on objects: of the guardrail itself, and such by which somebody gets at them with the rights of their owner. */
function accessJudged(court: Court, gift: Exclude<Gift, { what: 'link' | 'login' }>): ReturnType<Judge> {
  const [first] = heldBy(court.rail, gift, court.database, court.guarded, court.state.major);
  const itself = first && (behind(court, gift.role, first) ?? behindOwner(court, [gift.role]));
  const through = enteredBy(court, gift);
  if (itself === undefined && through === undefined) return undefined;
  const names = [...(itself === undefined ? [] : aimedNames(court.rail, gift)), ...(through?.names ?? [])];
  const privileges = [...(itself === undefined ? [] : aimedPrivileges(court, gift)), ...(through?.privileges ?? [])];
  const breach = itself ?? through?.breach;
  return breach && { breach, names, privileges: [...new Set(privileges)] };
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
    breach: { ...breachOf(court, who, what ?? unknown), path },
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
    breach: { ...breachOf(court, role, what ?? { privilege: rail.never.join(', '), on: `database ${court.database}` }), path },
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
