// Pins: every parameter that changes what our SQL means, whether it works or how long it takes, and what each of our sessions has for it.
import { literal } from '../sql/sql-text.ts';

/**
 * Parameters that anybody may set: the owner of a database for whoever comes there, a role for itself, the operator for the server. Whatever
 * they say, our own statements mean and do the same. A parameter that a major does not have is left out; each that is missing here stands with
 * its reason in the test that goes through pg_settings.
 */
export const PINS: Readonly<Record<string, string>> = {
  // What a text means. The message that says so is read before it is run: nothing in it may depend on these either (see `literal`).
  standard_conforming_strings: 'on',
  backslash_quote: 'safe_encoding',
  escape_string_warning: 'on',
  transform_null_equals: 'off',
  array_nulls: 'on',
  client_encoding: 'UTF8',
  // What an answer looks like.
  quote_all_identifiers: 'off',
  DateStyle: 'ISO, MDY',
  IntervalStyle: 'postgres',
  TimeZone: 'UTC',
  timezone_abbreviations: 'Default',
  bytea_output: 'hex',
  extra_float_digits: '1',
  xmlbinary: 'base64',
  xmloption: 'content',
  stats_fetch_consistency: 'cache',
  // Rows that a policy hides are an error, and no policy is ever run.
  row_security: 'off',
  // What is made.
  default_table_access_method: 'heap',
  default_tablespace: '',
  temp_tablespaces: '',
  check_function_bodies: 'on',
  createrole_self_grant: '',
  password_encryption: 'scram-sha-256',
  // What ends a statement, a transaction or a session; our own deadlines are set after this.
  transaction_timeout: '0',
  idle_session_timeout: '0',
  exit_on_error: 'off',
  // How a transaction begins that says nothing about it, as the one of a statement by itself.
  default_transaction_isolation: 'read committed',
  default_transaction_read_only: 'off',
  default_transaction_deferrable: 'off',
  // What is sent to us or written to the server's log beside what was asked: a parse tree has verifiers in it.
  client_min_messages: 'notice',
  debug_print_parse: 'off',
  debug_print_plan: 'off',
  debug_print_rewritten: 'off',
  log_parameter_max_length_on_error: '0',
  trace_notify: 'off',
  // Plans: those of the defaults, and none that needs other processes or a compiler.
  jit: 'off',
  max_parallel_workers_per_gather: '0',
  max_parallel_maintenance_workers: '0',
  debug_parallel_query: 'off',
  force_parallel_mode: 'off',
  plan_cache_mode: 'auto',
  constraint_exclusion: 'partition',
  cursor_tuple_fraction: '0.1',
  from_collapse_limit: '8',
  join_collapse_limit: '8',
  geqo: 'on',
  geqo_threshold: '12',
  geqo_effort: '5',
  geqo_generations: '0',
  geqo_pool_size: '0',
  geqo_seed: '0',
  geqo_selection_bias: '2',
  recursive_worktable_factor: '10',
  work_mem: '16MB',
  hash_mem_multiplier: '2',
  maintenance_work_mem: '64MB',
  seq_page_cost: '1',
  random_page_cost: '4',
  cpu_tuple_cost: '0.01',
  cpu_index_tuple_cost: '0.005',
  cpu_operator_cost: '0.0025',
  effective_cache_size: '4GB',
  ...Object.fromEntries(
    [
      'bitmapscan',
      'hashagg',
      'hashjoin',
      'incremental_sort',
      'indexonlyscan',
      'indexscan',
      'material',
      'memoize',
      'mergejoin',
      'nestloop',
      'partition_pruning',
      'presorted_aggregate',
      'seqscan',
      'sort',
      'tidscan',
    ].map((way) => [`enable_${way}`, 'on']),
  ),
};

/** Parameters that only a superuser may set, pinned where we are one: without them triggers do not fire, or failures are not told. */
export const SUPERUSER_PINS: Readonly<Record<string, string>> = {
  session_replication_role: 'origin',
  event_triggers: 'on',
  lo_compat_privileges: 'off',
  allow_system_table_mods: 'off',
  allow_in_place_tablespaces: 'off',
  zero_damaged_pages: 'off',
  ignore_checksum_failure: 'off',
  debug_discard_caches: '0',
  deadlock_timeout: '1s',
  // What a failure is cannot always be told by its SQLSTATE alone.
  lc_messages: 'C',
};

