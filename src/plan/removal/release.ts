// Release: who gets what a leaving role owns. By default an heir of its own, that has no rights: what the role made acts with its owner's rights,
// and nobody knows which table, view or function is such code.
import type { Inability } from '../../changes/inability.ts';
import { allowConnections, listOwned } from '../../changes/advice.ts';
import { type Catalog, type Dependency, isSameRole, type ManagedRole } from '../../model/catalog.ts';
import type { Attributes, Change } from '../../changes/change.ts';
import { actingOf } from '../privileges/acting.ts';
import { HEIR_PREFIX, type Law } from '../law/law.ts';
import type { Membership } from '../../model/cluster.ts';
import type { Notice } from '../../changes/notice.ts';
import { holdersOf, passedOnToOthers, type PassedOnFacts } from './passed-on.ts';
import { linksOf } from '../../model/reach.ts';
import { saidName } from '../../sql/sql-text.ts';

export interface ReleaseOptions {
  /** The role that the operator named to get everything. */
  readonly reassignTo: string | undefined;
  /** The same role, named again where it has rights that nobody else should have. */
  readonly reassignToPowerful: string | undefined;
}

export interface ReleaseInput extends PassedOnFacts {
  readonly law: Law;
  readonly options: ReleaseOptions;
  /** Users that are on their way to be dropped, and get nothing any more. */
  readonly going: ReadonlySet<string>;
}

export interface Release {
  /** Where the role has to stay, these only move what it owns. */
  readonly changes: readonly Change[];
  readonly notices: readonly Notice[];
  /** Why the role has to stay. */
  readonly kept?: Inability | undefined;
}

/** How many things of whichever kind a role owns, in all databases. */
const ownedBy = (name: string, catalog: Catalog): number => (catalog.dependencies.get(name) ?? []).reduce((sum, { owned }) => sum + sumOf(owned), 0);

const sumOf = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((sum, count) => sum + count, 0);

/**
 * One step or two for each database in which something depends on the role. Where the role has to stay, what it owns moves all the same: it may be up to
 * the role whether it has to, and what it made would go on acting with its rights.
 */
export function releaseOwned(role: ManagedRole, input: ReleaseInput): Release {
  const { catalog } = input;
  const { name } = role;
  const dependencies = catalog.dependencies.get(name) ?? [];
  const isOpen = (database: string): boolean => catalog.databases.get(database)?.allowsConnections === true;
  const kept = closedTo(dependencies.filter(({ database }) => !isOpen(database))) ?? passedOnToOthers(name, input);
  const holders = holdersOf(name, input);
  const owns = ownedBy(name, catalog) > 0;
  const named = namedHeir(name, input);
  const own = owns && named.heir === undefined ? ownHeir(name, catalog) : undefined;
  const heir = owns ? (named.heir ?? own) : undefined;
  const acting = actingOf(catalog);
  const join = [name, ...(heir === undefined ? [] : [heir])].filter((one) => !mayActFor(one, catalog));
  // On what an heir of our making holds we go on granting, as its owner.
  const leave = join.filter((one) => one === heir && one !== own && !isMember(one, catalog));
  /** To move a schema takes CREATE on its database, which the user's own privilege gives no longer once another database was released. */
  const borrowed = (database: string): readonly string[] => {
    const owner = catalog.databases.get(database)?.owner ?? '';
    return owns && owner !== name && owner !== heir && acting.borrows(owner) ? [owner] : [];
  };
  const isKept = (owner: string): boolean => inRole(owner, catalog).some((row) => row.member === catalog.server.admin && row.grantor === catalog.server.admin);
  const step = (database: string, objects: number): Change & { kind: 'release_owned' } => ({
    kind: 'release_owned',
    role: name,
    database,
    heir,
    objects,
    join: [...join, ...borrowed(database)],
    leave: [...leave, ...borrowed(database).filter((owner) => !isKept(owner))],
    fresh: own !== undefined,
    lend: own !== undefined && !catalog.server.superuser,
    moves: false,
    stays: false,
    holders,
  });
  const moving = dependencies.flatMap(({ database, owned }) =>
    owned.size === 0 || !isOpen(database) ? [] : [{ ...step(database, sumOf(owned)), moves: true }],
  );
  const notices = owns && named.notice !== undefined ? [named.notice] : [];
  const making = own === undefined ? [] : makeHeir(own, name, catalog);
  if (kept !== undefined) return { changes: moving.length === 0 ? [] : [...making, ...moving], notices, kept };
  // First everything moves, whatever becomes of the rest: without a superuser's rights it may be the role's own privileges by which something can be moved,
  // and what it made would go on acting with its rights for as long as one of its privileges cannot be taken.
  const steps =
    heir === undefined
      ? dependencies.map(({ database, objects }) => step(database, objects))
      : [
          ...moving,
          ...dependencies.map(({ database, objects, owned }) => ({
            ...step(database, objects - sumOf(owned)),
            heir: undefined,
            join: join.filter((one) => one === name),
            leave: [],
            fresh: false,
            lend: false,
          })),
        ];
  return { changes: [...making, ...steps], notices };
}

