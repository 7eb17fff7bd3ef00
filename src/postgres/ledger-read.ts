// Reading the ledger: which roles are ours, as the schema `pgsteward` in the admin database remembers it.
import type { ManagedRole, Witness } from '../model/catalog.ts';
import { onceFor } from '../model/once-for.ts';
import { columns } from './columns.ts';
import { writtenSql } from './digest.ts';
import { type Kept, partOfOids, partSql } from './kept-rows.ts';
import type { Row } from './query.ts';

/** SQL: the oid of a table of the ledger, or NULL. Names would be looked up with our rights, which somebody else's schema need not give us. */
export const ledgerTable = (name: string): string =>
  `(SELECT c.oid FROM pg_catalog.pg_class c WHERE c.relnamespace = pg_catalog.to_regnamespace('pgsteward') AND c.relname = '${name}')`;

/** What a ledger has columns or a table for: one that an older version made lacks some, until it is migrated (which a dry run does not do). */
export interface LedgerKnows {
  readonly knowsPrivileges: boolean;
  readonly knowsTriggers: boolean;
  /** How sessions end. */
  readonly knowsDrain: boolean;
  /** Where an OID is that of a role. */
  readonly knowsPlace: boolean;
  /** Which ConfigMap of an author declared it. */
  readonly knowsDocument: boolean;
  /** And since when that one is gone. */
  readonly knowsGone: boolean;
}

const hasColumn = (name: string): string =>
  `EXISTS (SELECT FROM pg_catalog.pg_attribute WHERE attrelid = ${ledgerTable('managed_role')} AND attname = '${name}')`;

/** SQL for each of these facts. */
export const LEDGER_KNOWS: { readonly [K in keyof LedgerKnows]: string } = {
  knowsPrivileges: hasColumn('privileges'),
  knowsTriggers: `${ledgerTable('trigger_database')} IS NOT NULL`,
  knowsDrain: hasColumn('drain'),
  knowsPlace: hasColumn('server'),
  knowsDocument: hasColumn('document'),
  knowsGone: hasColumn('gone_since'),
};

interface LedgerRow extends Omit<ManagedRole, 'place' | 'witness'> {
  readonly version: string | null;
  readonly salt: string | null;
  readonly iterations: number | null;
  readonly proof: string | null;
  readonly server: string | null;
  readonly ledger: number | null;
}

const ledgerColumns = ({ knowsPrivileges, knowsDrain, knowsPlace, knowsDocument, knowsGone }: LedgerKnows) =>
  columns<LedgerRow>({
    name: 'name',
    entity: 'entity',
    origin: 'origin',
    source: 'source',
    oid: 'oid',
    status: 'status',
    deletionPolicy: 'deletion_policy',
    version: 'witness_version',
    salt: 'witness_salt',
    iterations: 'witness_iterations',
    proof: 'witness_proof',
    privileges: knowsPrivileges ? 'privileges' : 'false',
    drain: knowsDrain ? 'drain' : 'NULL',
    disabledAt: knowsDrain ? `pg_catalog.to_char(disabled_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')` : 'NULL',
    server: knowsPlace ? 'server' : 'NULL',
    ledger: knowsPlace ? 'ledger' : 'NULL',
    document: knowsDocument ? 'document' : 'NULL',
    goneSince: knowsGone ? `pg_catalog.to_char(gone_since AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')` : 'NULL',
  });

const LEDGER_PART = partSql('oid::bigint');
const NO_LEDGER = 'SELECT 1 WHERE false';

/** The rows of the ledger; none where there is none that is ours. */
export const keptLedger = (hasLedger: boolean, knows: LedgerKnows): Kept<ManagedRole> => ({
  digests: hasLedger
    ? `SELECT ${LEDGER_PART}, pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.sum(
    ${writtenSql('pg_catalog.hashtextextended(name, 0::bigint)')})) FROM pgsteward.managed_role GROUP BY 1`
    : undefined,
  rows: (condition) => (hasLedger ? `SELECT ${ledgerColumns(knows).list} FROM pgsteward.managed_role WHERE ${condition}` : NO_LEDGER),
  part: LEDGER_PART,
  read: (rows) => rows.map(readRow(ledgerColumns(knows).row)),
  partOf: ({ oid }) => partOfOids(oid),
});

const readRow =
  (row: (values: Row) => LedgerRow) =>
  (values: Row): ManagedRole => {
    const { version, salt, iterations, proof, server, ledger, document, goneSince, ...role } = row(values);
    const witness: Witness | null = proof === null ? null : { version: version ?? '', salt: salt ?? '', iterations: iterations ?? 0, proof };
    return { ...role, ...(document == null ? {} : { document }), ...(goneSince == null ? {} : { goneSince }), place: { server, ledger }, witness };
  };

/** By name. */
export const recordedRoles = onceFor((rows: readonly ManagedRole[]): ReadonlyMap<string, ManagedRole> => new Map(rows.map((role) => [role.name, role])));
