// Writing the ledger: the SQL that goes into a change's own transaction, so that what is changed and what is remembered commit together.
import type { ManagedRole, Witness } from '../core/catalog.ts';
import { type Change, namesOf, subjectOf } from '../core/change.ts';
import { objectOf } from '../core/sentence.ts';
import { renderBatch, type RenderOptions, statementKey } from '../core/sql.ts';
import { literal } from '../core/sql-text.ts';

export interface LedgerFacts {
  readonly source: string;
  /** `namespace/name@resourceVersion`: why the changes are made. */
  readonly why: string;
  readonly render: RenderOptions;
  /** The witness of a password that is being set. */
  readonly witnessOf: (role: string) => Witness | undefined;
}

/** Keys of the advisory locks, beside the writer's own. */
export const LOCK_CLASS = 0x70677374;
const AUDIT_LOCK = 3;

const records = (items: readonly object[]): string => literal(JSON.stringify(items));

/** The statements that record what these changes mean for managed_role. */
export function managedRoleSql(changes: readonly Change[], facts: LedgerFacts): string[] {
  const upserts: Record<string, unknown>[] = [];
  const witnesses: object[] = [];
  const gone: string[] = [];
  const statuses: object[] = [];
  const undeclared: string[] = [];
  const closed: string[] = [];
  const opened: string[] = [];
  for (const change of changes) {
    if (change.kind === 'create_role' || change.kind === 'adopt_role')
      upserts.push({ name: change.role, entity: change.entity, origin: change.kind === 'create_role' ? 'created' : 'adopted' });
    else if (change.kind === 'set_password') {
      const witness = facts.witnessOf(change.role);
      if (witness !== undefined) witnesses.push({ name: change.role, ...witness });
    } else if (change.kind === 'clear_password') witnesses.push({ name: change.role });
    else if (change.kind === 'drop_role' || change.kind === 'forget_role') gone.push(change.role);
    else if (change.kind === 'forget_privileges') undeclared.push(change.role);
    else if (change.kind === 'disable_role') statuses.push({ name: change.role, status: change.keep ? 'disabled' : 'removing' });
    if (disables(change)) closed.push(change.role);
    else if (change.kind === 'alter_role' && change.attributes.login === true) opened.push(change.role);
  }
  return [
    ...(upserts.length === 0 ? [] : [upsertSql(upserts, facts.source)]),
    ...(witnesses.length === 0 ? [] : [witnessSql(witnesses)]),
    ...(statuses.length === 0
      ? []
      : [
          `UPDATE pgsteward.managed_role m SET status = x.status FROM jsonb_to_recordset(${records(statuses)}) AS x(name text, status text) WHERE m.name = x.name`,
        ]),
    // The moment counts from the change itself, whatever happens to us after it.
    ...(closed.length === 0
      ? []
      : [`UPDATE pgsteward.managed_role SET disabled_at = coalesce(disabled_at, pg_catalog.now()) WHERE name IN (${closed.map(literal).join(', ')})`]),
    ...(opened.length === 0 ? [] : [`UPDATE pgsteward.managed_role SET disabled_at = NULL WHERE name IN (${opened.map(literal).join(', ')})`]),
    ...(undeclared.length === 0 ? [] : [`UPDATE pgsteward.managed_role SET privileges = false WHERE name IN (${undeclared.map(literal).join(', ')})`]),
    ...(gone.length === 0 ? [] : [`DELETE FROM pgsteward.managed_role WHERE name IN (${gone.map(literal).join(', ')})`]),
  ];
}

/** Whether a change takes a user's login away. */
const disables = (change: Change): change is Change & { kind: 'disable_role' | 'alter_role' } =>
  change.kind === 'disable_role' || (change.kind === 'alter_role' && change.entity === 'user' && change.attributes.login === false);

const upsertSql = (upserts: readonly object[], source: string): string =>
  `INSERT INTO pgsteward.managed_role (name, entity, origin, source, oid, status)
   SELECT x.name, x.entity, x.origin, ${literal(source)}, r.oid, 'active'
   FROM jsonb_to_recordset(${records(upserts)}) AS x(name text, entity text, origin text) JOIN pg_roles r ON r.rolname = x.name
   ON CONFLICT (name) DO UPDATE SET entity = excluded.entity, origin = excluded.origin, source = excluded.source, oid = excluded.oid, status = 'active',
     witness_version = NULL, witness_salt = NULL, witness_iterations = NULL, witness_proof = NULL, disabled_at = NULL`;

const witnessSql = (witnesses: readonly object[]): string =>
  `UPDATE pgsteward.managed_role m SET witness_version = x.version, witness_salt = x.salt, witness_iterations = x.iterations, witness_proof = x.proof
   FROM jsonb_to_recordset(${records(witnesses)}) AS x(name text, version text, salt text, iterations int, proof text) WHERE m.name = x.name`;