/** Takes what was granted to a role that stays: a step for each database in which it stands in an ACL, or the reason why one of them cannot be done. */
export function takePrivileges({ name }: ManagedRole, input: ReleaseInput): readonly Change[] | Inability {
  const dependencies = (input.catalog.dependencies.get(name) ?? []).filter(({ acls }) => acls > 0);
  for (const { database } of dependencies)
    if (input.catalog.databases.get(database)?.allowsConnections !== true)
      return { reason: `database ${database} allows no connections`, advice: allowConnections(database) };
  const kept = passedOnToOthers(name, input);
  if (kept !== undefined && dependencies.length > 0) return kept;
  const holders = holdersOf(name, input);
  const none = { heir: undefined, join: [], leave: [], fresh: false, lend: false, moves: false };
  return dependencies.map(({ database, acls }) => ({ kind: 'release_owned', role: name, database, objects: acls, ...none, stays: true, holders }));
}

const closedTo = ([first]: readonly Dependency[]): Inability | undefined =>
  first && {
    reason: `database ${first.database} holds ${first.objects} dependencies and allows no connections`,
    advice: allowConnections(first.database),
  };

/** The heir that the operator named, or why it gets nothing. */
function namedHeir(name: string, { catalog, law, options, going }: ReleaseInput): { readonly heir?: string; readonly notice?: Notice } {
  const heir = options.reassignTo;
  if (heir === undefined) return {};
  const refuse = (message: string): { readonly notice: Notice } => ({
    notice: { kind: 'refused', subject: name, message: `what it owns does not go to ${heir} of REASSIGN_TO: ${message}; an heir of its own gets it` },
  });
  if (!catalog.cluster.roles.has(heir)) return refuse('there is no such role');
  if (heir === name) return refuse('that is the very role that is removed');
  if (going.has(heir)) return refuse('it is a user that is removed itself');
  const power = law.refuseHeir(heir);
  return power === undefined || options.reassignToPowerful === heir ? { heir } : refuse(power);
}

const NO_RIGHTS: Attributes = { login: false, inherit: true, createdb: false, createrole: false, bypassrls: false, connectionLimit: -1, validUntil: null };

/** The name says nothing but the OID of the removed role: another role of that name, later, has another heir. One that is not ours is passed over. */
function ownHeir(name: string, catalog: Catalog): string {
  const first = `${HEIR_PREFIX}${catalog.oids.get(name) ?? 0}`;
  for (let turn = 1; ; turn += 1) {
    const heir = turn === 1 ? first : `${first}_${turn}`;
    if (!catalog.cluster.roles.has(heir) || (isHeir(heir, catalog) && catalog.cluster.roles.get(heir)?.comment === heirComment(name))) return heir;
  }
}