/** What a session has that holds or waits for something, so that a peer that is gone is noticed within seconds and not after hours. */
const KEEPALIVES: Readonly<Record<string, string>> = {
  tcp_keepalives_idle: '3',
  tcp_keepalives_interval: '2',
  tcp_keepalives_count: '3',
  tcp_user_timeout: '9000',
};

const pairs = (pins: Readonly<Record<string, string>>): string => `pg_catalog.json_each_text(${literal(JSON.stringify(pins))})`;
const isTrue = (expression: string, value: string): string => `${expression} OPERATOR(pg_catalog.=) ${value}`;
const WAS_SUPERUSER = isTrue(`pg_catalog.current_setting('is_superuser')`, `'on'`);
/** By the catalog, which costs a little more: the parameter says what was true when the session began. */
const IS_SUPERUSER = `EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE ${isTrue('r.rolname', 'session_user')} AND r.rolsuper)`;

/**
 * One SELECT that sets what differs. Every name in it is qualified, and a parameter that the server does not have is none that differs. Without
 * MATERIALIZED the condition could be asked for a value that was set meanwhile.
 */
const setSql = (from: string, isLocal: boolean): string =>
  `WITH p AS MATERIALIZED (SELECT key, value FROM (${from}) s WHERE pg_catalog.current_setting(key, true) OPERATOR(pg_catalog.<>) value)
  SELECT pg_catalog.set_config(key, value, ${isLocal}) FROM p`;

const ALL_PINS = `SELECT key, value FROM ${pairs(PINS)} UNION ALL SELECT key, value FROM ${pairs(SUPERUSER_PINS)} WHERE ${WAS_SUPERUSER}`;

/** Pins everything for the transaction that has begun. */
export const LOCAL_PINS = setSql(ALL_PINS, true);

/**
 * Before a verifier is sent: where we are a superuser, neither the server's log of failed statements nor pg_stat_statements keeps it. What failed is
 * told by ourselves.
 */
export const HIDE_STATEMENTS = setSql(
  `SELECT key, value FROM ${pairs({ log_min_error_statement: 'panic', 'pg_stat_statements.track_utility': 'off' })} WHERE ${IS_SUPERUSER}`,
  true,
);

/** Beside the pins, for statements outside of any transaction: CREATE DATABASE, LISTEN, and what a message is before its first statement is run. */
const SESSION: Readonly<Record<string, string>> = {
  search_path: 'pg_catalog, pg_temp',
  lock_timeout: '0',
  idle_in_transaction_session_timeout: '0',
};

/**
 * Statements that pin everything for the session, and make it that of our login: the database or the role may say that every session begins as
 * somebody else. They do nothing where another process answers than the one that we logged in to: what a pooler has behind it is handed to others.
 * @param pid of the process that we logged in to.
 */
export function sessionPins(pid: number | null, login: string): readonly string[] {
  const isOurs = isTrue('pg_catalog.pg_backend_pid()', String(pid ?? 0));
  const set = (name: string, value: string, where = 'true'): string =>
    `SELECT pg_catalog.set_config(${literal(name)}, ${literal(value)}, false) WHERE ${isOurs} AND ${where}`;
  // The name's own type cuts it as the server did at the login.
  const isAnother = `session_user OPERATOR(pg_catalog.<>) ${literal(login)}::pg_catalog.name AND pg_catalog.to_regrole(pg_catalog.quote_ident(${literal(login)}::pg_catalog.name::text)) IS NOT NULL`;
  return [
    // By itself and first: a timeout of milliseconds would end the others.
    setSql(`SELECT key, value FROM (VALUES ('statement_timeout', '0'), ('transaction_timeout', '0')) t(key, value) WHERE ${isOurs}`, false),
    set('session_authorization', login, isAnother),
    set('role', 'none'),
    setSql(`SELECT key, value FROM (${ALL_PINS} UNION ALL SELECT key, value FROM ${pairs({ ...SESSION, ...KEEPALIVES })}) a WHERE ${isOurs}`, false),
    // Only some systems can tell that a client is gone while a statement runs; others refuse the parameter.
    set('client_connection_check_interval', '5000', `pg_catalog.strpos(pg_catalog.version(), 'linux') OPERATOR(pg_catalog.>) 0`),
  ];
}
