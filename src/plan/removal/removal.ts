// Removal: what becomes of roles that are ours and that a valid document no longer names. Every step is decided from the catalogs,
// so a crash after any of them is taken up where it stopped.
import type { Catalog, ManagedRole } from '../../model/catalog.ts';
import type { Change, Entity } from '../../changes/change.ts';
import type { Document } from '../../model/entries.ts';
import { membershipKey } from '../../model/cluster.ts';
import type { Whose } from '../../model/sources.ts';
import { reasonToWait } from '../moved.ts';
import type { Notice } from '../../changes/notice.ts';
import { isHeir, releaseHeir } from './release.ts';
import { notOurs, type OneRemoval, policyFor, removalCandidates, type RemovalFacts, type RemovalInput } from './removal-policy.ts';
import { removeBareRole } from './remove-role.ts';
import { removeUser, usersGoingOn } from './remove-user.ts';

export interface Removal {
  readonly changes: readonly Change[];
  readonly notices: readonly Notice[];
  readonly breakerTripped: boolean;
  /** The next moment at which sessions that go on are to be ended (plan/removal/drain.ts). */
  readonly dueAt?: number | undefined;
}

/** Users that are none any longer, and whose names still stand where nothing makes a role of them: they keep all that they have, and that is said. */
export function namedOnly(document: Document, { managed, cluster }: Catalog, whose: Whose, entities: ReadonlyMap<string, Entity>): Notice[] {
  const users = new Set(document.users.map((user) => user.username));
  const named = new Set([...document.databases.flatMap((entry) => entry.createdBy), ...document.users.flatMap((user) => user.assumeRole ?? [])]);
  // Mostly nobody: then there is nothing to be said of all that is ours.
  if (named.size === 0) return [];
  return [...managed.values()].flatMap(({ name, entity, source: of }): Notice[] => {
    const isLeft = entity === 'user' && whose.has(of) && named.has(name) && !users.has(name) && !entities.has(name) && !document.invalid.has(name);
    return isLeft && cluster.roles.has(name)
      ? [
          {
            kind: 'kept',
            subject: name,
            message:
              'a user no longer, but kept with its login and password, as createdBy or assumeRole still names it; take it out there as well, or declare it in roles',
          },
        ]
      : [];
  });
}

/** The changes that remove what is no longer named, or the reasons why not. */
export function planRemoval(facts: RemovalInput): Removal {
  const { catalog } = facts;
  const all = removalCandidates(catalog.managed.values(), facts.law.whose, facts.named);
  const whose = (source: string): Pick<Notice, 'source'> => (facts.law.whose.author(source) === undefined ? {} : { source });
  const waiting = all.flatMap(({ name, source }): Notice[] => {
    const reason = reasonToWait(name, catalog);
    return reason === undefined
      ? []
      : [{ kind: 'kept', subject: name, ...whose(source), message: `no longer named, but neither removed nor forgotten: ${reason}` }];
  });
  const sure = all.filter(({ name }) => !catalog.unsure.has(name));
  const reasons = new Map(sure.map((role) => [role.name, facts.heldBecause(role)]));
  const [candidates, held] = partition(sure, ({ name }) => reasons.get(name) === undefined);
  const heldNotices = held.map(({ name, source }): Notice => ({
    kind: 'kept',
    subject: name,
    ...whose(source),
    message: `no longer named, but kept: ${reasons.get(name) ?? ''}`,
  }));
  if (candidates.length === 0) return { changes: [], notices: [...waiting, ...heldNotices], breakerTripped: false };
  const { kept, notices, tripped } = withBreaker(removalsOf(candidates, facts), facts);
  return {
    changes: kept.flatMap((removal) => removal.changes),
    notices: [...waiting, ...heldNotices, ...notices, ...kept.flatMap((removal) => removal.notices)],
    breakerTripped: tripped,
    dueAt: soonest(kept.flatMap((removal) => removal.dueAt ?? [])),
  };
}

