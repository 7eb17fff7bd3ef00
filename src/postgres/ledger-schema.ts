// The ledger's schema: created and migrated by pgsteward itself, closed to everybody else.
import type pg from 'pg';
import type { Change } from '../changes/change.ts';
import { APPEND_ONLY_BODY, closeSchema, guardSql } from '../sql/closed-schema.ts';
import { literal, saidName, saidNames } from '../sql/sql-text.ts';
import { ANCHOR } from './audit-chain.ts';
import { FOREIGN_PARTS, ledgerGuard } from './ledger-ours.ts';
import { ledgerTable } from './ledger-read.ts';
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
     ${literal(APPEND_ONLY_BODY)};
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
  // The audit log itself stays as it is written, row by row: what counts up stands beside it.
  `CREATE TABLE pgsteward.audit_repeat (
     id bigint PRIMARY KEY REFERENCES pgsteward.audit_log ON DELETE CASCADE,
     same text NOT NULL,
     since timestamptz NOT NULL DEFAULT pg_catalog.now(),
     times bigint NOT NULL DEFAULT '1',
     last timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp());
   CREATE INDEX audit_repeat_same ON pgsteward.audit_repeat (same, id);
   COMMENT ON TABLE pgsteward.audit_repeat IS 'How often the change of a row of the audit log was made within a day, as somebody undid it again and again, and when last';
   ${guardSql(['audit_repeat']).join(';\n   ')};
   CREATE INDEX audit_log_intents ON pgsteward.audit_log (role, id) WHERE outcome = 'intent'`,
  `ALTER TABLE pgsteward.managed_role ADD server text, ADD ledger oid;
   COMMENT ON COLUMN pgsteward.managed_role.server IS 'The system identifier of the server on which the OID is that of the role; null where it could not be read';
   COMMENT ON COLUMN pgsteward.managed_role.ledger IS 'The OID of this table there: a dump that is restored gives it another one, and the roles as well'`,
  `ALTER TABLE pgsteward.managed_role ADD document text;
   COMMENT ON COLUMN pgsteward.managed_role.document IS 'The ConfigMap of its author that declared it last; null for what the operator declares'`,
  `ALTER TABLE pgsteward.managed_role ADD gone_since timestamptz;
   COMMENT ON COLUMN pgsteward.managed_role.gone_since IS 'Since when that ConfigMap is gone; null while it is there'`,
  `CREATE TABLE pgsteward.document (digest text PRIMARY KEY, content bytea NOT NULL);
   COMMENT ON TABLE pgsteward.document IS 'What documents said, as JSON, deflated; by the SHA-256 of that JSON';
   CREATE TABLE pgsteward.revision (
     id bigint PRIMARY KEY,
     at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
     digest text NOT NULL,
     oldest bigint NOT NULL,
     sources jsonb NOT NULL);
   COMMENT ON TABLE pgsteward.revision IS 'Each desired state that was in force: its documents, where they were from and who wrote them; and the oldest revision that was kept then';
   ALTER TABLE pgsteward.audit_log ADD revision bigint;
   COMMENT ON COLUMN pgsteward.audit_log.revision IS 'The revision in force';
   CREATE TABLE pgsteward.audit_chain (link bigint PRIMARY KEY, last bigint NOT NULL, items bytea NOT NULL, hash bytea NOT NULL);
   ALTER TABLE pgsteward.audit_chain ALTER items SET STORAGE EXTERNAL;
   COMMENT ON TABLE pgsteward.audit_chain IS 'Each transaction that appended to the audit log: number and hash of its rows, and the hash of these with the link before';
   ${ANCHOR};
   ${guardSql(['document', 'revision', 'audit_chain']).join(';\n   ')}`,
];

/** How the ledger is: usable, or why not (what to run is in the reason). */
export type LedgerState = { readonly usable: true; readonly prepared: PrepareLedger | undefined } | { readonly usable: false; readonly reason: string };

/** What has been done, or would have to be, before it is usable. */
type PrepareLedger = Extract<Change, { kind: 'prepare_ledger' }>;

interface Found {
  readonly usable: true;
  /** Undefined where it is current. */
  readonly prepared: PrepareLedger | undefined;
  readonly migrated: boolean;
}