const heirComment = (name: string): string => `Holds what the removed role ${name} owned`;

const makeHeir = (heir: string, name: string, catalog: Catalog): Change[] =>
  catalog.cluster.roles.has(heir)
    ? []
    : [
        { kind: 'create_role', role: heir, entity: 'role', attributes: NO_RIGHTS, memberOf: [] },
        { kind: 'set_comment', role: heir, comment: heirComment(name) },
      ];

/** Made by us to hold what a removed role owned, and nothing that somebody else made under such a name. */
export function isHeir(name: string, catalog: Catalog): boolean {
  const row = catalog.managed.get(name);
  if (!name.startsWith(HEIR_PREFIX) || row?.origin !== 'created' || row.entity !== 'role') return false;
  const role = catalog.cluster.roles.get(name);
  return isSameRole(row, catalog) && role?.superuser === false && !role.login;
}

/** What becomes of an heir: it goes when it owns nothing any more, or when the operator has named somebody for it. */
export function releaseHeir(role: ManagedRole, input: ReleaseInput): Release {
  const { catalog, law } = input;
  const { name } = role;
  const kept = law.protects(name);
  if (kept !== undefined) return { changes: [], notices: [{ kind: 'kept', subject: name, message: `${whose(name, catalog)}; kept, because ${kept}` }] };
  const named = namedHeir(name, input);
  if (ownedBy(name, catalog) > 0 && named.heir === undefined) return { changes: [], notices: waitingNotices(name, catalog) };
  const release = releaseOwned(role, input);
  if (release.kept !== undefined)
    return {
      ...release,
      notices: [...release.notices, { kind: 'cannot', subject: name, message: `${whose(name, catalog)}; ${release.kept.reason}`, advice: release.kept.advice }],
    };
  return { changes: [...release.changes, { kind: 'drop_role', role: name, entity: 'role' }], notices: release.notices };
}

const whose = (name: string, catalog: Catalog): string => catalog.cluster.roles.get(name)?.comment ?? 'Holds what a removed role owned';

/** Kinds of things by the catalogs that they are rows of. */
const KINDS: Readonly<Record<string, string>> = {
  pg_class: 'relation(s)',
  pg_proc: 'routine(s)',
  pg_namespace: 'schema(s)',
  pg_type: 'type(s)',
  pg_database: 'database(s)',
  pg_largeobject: 'large object(s)',
  pg_extension: 'extension(s)',
  pg_tablespace: 'tablespace(s)',
};

/** One for each database: what is owned there is handed on there. */
const waitingNotices = (name: string, catalog: Catalog): Notice[] =>
  (catalog.dependencies.get(name) ?? [])
    .filter(({ owned }) => owned.size > 0)
    .map(({ database, owned }) => ({
      kind: 'kept',
      subject: name,
      message: `${whose(name, catalog)}: ${[...owned].map(([kind, count]) => `${count} ${KINDS[kind] ?? kind}`).join(', ')} in ${database}. It has no rights, so nothing of that acts with any. Look at it (the SQL lists it), and hand it on there with REASSIGN OWNED BY ${saidName(name)} TO …, or name an heir in REASSIGN_TO; the role goes when it owns nothing`,
      advice: listOwned(name, database),
    }));

const inRole = (role: string, catalog: Catalog): readonly Membership[] => linksOf(catalog.cluster.memberships).inRole.get(role) ?? [];

const isMember = (role: string, catalog: Catalog): boolean => inRole(role, catalog).some((row) => row.member === catalog.server.admin);

/** REASSIGN and DROP OWNED need the rights of both roles (INHERIT) and, for the heir, SET. */
const mayActFor = (role: string, catalog: Catalog): boolean =>
  catalog.server.superuser ||
  role === catalog.server.admin ||
  inRole(role, catalog).some((row) => row.member === catalog.server.admin && row.inherit && row.set);
