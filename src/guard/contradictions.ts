// Contradictions: what a document gives by its own rules, memberships and owners, and a guardrail says must never be. Said without a server, where it is sure.
import type { Realm } from '../explain/securable.ts';
import type { Membership, Role } from '../model/cluster.ts';
import { PUBLIC } from '../model/contents.ts';
import type { Document, GrantRule, Position, Problem } from '../model/entries.ts';
import type { Guardrail, GuardTarget } from '../model/guardrails.ts';
import { KINDS, privilegesOf } from '../model/kinds.ts';
import { intersects, matches, rankOf } from '../model/pattern.ts';
import { LIMITS } from '../model/limits.ts';
import { NEW_ROLE } from './gifts.ts';
import { ownerHolder } from './held.ts';
import { guardedPrivileges, isShared, kindsOf, SHARED } from './rails.ts';
import { isAgainst, pathOf, reachOf } from './reach.ts';

/** Stands for the default database where nobody knows it: no other one is called so. */
const UNKNOWN = '\0';

/** As a server of the newest version has it. */
const MAJOR = 99;

/** Something that a document gives. */
interface Gives {
  readonly privilege: string;
  readonly position: Position;
  readonly owns: boolean;
}

/** Counts comparisons, and is false where there were too many. */
type Budget = () => boolean;

/**
 * What a document would give although a guardrail of its own or of the operator forbids it; one for each role and guardrail.
 * @param defaultDatabase undefined where nobody knows it.
 */
export function contradictionsOf(document: Document, operator: readonly Guardrail[], defaultDatabase: string | undefined): readonly Problem[] {
  const rails = [...operator, ...(document.guardrails ?? [])];
  if (rails.length === 0) return [];
  const realm = realmOf(document);
  let left = LIMITS.guardrailComparisons;
  const budget: Budget = () => (left -= 1) > 0;
  const problems = rails.flatMap((rail) => contradicted(rail, document, realm, defaultDatabase ?? UNKNOWN, budget));
  const [first] = rails;
  if (left > 0 || first === undefined) return problems;
  const message = 'there are too many rules and guardrails to compare all of them without a server; a plan compares them with what is there';
  return [...problems, { severity: 'warning', position: first.position, path: 'guardrails', message }];
}

function contradicted(rail: Guardrail, document: Document, realm: Realm, defaultDatabase: string, budget: Budget): readonly Problem[] {
  const found = new Map<readonly GrantRule[], Gives | undefined>();
  const given = (rules: readonly GrantRule[]): Gives | undefined => {
    if (!found.has(rules)) found.set(rules, givenBy(rules, rail, defaultDatabase, budget));
    return found.get(rules);
  };
  const gives: (readonly [role: string, gives: Gives | undefined])[] = [
    ...document.roles.map(({ name, rules }) => [name, given(rules ?? [])] as const),
    ...document.users.map(({ username, rules }) => [username, given(rules ?? [])] as const),
    ...document.databases.flatMap((entry) => [[PUBLIC, given(entry.public)] as const, ...ownedIn(entry, rail, defaultDatabase)]),
  ];
  return gives.flatMap(([role, one]) => (one === undefined ? [] : behind(rail, realm, role, one)));
}

function behind(rail: Guardrail, realm: Realm, role: string, { privilege, position, owns }: Gives): readonly Problem[] {
  const where = `the guardrail ${rail.name}${rail.origin === 'operator' ? ' of the operator' : ''} (${rail.position.file}:${rail.position.line}:${rail.position.column})`;
  const said = (who: string, way: string): readonly Problem[] => [
    { severity: 'error', position, path: '', message: `${where} forbids what this gives: ${who} would have ${privilege}${way}` },
  ];
  if (role === PUBLIC) return said('PUBLIC', '');
  const reach = reachOf(realm, [role], [], rail);
  const who = [...new Set([...reach.own.keys(), ...reach.later.keys()])].find((one) => isAgainst(rail, realm, '', one, () => false));
  if (who === undefined) return [];
  const { chain, setRole } = pathOf(reach, who, ownerHolder);
  const way = [
    ...(chain.length === 1 ? [] : [chain.join(' → ')]),
    ...(setRole === undefined ? [] : [`after SET ROLE ${setRole}`]),
    ...(owns ? ['as its owner'] : []),
  ];
  return said(who, way.length === 0 ? '' : ` (${way.join(', ')})`);
}

