// Snapshot → Catalog: everything a plan needs, from one REPEATABLE READ transaction with a fixed number of round trips.
import type pg from 'pg';
import type { Catalog, ManagedRole } from '../model/catalog.ts';
import { type Sources, whoseOf } from '../model/sources.ts';
import { removalCandidates } from '../plan/removal/removal-policy.ts';
import { readKept, type RowKeeper } from './kept-rows.ts';
import { beginWithFacts, type Facts } from './read-facts.ts';
import { readLeaving } from './read-leaving.ts';
import {
  keptMemberships,
  keptRoles,
  KEPT_SETTINGS,
  type MembershipRow,
  membershipsOf,
  namesOfRoles,
  type RoleRow,
  type SettingRow,
  rolesOf,
  settingsOf,
} from './read-roles.ts';
import {
  ANY_PLAN,
  connectGrants,
  type ConnectRow,
  databaseFacts,
  databaseNames,
  databaseRows,
  DATABASES_QUERY,
  FIRST_BY_INDEX,
  grantedQuery,
  guardedSharedQuery,
  KEPT_CONNECTS,
  sharedOf,
  sharedQuery,
} from './read-shared.ts';
import { namingLedgerLocks } from './ledger-locks.ts';
import { keptLedger, recordedRoles } from './ledger-read.ts';

export interface CatalogRequest {
  readonly client: pg.ClientBase;
  /** The document's, of what no author claims. */
  readonly source: string;
  /** Those of its authors, where there are any. */
  readonly sources?: Sources | undefined;
  readonly named: ReadonlySet<string>;
  /** Those whose privileges are compared; `everybody` for all entries that there are, of whom `granted` then tells nothing. */
  readonly declaring: ReadonlySet<string> | 'everybody';
  /** Whether guardrails are about what all databases share. */
  readonly guardsShared?: boolean | undefined;
  /** The database that stands for what all databases share. */
  readonly adminDatabase: string;
  /** Who may not log in at a moment (milliseconds of the server's clock): their sessions are counted. */
  readonly closed: (now: number, managed: Catalog['managed'], oids: Catalog['oids']) => readonly string[];
  readonly statementTimeout: number;
  readonly lockTimeout: number;
  /** What the state file remembers, where there is no ledger to ask. */
  readonly remembered: ReadonlyMap<string, ManagedRole> | undefined;
  /** What the ledger lacks and is remembered beside it. */
  readonly missing: (found: Pick<Catalog, 'managed' | 'oids' | 'server'>) => readonly ManagedRole[];
  /** Databases with an event trigger, where there is no ledger to ask. */
  readonly triggerDatabases: ReadonlySet<string>;
  /** Where whoever reads again and again has what was read before; left out, everything is read. */
  readonly keeper?: CatalogKeeper | undefined;
}

/** What there can be as many of as there are roles. */
interface ManyRows {
  readonly roles: RoleRow;
  readonly memberships: MembershipRow;
  readonly settings: SettingRow;
  readonly connects: ConnectRow;
  readonly ledger: ManagedRole;
}

export type CatalogKeeper = RowKeeper<ManyRows>;

export interface ReadCatalog extends Catalog {
  readonly hasLedger: boolean;
  /** Those of `managed` that the ledger lacks. */
  readonly imported: readonly ManagedRole[];
}

const PARAMETERS = 'SELECT lower(name), context FROM pg_catalog.pg_settings';
const NOTHING = 'SELECT 1 WHERE false';

/**
 * Reads the catalogs: one round trip for the facts, one or two for the rows, and one more only when roles may be removed.
 * @throws whatever the server answers; nothing may be concluded from a partial read.
 */
export async function readCatalog(request: CatalogRequest): Promise<ReadCatalog> {
  const { client } = request;
  try {
    const catalog = await namingLedgerLocks(client, async () => {
      const facts = await beginWithFacts(client, request);
      return catalogOf(request, facts, await readRows(request, facts));
    });
    await client.query('COMMIT');
    return catalog;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** The rows of each relation and statement, by what they are about. */
async function readRows({ client, declaring, keeper, guardsShared }: CatalogRequest, facts: Facts) {
  const { server, hasLedger } = facts;
  const names = declaring === 'everybody' ? [] : [...declaring];
  const statements = {
    parameters: PARAMETERS,
    databases: DATABASES_QUERY,
    triggers: hasLedger && facts.knowsTriggers ? 'SELECT name FROM pgsteward.trigger_database' : NOTHING,
    shared: sharedQuery(declaring === 'everybody' ? declaring : names, server.major),
    sharedByAll: guardsShared === true ? guardedSharedQuery(server.major) : NOTHING,
    firstByIndex: FIRST_BY_INDEX,
    granted: grantedQuery(names),
    anyPlan: ANY_PLAN,
  };
  const relations = {
    roles: keptRoles(server.readsVerifiers),
    memberships: keptMemberships(server.major),
    settings: KEPT_SETTINGS,
    connects: KEPT_CONNECTS,
    ledger: keptLedger(hasLedger, facts),
  };
  return readKept<ManyRows, keyof typeof statements>(client, relations, statements, keeper === undefined ? undefined : { keeper, scope: facts.epoch });
}

async function catalogOf(
  request: CatalogRequest,
  facts: Facts,
  { rows: { roles, memberships, settings, connects, ledger }, others: rows }: Awaited<ReturnType<typeof readRows>>,
): Promise<ReadCatalog> {
  const { server, hasLedger, bootstrap } = facts;
  const databases = databaseRows(rows.databases);
  const { nameOf, oids, verifiers } = namesOfRoles(roles);
  const databaseOf = databaseNames(databases, roles);
  const recorded = hasLedger ? recordedRoles(ledger) : (request.remembered ?? new Map<string, ManagedRole>());
  const imported = hasLedger ? request.missing({ managed: recorded, oids, server }) : [];
  const managed = imported.length === 0 ? recorded : new Map([...recorded, ...imported.map((role): [string, ManagedRole] => [role.name, role])]);
  const publicConnect = new Set(connects.flatMap(({ grantee, database }) => (grantee === 0 ? [database] : [])));
  const factsOf = new Map(databases.map((row) => [row.name, databaseFacts(row, nameOf, publicConnect, (role) => oids.has(role))]));
  const leaving = removalCandidates(managed.values(), whoseOf(request.source, request), request.named).flatMap((role) => oids.get(role.name) ?? []);
  const counted = [...new Set([...leaving, ...request.closed(server.now, managed, oids).flatMap((name) => oids.get(name) ?? [])])];
  return {
    server,
    cluster: {
      roles: rolesOf(roles, settingsOf(settings, nameOf, databaseOf)),
      memberships: membershipsOf(memberships, nameOf),
      grants: connectGrants(connects, nameOf, databaseOf),
    },
    bootstrap,
    shared: sharedOf(rows.shared, factsOf),
    ...(request.guardsShared === true ? { sharedByAll: sharedOf(rows.sharedByAll, factsOf) } : {}),
    triggerDatabases: hasLedger ? new Set(rows.triggers.map(([name]) => name as string)) : request.triggerDatabases,
    granted: new Set(rows.granted.map(([name]) => name as string)),
    oids,
    databases: factsOf,
    verifiers: server.readsVerifiers ? verifiers : new Map(),
    parameters: new Map(rows.parameters.map(([name, context]) => [name as string, context as string])),
    managed,
    imported,
    recognised: [],
    unsure: new Map(),
    absent: new Map(),
    ...(await readLeaving(request.client, leaving, counted, { nameOf, databaseOf, shared: request.adminDatabase })),
    counted,
    leaving,
    hasLedger,
  };
}
