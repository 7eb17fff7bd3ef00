// Narrow plans: where the last plan wanted nothing, only those entries are planned again for which anything may be otherwise since; the others are as they were found.
import { isDeepStrictEqual } from 'node:util';
import type { Change } from '../changes/change.ts';
import type { Catalog } from '../model/catalog.ts';
import type { ConnectGrant } from '../model/cluster.ts';
import { declaredNames, wantedNames } from '../model/named.ts';
import { platformOf } from './law/platform-roles.ts';
import { reachOfAdmin } from './law/power.ts';
import type { Plan, PlanInput } from './plan-input.ts';

/** A plan that says nothing, and what it was made from. */
export interface Quiet {
  readonly input: Pick<PlanInput, 'document' | 'catalog'>;
  readonly plan: Plan;
}

/** What a plan leaves for the next one; undefined where it says anything, or was made from what a part cannot be planned of. */
export const quietOf = ({ document, catalog, ...input }: PlanInput, plan: Plan): Quiet | undefined =>
  plan.changes.length === 0 && saysNothingElse(plan) && isPlain({ ...input, document, catalog }) ? { input: { document, catalog }, plan } : undefined;

/** Changes of one entry alone. */
const OF_ONE: ReadonlySet<Change['kind']> = new Set([
  'create_role',
  'alter_role',
  'set_comment',
  'set_setting',
  'reset_setting',
  'grant_membership',
  'revoke_membership',
  // CONNECT: entries with rules are not planned in part.
  'grant_privilege',
  'set_password',
]);

/** Beside changes. */
const saysNothingElse = (plan: Plan): boolean =>
  plan.blocked.length + plan.refused.length + plan.broken.length + plan.deferred.length + plan.held.length + plan.notices.length === 0 &&
  plan.noticesOf.size + plan.turns.size + plan.rotationDue.size === 0 &&
  !plan.breakerTripped &&
  plan.dueAt === Number.POSITIVE_INFINITY;

/** Nothing waits, leaves, moves, turns or gets another name, no contents are compared, and the document is of one author with nothing wrong in it. */
function isPlain({ document, catalog, renaming, secrets, readings, ...input }: PlanInput): boolean {
  const { create, rotate, rotationDue, write, told, notices } = secrets;
  return (
    document.problems.length + document.invalid.size + document.invalidDatabases.size === 0 &&
    document.sources === undefined &&
    renaming.renames.length + renaming.blocked.length + renaming.deferred.length + renaming.notices.length + renaming.held.size + renaming.kept.size === 0 &&
    create.length + rotate.length + rotationDue.size + write.length + told.size + notices.length === 0 &&
    catalog.recognised.length + catalog.unsure.size + catalog.absent.size + catalog.leaving.length + catalog.sessions.size + catalog.dependencies.size === 0 &&
    input.passedOn.size + input.withoutSecret.size === 0 &&
    input.guard === undefined &&
    !input.anyDeferred &&
    [...readings.values()].every((reading) => reading.kind === 'settled' && reading.notices.length === 0)
  );
}

/** The input with only those entries in its document that have to be planned again; undefined where that is in any doubt. */
export function narrowed(quiet: Quiet, input: PlanInput): PlanInput | undefined {
  if (!isPlain(input) || !isSameBeside(quiet.input, input)) return undefined;
  const touched = touchedSince(quiet.input, input);
  if (touched === undefined) return undefined;
  const names = wantedNames(input.document);
  for (const name of [...touched.alone, ...touched.withMembers]) if (!names.has(name) || platformOf(name, () => true) !== undefined) return undefined;
  const reached = withMembers(touched, quiet.input, input);
  if (reached === undefined) return undefined;
  const { document } = input;
  const declared = declaredNames(document);
  // Where one that is only named is not to be managed any more nothing says so.
  for (const name of reached) if (!declared.has(name) && quiet.plan.entities.has(name)) return undefined;
  const again = touched.alone.union(reached);
  const users = document.users.filter(({ username }) => again.has(username));
  const roles = document.roles.filter(({ name }) => again.has(name));
  const isMost = 2 * (users.length + roles.length) > document.users.length + document.roles.length && users.length > 100;
  // What is granted is compared with what all others are granted.
  if (isMost || [...users, ...roles].some(({ rules }) => rules !== undefined)) return undefined;
  return { ...input, document: { ...document, users, roles }, whole: document };
}

/** The plan for everything, of that of a part; undefined where there is more in it than a part can know. */
export function widened({ plan: before }: Quiet, part: Plan): Plan | undefined {
  const isOfOne = (change: Change): boolean =>
    OF_ONE.has(change.kind) && !(change.kind === 'revoke_membership' && (change.cascade || change.dependents.length > 0));
  if (!saysNothingElse(part) || !part.changes.every(isOfOne)) return undefined;
  const isKnown = [...part.entities].every(([name, entity]) => before.entities.get(name) === entity);
  return { ...part, entities: isKnown ? before.entities : new Map([...before.entities, ...part.entities]) };
}

