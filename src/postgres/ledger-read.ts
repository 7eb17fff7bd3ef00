// Reading the ledger: which roles are ours, as the schema `pgsteward` in the admin database remembers it.
import type { ManagedRole, Witness } from '../core/catalog.ts';

/**
 * SQL that is true where the ledger is there and can be trusted: a schema that somebody else made could carry triggers that would run
 * with our rights. `r` is our own row of pg_roles.
 */
export const LEDGER_IS_OURS = `EXISTS (SELECT FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles o ON o.oid = n.nspowner
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = 'managed_role' AND c.relowner = n.nspowner
    WHERE n.nspname = 'pgsteward' AND (o.rolsuper OR (NOT r.rolsuper AND pg_catalog.pg_has_role(o.oid, 'USAGE'))))`;

/** Whether the ledger knows of privileges: one that an older version made does not, until it is migrated (which a dry run does not do). */
export const LEDGER_KNOWS_PRIVILEGES = `EXISTS (SELECT FROM pg_catalog.pg_attribute WHERE attrelid = pg_catalog.to_regclass('pgsteward.managed_role') AND attname = 'privileges')`;

/** The same for how sessions end. */
export const LEDGER_KNOWS_DRAIN = `EXISTS (SELECT FROM pg_catalog.pg_attribute WHERE attrelid = pg_catalog.to_regclass('pgsteward.managed_role') AND attname = 'drain')`;

/** The same for event triggers. */
export const LEDGER_KNOWS_TRIGGERS = `pg_catalog.to_regclass('pgsteward.trigger_database') IS NOT NULL`;

export const ledgerSelect = (
  knowsPrivileges: boolean,
  knowsDrain: boolean,
): string => `SELECT name, entity, origin, source, oid, status, deletion_policy, witness_version, witness_salt, witness_iterations, witness_proof, ${knowsPrivileges ? 'privileges' : 'false'},
  ${knowsDrain ? `drain, pg_catalog.to_char(disabled_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')` : 'NULL, NULL'}
  FROM pgsteward.managed_role`;

export function readLedgerRows(rows: readonly (readonly unknown[])[]): Map<string, ManagedRole> {
  return new Map(
    rows.map((row) => {
      const [name, entity, origin, source, oid, status, deletionPolicy, version, salt, iterations, proof, privileges, drain, disabledAt] = row as [
        string,
        ManagedRole['entity'],
        ManagedRole['origin'],
        string,
        number,
        ManagedRole['status'],
        ManagedRole['deletionPolicy'],
        string | null,
        string | null,
        number | null,
        string | null,
        boolean,
        string | null,
        string | null,
      ];
      const witness: Witness | null = proof === null ? null : { version: version ?? '', salt: salt ?? '', iterations: iterations ?? 0, proof };
      return [name, { name, entity, origin, source, oid, status, deletionPolicy, witness, privileges, drain, disabledAt }];
    }),
  );
}
