// The ledger's schema: created and migrated by pgsteward itself, closed to everybody else.
import type pg from 'pg';
import { CLOSE_SCHEMA, guardSql } from '../core/closed-schema.ts';
import { LEDGER_IS_OURS } from './ledger-read.ts';
import { pinnedRows } from './query.ts';
import { beginSql, type Timeouts } from './transaction.ts';

/** Each migration once, in order; the number of those applied is the version. */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE pgsteward.managed_role (
     name text PRIMARY KEY,
     entity text NOT NULL CHECK (entity IN ('user', 'role')),
     origin text NOT NULL CHECK (origin IN ('created', 'adopted')),
     source text NOT NULL,
     oid oid NOT NULL,
     status text NOT NULL CHECK (status IN ('active', 'removing', 'disabled')),
     deletion_policy text CHECK (deletion_policy IN ('drop', 'disable', 'retain')),
     witness_version text,
     witness_salt text,
     witness_iterations int,
     witness_proof text,
     since timestamptz NOT NULL DEFAULT pg_catalog.now());
   COMMENT ON TABLE pgsteward.managed_role IS 'The roles that belong to pgsteward, and to which source of it';
   CREATE TABLE pgsteward.audit_log (
     id bigint PRIMARY KEY,
     at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
     change text NOT NULL,
     role text NOT NULL,
     object text NOT NULL,
     why text NOT NULL,
     sql text NOT NULL,
     outcome text NOT NULL CHECK (outcome IN ('applied', 'failed', 'intent')),
     detail text,
     intent bigint REFERENCES pgsteward.audit_log);
   CREATE UNIQUE INDEX audit_log_intent ON pgsteward.audit_log (intent) WHERE intent IS NOT NULL;
   COMMENT ON TABLE pgsteward.audit_log IS 'Every change that pgsteward made, written in the transaction of the change; an intent is closed by a later row that names it';
   CREATE FUNCTION pgsteward.refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
     $$ BEGIN RAISE EXCEPTION 'pgsteward.audit_log is append-only'; END $$;
   CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON pgsteward.audit_log
     FOR EACH STATEMENT EXECUTE FUNCTION pgsteward.refuse_change();
   REVOKE ALL ON FUNCTION pgsteward.refuse_change() FROM PUBLIC`,
  `ALTER TABLE pgsteward.managed_role ADD privileges boolean NOT NULL DEFAULT false;
   COMMENT ON COLUMN pgsteward.managed_role.privileges IS 'Whether its entry declares privileges: what it holds goes with it'`,
  `CREATE TABLE pgsteward.trigger_database (name text PRIMARY KEY);
   COMMENT ON TABLE pgsteward.trigger_database IS 'Databases that hold an event trigger of pgsteward: where it is removed when it is no longer wanted';
   ${guardSql(['managed_role', 'audit_log', 'trigger_database']).join(';\n   ')};
   REVOKE ALL ON FUNCTION pgsteward.refuse_others() FROM PUBLIC`,
  `ALTER TABLE pgsteward.managed_role ADD drain text, ADD disabled_at timestamptz;
   COMMENT ON COLUMN pgsteward.managed_role.drain IS 'How its sessions end, as its entry says; null where it does not';
   COMMENT ON COLUMN pgsteward.managed_role.disabled_at IS 'Since when it may not log in'`,
];

/** How the ledger is: usable, or why not (what to run is in the reason). */
export type LedgerState = { readonly usable: true; readonly created: boolean } | { readonly usable: false; readonly reason: string };

/**
 * Makes sure that the ledger is there and current. Issues no statement that writes when it is.
 * @returns unusable where the admin may not create a schema, or where the schema is somebody else's.
 */
export async function ensureLedger(client: pg.ClientBase, timeouts: Timeouts): Promise<LedgerState> {
  const facts = (
    await pinnedRows(
      client,
      `SELECT n.oid IS NOT NULL, ${LEDGER_IS_OURS}, pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE'), pg_catalog.current_database(), current_user,
         pg_catalog.to_regclass('pgsteward.migration') IS NOT NULL, pg_catalog.pg_is_in_recovery(), n.nspowner = r.oid
       FROM pg_catalog.pg_roles r LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = 'pgsteward' WHERE r.rolname = current_user`,
    )
  )[0];
  const [exists, ours, mayCreate, database, admin, migrated, standby, ownSchema] = facts as [
    boolean,
    boolean,
    boolean,
    string,
    string,
    boolean,
    boolean,
    boolean,
  ];
  if (standby) return { usable: false, reason: 'the server is a standby' };
  if (exists && !ours && !ownSchema)
    return { usable: false, reason: `the schema pgsteward in ${database} belongs to somebody else; drop it, or ALTER SCHEMA pgsteward OWNER TO "${admin}"` };
  if (!exists && !mayCreate)
    return { usable: false, reason: `${admin} may not create a schema in ${database}; run there: CREATE SCHEMA pgsteward AUTHORIZATION "${admin}"` };
  const version = migrated ? Number((await pinnedRows(client, 'SELECT count(*) FROM pgsteward.migration'))[0]?.[0] ?? 0) : 0;
  if (version > MIGRATIONS.length)
    return { usable: false, reason: `the ledger has version ${version}, and this pgsteward knows ${MIGRATIONS.length}; run the newer one` };
  if (version === MIGRATIONS.length) return { usable: true, created: false };
  const steps = MIGRATIONS.slice(version).map((sql, index) => `${sql}; INSERT INTO pgsteward.migration (version) VALUES (${version + index + 1})`);
  const create = [
    ...(exists ? [] : ['CREATE SCHEMA pgsteward', "COMMENT ON SCHEMA pgsteward IS 'The memory of pgsteward'"]),
    'REVOKE ALL ON SCHEMA pgsteward FROM PUBLIC',
    ...(migrated ? [] : ['CREATE TABLE pgsteward.migration (version int PRIMARY KEY, at timestamptz NOT NULL DEFAULT pg_catalog.now())']),
  ];
  try {
    await client.query([beginSql(timeouts), ...create, ...steps, CLOSE_SCHEMA, 'COMMIT'].join(';\n'));
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
  return { usable: true, created: version === 0 };
}