/** The first rule that gives something of what a guardrail is about. */
function givenBy(rules: readonly GrantRule[], rail: Guardrail, defaultDatabase: string, budget: Budget): Gives | undefined {
  const databases = isShared(rail) ? [SHARED] : (rail.databases ?? [defaultDatabase]);
  const inOne = (rule: GrantRule): boolean => databases.some((pattern) => budget() && intersects(pattern, rule.database ?? defaultDatabase));
  for (const target of rail.targets) {
    const about = rules.filter((rule) => !rule.implied && kindsOf(target).includes(rule.kind) && budget() && inOne(rule) && isSurelyAbout(rule, target));
    for (const rule of about) {
      const privilege = guardedPrivileges(rail, rule.kind, MAJOR).find((one) => gives(rule, one));
      if (privilege === undefined || about.some((other) => budget() && replaces(other, rule, target))) continue;
      return { privilege, position: rule.position, owns: false };
    }
  }
  return undefined;
}

const gives = ({ kind, privileges }: GrantRule, privilege: string): boolean =>
  privileges.some((wish) => wish.privilege === privilege || (wish.privilege === 'ALL' && privilegesOf(kind, MAJOR).includes(privilege)));

/** One of both patterns means everything that the other one does: where they only meet, there may be nothing that is meant by both. */
function isSurelyAbout(rule: GrantRule, target: GuardTarget): boolean {
  if (target.kind === 'database') return true;
  if (target.kind === 'schema') return meets(rule.schema, target.name);
  if (KINDS[target.kind].scope === 'schema' && !meets(rule.schema, target.schema)) return false;
  return meets(rule.name, target.name) && (rule.kind !== 'column' || target.kind !== 'column' || meets(rule.column, target.column));
}

const meets = (one: string, other: string): boolean => matches(one, other) || matches(other, one);

/** A more specific rule for everything that the guardrail is about, as one that leaves it out. */
function replaces(other: GrantRule, rule: GrantRule, target: GuardTarget): boolean {
  if (other.kind !== rule.kind || other === rule || !matches(other.name, target.kind === 'schema' ? '*' : target.name)) return false;
  if (target.kind === 'schema' ? !matches(other.schema, target.name) : !matches(other.schema, target.schema)) return false;
  if (other.kind === 'column' && other.column !== '*') return false;
  const ranks = ({ name, column, schema, database = '' }: GrantRule): readonly number[] => [name, column, schema, database].map(rankOf);
  const [mine, theirs] = [ranks(rule), ranks(other)];
  const at = theirs.findIndex((rank, index) => rank !== mine[index]);
  return at >= 0 && (theirs[at] ?? 0) > (mine[at] ?? 0);
}

/** Owners that the document names. */
function ownedIn(entry: Document['databases'][number], rail: Guardrail, defaultDatabase: string): readonly (readonly [role: string, gives: Gives])[] {
  if (!rail.through.ownership || !(rail.databases ?? [defaultDatabase]).some((pattern) => matches(pattern, entry.name))) return [];
  return rail.targets.flatMap((target) => {
    const owned = (kind: 'database' | 'schema', role: string | undefined, position: Position): readonly (readonly [string, Gives])[] => {
      const [privilege] = guardedPrivileges(rail, kind, MAJOR);
      return role === undefined || privilege === undefined ? [] : [[role, { privilege, position, owns: true }]];
    };
    if (target.kind === 'database') return owned('database', entry.owner, entry.position);
    if (target.kind !== 'schema') return [];
    return entry.schemas.flatMap(({ name, owner, position }) => (matches(target.name, name) ? owned('schema', owner, position) : []));
  });
}

/** The roles and memberships that a document declares, as the newest server has them. */
function realmOf({ users, roles }: Document): Realm {
  const declared: readonly (readonly [string, boolean])[] = [
    ...roles.map(({ name }) => [name, false] as const),
    ...users.map(({ username, login }) => [username, login] as const),
  ];
  const of = (member: string, entries: Document['users'][number]['roles']): readonly Membership[] =>
    entries.map(({ name, inherit = true, set = true }) => ({ role: name, member, grantor: '', admin: false, inherit, set }));
  return {
    major: MAJOR,
    roles: new Map(declared.map(([name, login]): [string, Role] => [name, { ...NEW_ROLE, name, login }])),
    memberships: [...roles.flatMap(({ name, memberOf = [] }) => of(name, memberOf)), ...users.flatMap(({ username, roles: entries }) => of(username, entries))],
    databaseOwner: '',
    now: 0,
  };
}