/** Somebody else made the schema, or something in it, after we had looked. */
const MADE_MEANWHILE: ReadonlySet<string | undefined> = new Set(['42P06', '42P07', '42723']);

/**
 * Makes sure that the ledger is there and current. Issues no statement that writes when it is.
 * @returns unusable where the admin may not create a schema, or where the schema, or anything in it, is somebody else's.
 */
export async function ensureLedger(client: pg.ClientBase, timeouts: Timeouts): Promise<LedgerState> {
  for (let attempt = 1; attempt <= 2; attempt += 1) {
    const state = await ensureOnce(client, timeouts);
    if (state !== 'made meanwhile') return state;
  }
  return { usable: false, reason: 'somebody makes the schema pgsteward, or something in it, whenever we are about to' };
}

/** What ensureLedger would do; it writes nothing. */
export async function lookAtLedger(client: pg.ClientBase): Promise<Found | Extract<LedgerState, { usable: false }>> {
  const facts = (
    await pinnedRows(
      client,
      `SELECT pg_catalog.to_regnamespace('pgsteward') IS NOT NULL, pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE'), pg_catalog.current_database(),
         current_user, ${ledgerTable('migration')} IS NOT NULL, pg_catalog.pg_is_in_recovery(), ${FOREIGN_PARTS}
       FROM pg_catalog.pg_roles r WHERE r.rolname = current_user`,
    )
  )[0];
  const [exists, mayCreate, database, admin, migrated, standby, foreign, cures] = facts as [
    boolean,
    boolean,
    string,
    string,
    boolean,
    boolean,
    string | null,
    string | null,
  ];
  if (standby) return { usable: false, reason: 'the server is a standby' };
  if (foreign !== null)
    return {
      usable: false,
      reason: `the schema pgsteward in ${database} is not that of "${admin}" alone (${foreign}), and what somebody else put there would run with our rights; ${
        cures === null
          ? 'something of it was not made by pgsteward and must not be handed over: drop that, or run there: '
          : `where it is the ledger of an earlier login and nobody else may have touched it, run there: ${saidNames(cures)}; otherwise `
      }DROP SCHEMA pgsteward CASCADE`,
    };
  if (!exists && !mayCreate)
    return { usable: false, reason: `${admin} may not create a schema in ${database}; run there: CREATE SCHEMA pgsteward AUTHORIZATION ${saidName(admin)}` };
  const version = migrated ? Number((await pinnedRows(client, `${ledgerGuard('migration')}; SELECT count(*) FROM pgsteward.migration`))[0]?.[0] ?? 0) : 0;
  if (version > MIGRATIONS.length)
    return { usable: false, reason: `the ledger has version ${version}, and this pgsteward knows ${MIGRATIONS.length}; run the newer one` };
  const change: PrepareLedger = { kind: 'prepare_ledger', database, newSchema: !exists, from: version, to: MIGRATIONS.length };
  return { usable: true, prepared: version === MIGRATIONS.length ? undefined : change, migrated };
}

async function ensureOnce(client: pg.ClientBase, timeouts: Timeouts): Promise<LedgerState | 'made meanwhile'> {
  const found = await lookAtLedger(client);
  if (!found.usable || found.prepared === undefined) return found;
  const { migrated, prepared } = found;
  const { from: version, newSchema } = prepared;
  const steps = MIGRATIONS.slice(version).map((sql, index) => `${sql}; INSERT INTO pgsteward.migration (version) VALUES (${version + index + 1})`);
  const create = [
    ...(!newSchema ? [] : ['CREATE SCHEMA pgsteward', "COMMENT ON SCHEMA pgsteward IS 'The memory of pgsteward'"]),
    'REVOKE ALL ON SCHEMA pgsteward FROM PUBLIC',
    ...(migrated ? [] : ['CREATE TABLE pgsteward.migration (version int PRIMARY KEY, at timestamptz NOT NULL DEFAULT pg_catalog.now())']),
  ];
  try {
    await client.query([beginSql(timeouts), ...create, ...steps, closeSchema('pgsteward'), 'COMMIT'].join(';\n'));
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    if (MADE_MEANWHILE.has((error as { readonly code?: string }).code)) return 'made meanwhile';
    throw error;
  }
  return { usable: true, prepared };
}
