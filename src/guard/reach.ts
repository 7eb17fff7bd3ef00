// Reach: who gets at what somebody holds, by ways that a guardrail counts and that lead through nobody whom it leaves out.
import type { Holder } from '../explain/holders.ts';
import { type Link, walkBack } from '../explain/links.ts';
import type { Path } from '../explain/paths.ts';
import type { Realm } from '../explain/securable.ts';
import type { Guardrail } from '../model/guardrails.ts';
import { isGlob, matches } from '../model/pattern.ts';

type Ways = Pick<Guardrail, 'except' | 'through'>;
type Walked = ReadonlyMap<string, Link | undefined>;

export interface Reach {
  /** Those who have it by themselves. */
  readonly own: Walked;
  /** Those who have it after SET ROLE, with those who have it anyway; empty where that is no way. */
  readonly later: Walked;
}

/** Everybody who gets at what these hold; nobody inherits what a superuser may, but whoever may become one has it. */
export function reachOf(realm: Realm, holders: Iterable<string>, superusers: Iterable<string>, { except, through }: Ways): Reach {
  const open = (roles: Iterable<string>): readonly string[] => [...roles].filter((role) => !except.has(role));
  const own = walkBack(realm, open(holders), ({ inherit, member }) => inherit && !except.has(member));
  const starts = [...own.keys(), ...open(superusers)];
  return { own, later: through.setRole ? walkBack(realm, starts, ({ set, member }) => set && !except.has(member)) : new Map() };
}

export const isReached = ({ own, later }: Reach, role: string): boolean => own.has(role) || later.has(role);

/** From a role over links to where they end. */
function chainFrom(walked: Walked, role: string): readonly string[] {
  const chain = [role];
  for (let link = walked.get(role); link !== undefined; link = walked.get(link.role)) chain.push(link.role);
  return chain;
}

/** The way of a role to somebody who holds it. @param holderOf who it is at the end. */
export function pathOf({ own, later }: Reach, role: string, holderOf: (role: string) => Holder): Path {
  const first = own.has(role) ? [role] : chainFrom(later, role);
  const became = first.at(-1) ?? role;
  const chain = [...first.slice(0, -1), ...(own.has(became) ? chainFrom(own, became) : [became])];
  return { holder: holderOf(chain.at(-1) ?? role), chain, ...(first.length === 1 ? {} : { setRole: became }) };
}

/** Whether somebody is one of those that a guardrail is against. @param hadAccess of those who have had it already. */
export function isAgainst({ by, except, through }: Guardrail, realm: Realm, admin: string, role: string, hadAccess: (role: string) => boolean): boolean {
  const one = realm.roles.get(role);
  // We need ways to what we grant, and a superuser's are another question.
  if (one === undefined || except.has(role) || role === admin || (one.superuser && !through.superuser)) return false;
  const isOfServer = role.startsWith('pg_');
  if ((by.logins && one.login) || (by.roles && !isOfServer)) return true;
  if (by.fresh && one.login && !hadAccess(role)) return true;
  return by.names.some((pattern) => (isGlob(pattern) ? !isOfServer && matches(pattern, role) : pattern === role));
}
