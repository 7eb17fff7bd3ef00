// Court: what is known where gifts of a plan are judged, and who gets at what somebody is given.
import type { Path } from '../explain/paths.ts';
import type { Realm } from '../explain/securable.ts';
import { type ObjectName, PUBLIC } from '../model/contents.ts';
import type { Guarded } from './guarded.ts';
import type { Held } from './held.ts';
import type { Rail } from './rails.ts';
import { isAgainst, pathOf, type Reach, reachOf } from './reach.ts';
import type { GuardState } from './state.ts';
import type { Ways } from './ways.ts';

export interface Judgement {
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
  /** By what it would get at that with the rights of another, for people. */
  readonly through?: string | undefined;
  /** undefined where nobody knows what is held, as a database could not be read. */
  readonly path: Path | undefined;
  /** Why nobody knows, where that is another reason. */
  readonly unknown?: string;
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
  /** By which it is got around with the rights of others. */
  readonly ways: Ways;
  /** Something that the guardrail is about. */
  readonly there: Omit<Held, 'holder'> | undefined;
  readonly isUnread: boolean;
  readonly hadAccess: (role: string) => boolean;
}

export const breachOf = ({ rail, database, ways }: Court, who: string, { privilege, on, through }: Omit<Held, 'holder'>): Omit<Breach, 'path'> => ({
  rail,
  database,
  who,
  privilege,
  on,
  ...(through === undefined ? {} : { through }),
  ...(ways.unknown === undefined ? {} : { unknown: `views and functions of database ${database} could not be looked at: ${ways.unknown}` }),
});

/** Somebody that the guardrail is against, and who gets at what this one is given; PUBLIC is everybody. */
export function behind(court: Court, role: string, held: Held): Breach | undefined {
  const { state, rail, realm, hadAccess } = court;
  if (role === PUBLIC) return { ...breachOf(court, PUBLIC, held), path: { holder: held.holder, chain: [PUBLIC] } };
  const reach = reachOf(realm, [role], [], rail);
  for (const who of new Set([...reach.own.keys(), ...reach.later.keys()]))
    if (isAgainst(rail, realm, state.admin, who, hadAccess)) return { ...breachOf(court, who, held), path: pathOf(reach, who, () => held.holder) };
  return undefined;
}