/** What is remembered without any change on the server: rows that differ from what the document says or the catalogs show. */
export function rememberSql(rows: readonly ManagedRole[]): string[] {
  if (rows.length === 0) return [];
  const flat = rows.map(({ witness, deletionPolicy, disabledAt, ...row }) => ({
    ...row,
    deletion_policy: deletionPolicy,
    disabled_at: disabledAt,
    witness_version: witness?.version,
    witness_salt: witness?.salt,
    witness_iterations: witness?.iterations,
    witness_proof: witness?.proof,
  }));
  const columns =
    'name, entity, origin, source, oid, status, deletion_policy, witness_version, witness_salt, witness_iterations, witness_proof, privileges, drain, disabled_at';
  return [
    `INSERT INTO pgsteward.managed_role (${columns}) SELECT ${columns}
     FROM jsonb_to_recordset(${records(flat)}) AS x(name text, entity text, origin text, source text, oid oid, status text, deletion_policy text,
       witness_version text, witness_salt text, witness_iterations int, witness_proof text, privileges boolean, drain text, disabled_at timestamptz)
     ON CONFLICT (name) DO UPDATE SET entity = excluded.entity, origin = excluded.origin, source = excluded.source, oid = excluded.oid, status = excluded.status,
       deletion_policy = excluded.deletion_policy, witness_version = excluded.witness_version, witness_salt = excluded.witness_salt,
       witness_iterations = excluded.witness_iterations, witness_proof = excluded.witness_proof, privileges = excluded.privileges,
       drain = excluded.drain, disabled_at = excluded.disabled_at`,
  ];
}

/** The databases that hold an event trigger: these, and no others. */
export const triggerDatabaseSql = (names: readonly string[]): string[] => [
  `DELETE FROM pgsteward.trigger_database WHERE name NOT IN (SELECT jsonb_array_elements_text(${literal(JSON.stringify(names))}))`,
  `INSERT INTO pgsteward.trigger_database (name) SELECT jsonb_array_elements_text(${literal(JSON.stringify(names))}) ON CONFLICT DO NOTHING`,
];

/** Objects that a statement names before the rows of others that share it only point to it. */
const LONG = 3;

/** The SQL of each record; a long statement that several changes share stands with the first of them. */
function sqlOf(audit: readonly AuditRecord[], shown: RenderOptions): string[] {
  const texts: string[] = [];
  for (let at = 0; at < audit.length;) {
    const first = audit[at];
    if (first === undefined) break;
    const key = namesOf(first.change).length > LONG ? statementKey(first.change) : undefined;
    let end = at + 1;
    while (key !== undefined && end < audit.length && statementKey(audit[end]?.change ?? first.change) === key) end += 1;
    texts.push(
      renderBatch(
        audit.slice(at, end).map((record) => record.change),
        shown,
      ).join('; '),
    );
    for (let index = at + 1; index < end; index += 1) texts.push('(in the statement of a row before)');
    at = end;
  }
  return texts;
}

export interface AuditRecord {
  readonly change: Change;
  readonly outcome: 'applied' | 'failed' | 'intent';
  readonly detail?: string;
  /** The row that this one closes. */
  readonly intent?: number;
}

/**
 * The statements that append to the audit log; the last returns nothing. Numbers have no gaps, which a sequence would leave at every
 * rollback: they are counted under a lock that is held only over the end of the transaction.
 */
export function auditSql(audit: readonly AuditRecord[], facts: LedgerFacts, returning = ''): string[] {
  if (audit.length === 0) return [];
  const { verifierOf: _, ...shown } = facts.render;
  const closes = audit.every((record) => record.intent !== undefined && namesOf(record.change).length > 0);
  const texts = closes ? [] : sqlOf(audit, shown);
  const rows = audit.map(({ change, outcome, detail, intent }, index) => ({
    change: change.kind,
    role: subjectOf(change),
    object: objectOf(change),
    sql: texts[index] ?? '',
    outcome,
    detail,
    intent,
  }));
  return appendSql(rows, facts.why, returning);
}

/** Rows that close intents of an earlier process, told by what those rows say. */
export const closingSql = (rows: readonly AuditRow[], why: string): string[] => appendSql(rows, why);

/** A row of the audit log as it is written. */
interface AuditRow {
  readonly change: string;
  readonly role: string;
  readonly object: string;
  readonly sql: string;
  readonly outcome: string;
  readonly detail?: string | undefined;
  readonly intent?: number | undefined;
}

const appendSql = (rows: readonly AuditRow[], why: string, returning = ''): string[] => [
  `SELECT pg_advisory_xact_lock(${LOCK_CLASS}, ${AUDIT_LOCK})`,
  `INSERT INTO pgsteward.audit_log (id, change, role, object, why, sql, outcome, detail, intent)
   SELECT (SELECT coalesce(max(id), 0) FROM pgsteward.audit_log) + x.ordinality, x.r ->> 'change', x.r ->> 'role', x.r ->> 'object', ${literal(why)}, x.r ->> 'sql',
     x.r ->> 'outcome', x.r ->> 'detail', (x.r ->> 'intent')::bigint
   FROM jsonb_array_elements(${records(rows)}) WITH ORDINALITY AS x(r, ordinality)${returning}`,
];
