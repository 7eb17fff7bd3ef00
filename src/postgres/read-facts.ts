// The server and what our admin may do there, and what the ledger knows: the facts that decide which queries can be asked. One round trip.
import type pg from 'pg';
import type { ServerFacts } from '../model/catalog.ts';
import { columns } from './columns.ts';
import { SAME_START } from './digest.ts';
import { LEDGER_KNOWS, type LedgerKnows, ledgerTable } from './ledger-read.ts';
import { LEDGER_IS_OURS } from './ledger-ours.ts';
import { withIdentifier } from './system-identifier.ts';
import { beginSql, type Timeouts } from './transaction.ts';

/** How often a verifier of ours is hashed, as the operator says it for the server or our role: the owner of a database may ask for once, or for hours. */
export const SCRAM_ITERATIONS = `coalesce((SELECT CASE WHEN source LIKE 'database%' THEN boot_val ELSE setting END FROM pg_catalog.pg_settings
    WHERE name = 'scram_iterations'), '4096')::int`;

interface FactsRow extends Omit<ServerFacts, 'grantor' | 'place'>, LedgerKnows {
  readonly bootstrap: string;
  readonly hasLedger: boolean;
  readonly identifier: string | null;
  readonly ledgerOid: number | null;
  readonly epoch: string;
}

/** @param identifier an expression for the server's own. */
const factsColumns = (identifier: string) =>
  columns<FactsRow>({
    major: `current_setting('server_version_num')::int / 10000`,
    admin: 'current_user',
    superuser: 'r.rolsuper',
    createrole: 'r.rolcreaterole',
    bootstrap: '(SELECT rolname FROM pg_catalog.pg_roles WHERE oid = 10)',
    scramIterations: SCRAM_ITERATIONS,
    readsVerifiers: `pg_catalog.has_table_privilege('pg_catalog.pg_authid', 'SELECT')`,
    hasLedger: LEDGER_IS_OURS,
    ...LEDGER_KNOWS,
    now: '(extract(epoch FROM pg_catalog.clock_timestamp()) * 1000)::pg_catalog.float8',
    encoding: 'pg_catalog.getdatabaseencoding()',
    identifier,
    ledgerOid: ledgerTable('managed_role'),
    epoch: SAME_START,
  });

export interface Facts extends LedgerKnows {
  readonly server: ServerFacts;
  readonly bootstrap: string;
  readonly hasLedger: boolean;
  /** Equal while it is the same server since the same start or crash, and the ledger is the same: a number of a transaction then stands for one transaction. */
  readonly epoch: string;
}

/** Begins the transaction that everything else is read in. @throws whatever the server answers. */
export async function beginWithFacts(client: pg.ClientBase, timeouts: Timeouts): Promise<Facts> {
  const sql = (identifier: string): string =>
    `${beginSql(timeouts, 'REPEATABLE READ READ ONLY')}; SELECT ${factsColumns(identifier).list} FROM pg_catalog.pg_roles r WHERE rolname = current_user`;
  const values = (await withIdentifier(client, sql)).at(-1)?.[0];
  if (values === undefined) throw new Error('the server did not say who we are');
  const { bootstrap, hasLedger, identifier, ledgerOid, epoch, knowsPrivileges, knowsTriggers, knowsDrain, knowsPlace, knowsDocument, knowsGone, ...facts } =
    factsColumns('').row(values);
  const grantor = facts.superuser && facts.major >= 16 ? bootstrap : facts.admin;
  const server = { ...facts, grantor, place: { server: identifier, ledger: hasLedger ? ledgerOid : null } };
  const knows = { knowsPrivileges, knowsTriggers, knowsDrain, knowsPlace, knowsDocument, knowsGone };
  const { place, major, admin, readsVerifiers } = server;
  return { server, bootstrap, hasLedger, ...knows, epoch: JSON.stringify([epoch, place, major, admin, readsVerifiers, knows]) };
}