/** Whether everything is the same that is about the server as a whole, or about more than users and roles. */
function isSameBeside(before: Quiet['input'], now: PlanInput): boolean {
  const [was, is] = [before.document, now.document];
  return was.databases === is.databases && was.guardrails === is.guardrails && isDeepStrictEqual(aroundOf(before.catalog), aroundOf(now.catalog));
}

const aroundOf = ({ server, bootstrap, shared, triggerDatabases, granted, databases, parameters }: Catalog) => ({
  server: { ...server, now: 0 },
  bootstrap,
  // The server promises no order.
  shared: new Set(shared.map((group) => JSON.stringify(group))),
  triggerDatabases,
  granted,
  databases,
  parameters,
});

interface Touched {
  /** Those that are to be looked at themselves. */
  readonly alone: Set<string>;
  /** Those who may be something else, or of another power: what their members may be given depends on it. */
  readonly withMembers: Set<string>;
}

/** Whom something says anything else of; undefined where that may be about everybody. Whatever was not written since is the very same value. */
function touchedSince(before: Quiet['input'], now: PlanInput): Touched | undefined {
  const alone = new Set(now.passwords.keys());
  const withMembers = new Set<string>();
  const { server } = now.catalog;
  // What has no entry any more may still be named by others, and be something else then.
  for (const { username, roles } of differing(before.document.users, now.document.users)) {
    withMembers.add(username);
    for (const { name } of roles) alone.add(name);
  }
  for (const { name, memberOf = [] } of differing(before.document.roles, now.document.roles)) {
    withMembers.add(name);
    for (const role of memberOf) alone.add(role.name);
  }
  for (const name of differingKeys(before.catalog.cluster.roles, now.catalog.cluster.roles)) withMembers.add(name);
  for (const name of differingKeys(before.catalog.managed, now.catalog.managed)) withMembers.add(name);
  const links = differing(before.catalog.cluster.memberships, now.catalog.cluster.memberships);
  // Of a role that our admin is in, by whichever way, nobody is to be a member: also those of whom nothing else has changed.
  const ofAdmin = links.length === 0 ? new Set() : reachOfAdmin(before.catalog).union(reachOfAdmin(now.catalog));
  for (const row of links) {
    const isOurs = row.member === server.admin && !row.inherit && !row.set;
    if (!isOurs && (row.admin || row.member === server.admin || ofAdmin.has(row.member))) return undefined;
    alone.add(row.role);
    if (!isOurs) withMembers.add(row.member);
  }
  for (const { grantee, grantable } of differingBy(connectKey, before.catalog.cluster.grants, now.catalog.cluster.grants)) {
    if (grantable) return undefined;
    alone.add(grantee);
  }
  return { alone, withMembers };
}

/** What is in one of two lists alone. */
function differing<T extends object>(before: readonly T[], now: readonly T[]): readonly T[] {
  if (before === now) return [];
  const [some, others] = [new Set(before), new Set(now)];
  return [...before.filter((one) => !others.has(one)), ...now.filter((one) => !some.has(one))];
}

/** They stand in one row of the server for each database, which is read again whosoever's has changed. */
const connectKey = ({ object, grantee, grantor, grantable }: ConnectGrant): string => JSON.stringify([object.name, grantee, grantor, grantable]);

function differingBy<T extends object>(keyOf: (one: T) => string, before: readonly T[], now: readonly T[]): readonly T[] {
  if (before === now) return [];
  const [some, others] = [new Map(before.map((one) => [keyOf(one), one])), new Map(now.map((one) => [keyOf(one), one]))];
  return [...[...some].filter(([key]) => !others.has(key)), ...[...others].filter(([key]) => !some.has(key))].map(([, one]) => one);
}

function differingKeys<V>(before: ReadonlyMap<string, V>, now: ReadonlyMap<string, V>): readonly string[] {
  if (before === now) return [];
  const keys: string[] = [];
  for (const [key, value] of now) if (before.get(key) !== value) keys.push(key);
  for (const key of before.keys()) if (!now.has(key)) keys.push(key);
  return keys;
}

/**
 * With those whose members are to be looked at again as well everybody who is in them, is to be in them, or was, over others too; undefined where the
 * ways are too long to follow.
 */
function withMembers({ withMembers: roots }: Pick<Touched, 'withMembers'>, before: Quiet['input'], now: PlanInput): ReadonlySet<string> | undefined {
  const reached = new Set(roots);
  const { users, roles } = now.document;
  for (let round = 0, size = 0; size < reached.size; round += 1) {
    if (round === LONGEST_WAY) return undefined;
    size = reached.size;
    for (const rows of [before.catalog.cluster.memberships, now.catalog.cluster.memberships])
      for (const { role, member } of rows) if (reached.has(role)) reached.add(member);
    for (const user of users) if (user.roles.some(({ name }) => reached.has(name))) reached.add(user.username);
    for (const role of roles) if (role.memberOf?.some(({ name }) => reached.has(name)) === true) reached.add(role.name);
  }
  return reached;
}

const LONGEST_WAY = 20;