/** With whose role it removes. */
type Sourced = OneRemoval & { readonly source: string };

const sourced = (role: ManagedRole, removal: OneRemoval): Sourced => ({ ...removal, source: role.source });

/** Of users first: a role is bare once those are gone who were in it. */
function removalsOf(candidates: readonly ManagedRole[], facts: RemovalInput): readonly Sourced[] {
  const { catalog, options } = facts;
  const leavers = candidates.filter((role) => role.entity === 'user');
  const going = leavers.filter((role) => policyFor(role, options.policy) === 'drop' && notOurs(role, facts) === undefined).map((role) => role.name);
  const input: RemovalFacts = { ...facts, going: new Set(going) };
  const goingOn = usersGoingOn(leavers, input);
  const users = leavers.map((role) => sourced(role, removeUser(role, goingOn, input)));
  const leaving = new Set(users.flatMap((removal) => removal.changes.filter((change) => change.kind === 'drop_role').map((change) => change.role)));
  const [heirs, bare] = partition(
    candidates.filter((role) => role.entity === 'role'),
    (role) => isHeir(role.name, catalog),
  );
  const revoked = new Set(
    input.changes.flatMap((change) => (change.kind === 'revoke_membership' && !change.adminOnly ? [membershipKey(change.role, change.member)] : [])),
  );
  const others = [...users, ...bare.map((role) => sourced(role, removeBareRole(role, leaving, revoked, input)))];
  // One that gets something in this very plan is not empty for long.
  const taken = new Set(others.flatMap((removal) => removal.changes.flatMap((change) => (change.kind === 'release_owned' ? (change.heir ?? []) : []))));
  return [...others, ...heirs.flatMap((role) => (taken.has(role.name) ? [] : [sourced(role, { ...releaseHeir(role, input), begins: false })]))];
}

/** Where more would begin to go than one cycle may remove, none begins. */
function withBreaker(removals: readonly Sourced[], facts: RemovalInput): Broken {
  const bySource = Map.groupBy(removals, ({ source }) => source);
  const found = [...bySource].map(([source, some]) => breakerOf(source, some, facts));
  return {
    kept: found.flatMap(({ kept }) => kept),
    notices: found.flatMap(({ notices }) => notices),
    tripped: found.some(({ tripped }) => tripped),
  };
}

interface Broken {
  readonly kept: readonly OneRemoval[];
  readonly notices: readonly Notice[];
  readonly tripped: boolean;
}

function breakerOf(source: string, removals: readonly OneRemoval[], { catalog, options, law }: RemovalInput): Broken {
  const author = law.whose.author(source);
  // Heirs, and those whose removal has begun, are not among whom a share is taken of.
  const ours = [...catalog.managed.values()].filter(
    (role) => role.source === source && role.status === 'active' && !catalog.unsure.has(role.name) && !isHeir(role.name, catalog),
  ).length;
  const limit = author?.maxDeletions ?? options.maxDeletions ?? Math.max(5, Math.floor(ours * 0.2));
  const beginning = removals.filter((removal) => removal.begins).length;
  if (beginning <= limit) return { kept: removals, notices: [], tripped: false };
  const whose = author === undefined ? '' : ` of the author ${author.name}`;
  const raise = author === undefined ? `MAX_DELETIONS to ${beginning}` : `its \`maxDeletions\` to ${beginning}`;
  const message = `${beginning} of ${ours} roles${whose} would be removed in one cycle and the limit is ${limit}: none is removed; raise ${raise} if this is meant`;
  const notices: readonly Notice[] = [{ kind: 'breaker', subject: '', ...(author === undefined ? {} : { source }), message }];
  return { kept: removals.filter((removal) => !removal.begins), notices, tripped: true };
}

function partition<T>(items: readonly T[], test: (item: T) => boolean): readonly [T[], T[]] {
  return [items.filter(test), items.filter((item) => !test(item))];
}

const soonest = (moments: readonly number[]): number | undefined => (moments.length === 0 ? undefined : Math.min(...moments));
