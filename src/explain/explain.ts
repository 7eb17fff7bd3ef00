// The answer to «may it, and why»: the paths, what each needs besides, and where there are none, what is missing.
import { columnHolders, holdersOf, mayWith } from './holders.ts';
import { type Definers, type SecondWay, secondWays, waysOf } from './definers.ts';
import { linksOf, rightsOf } from './links.ts';
import { needsOf, type Need } from './needs.ts';
import { type Path, type Paths, pathsTo } from './paths.ts';
import { saidAs } from './said-name.ts';
import type { Realm, Securable, Surroundings } from './securable.ts';

/** A path that begins with SET ROLE, and what whoever has become that role needs besides. */
export interface Detour extends Path {
  readonly needs: readonly Need[];
}

export interface Explanation {
  /** Whether it may by itself, as has_*_privilege answers; unknown where the server says another thing than what is read explains. */
  readonly answer: 'yes' | 'no' | 'unknown';
  readonly role: string;
  readonly privilege: string;
  readonly object: Securable;
  readonly database: string;
  readonly paths: readonly Path[];
  readonly afterSetRole: readonly Detour[];
  /** What it needs besides as itself. */
  readonly needs: readonly Need[];
  /** Where not on the whole of a table: what it has on some of its columns. */
  readonly onColumns: readonly Path[];
  /** Further paths are not shown. */
  readonly more: boolean;
  /** Where the answer is no, a sentence each. */
  readonly missing: readonly string[];
  /** Views and functions that act with their owner's rights, and that it may use. */
  readonly otherWays: readonly SecondWay[];
  readonly remarks: readonly string[];
}

export interface Question {
  readonly realm: Realm;
  readonly role: string;
  readonly privilege: string;
  readonly object: Securable;
  readonly around: Surroundings;
  /** What has_*_privilege says; undefined where the server has none for the kind. */
  readonly server?: boolean | undefined;
  /** What may lead to it; undefined where it is no relation. */
  readonly definers?: Definers | undefined;
}

/** Whether the role may by itself. */
export const may = ({ realm, role, privilege, object }: Pick<Question, 'realm' | 'role' | 'privilege' | 'object'>): boolean =>
  mayWith(realm, object, privilege, role, rightsOf(realm, role));

/** The whole answer. */
export function explain(question: Question): Explanation {
  const { realm, role, privilege, object, around, server, definers } = question;
  const found: Paths = pathsTo(realm, role, holdersOf(realm, object, privilege));
  const needs = (actor: string): readonly Need[] => needsOf(realm, object, privilege, around, role, actor);
  const answer = found.own.length > 0;
  const columns = answer ? [] : pathsTo(realm, role, columnHolders(object, privilege)).own;
  const agrees = server === undefined || server === answer;
  return {
    answer: agrees ? (answer ? 'yes' : 'no') : 'unknown',
    role,
    privilege,
    object,
    database: around.database.name,
    paths: found.own,
    afterSetRole: found.afterSetRole.map((path) => ({ ...path, needs: needs(path.setRole ?? role) })),
    needs: needs(role),
    onColumns: columns,
    more: found.more,
    missing: answer ? [] : missingOf(question),
    otherWays: definers === undefined ? [] : waysOf(realm, role, secondWays(realm, object, privilege, definers)),
    remarks: [
      ...(agrees ? [] : [`the server itself says ${server ? 'yes' : 'no'}, which nothing that was read explains`]),
      ...around.remarks,
      ...(definers?.more === true ? ['not all views and functions were looked at'] : []),
    ],
  };
}

/** What a role would need to have it, from what is nearest. */
function missingOf({ realm, role, privilege, object }: Question): readonly string[] {
  const rights = rightsOf(realm, role);
  const holders = holdersOf(realm, object, privilege);
  const sentences = [`no entry gives ${privilege} on ${object.name} to it, to PUBLIC, or to a role whose rights it has`];
  if (object.isCatalog && holders.length === 0) return [`${object.name} is one of the server's catalogs: only superusers write to it`];
  if (rights.has(object.owner))
    sentences.push(`it has the rights of the owner ${saidAs(object.owner)}, from whom ${privilege} was taken: the owner may give it back to itself`);
  // The one link in between that does not let rights through.
  const stops = [...rights.keys()].flatMap((at) =>
    (linksOf(realm).ofMember.get(at) ?? []).filter(({ inherit, role: to }) => !inherit && mayWith(realm, object, privilege, to, rightsOf(realm, to))),
  );
  for (const { member, role: to, set } of stops.slice(0, MOST_STOPS))
    sentences.push(
      `${saidAs(member)} is a member of ${saidAs(to)}, which may, without inheriting from it${realm.major >= 16 ? ' (INHERIT FALSE)' : ` (${saidAs(member)} is NOINHERIT)`}${set ? '' : ', and may not become it either (SET FALSE)'}`,
    );
  return sentences;
}

const MOST_STOPS = 10;
