// Parameters of sessions: whatever anybody set on the database, the role or the server, the same is read, planned and done.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { sentenceOf } from '../../src/changes/change.ts';
import { PINS, SUPERUSER_PINS } from '../../src/postgres/pins.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { createSteward, resetServer, type Steward } from '../support/steward.ts';

/** Parameters that anybody, or a superuser, may set, and that are not pinned: why they do not matter. */
const LEFT: readonly (readonly [reason: string, ...names: string[]])[] = [
  ['set with each transaction', 'search_path', 'lock_timeout', 'statement_timeout', 'idle_in_transaction_session_timeout'],
  ['said by BEGIN itself', 'transaction_isolation', 'transaction_read_only', 'transaction_deferrable'],
  ['pinned for the session', 'client_connection_check_interval', 'tcp_keepalives_count', 'tcp_keepalives_idle', 'tcp_keepalives_interval', 'tcp_user_timeout'],
  ['said with the login', 'application_name'],
  [
    'how safe a commit is belongs to the operator; where it must be on it is set',
    'synchronous_commit',
    'commit_delay',
    'commit_siblings',
    'wal_skip_threshold',
  ],
  ['read, not obeyed', 'scram_iterations'],
  [
    'nothing of ours is formatted, sorted, searched or compressed by it',
    'lc_monetary',
    'lc_numeric',
    'lc_time',
    'default_text_search_config',
    'icu_validation_level',
    'gin_fuzzy_search_limit',
    'gin_pending_list_limit',
    'default_toast_compression',
    'md5_password_warnings',
    'restrict_nonsystem_relation_kind',
  ],
  ['loaded before anything of ours runs, and only from the folder that the operator fills', 'local_preload_libraries', 'session_preload_libraries'],
  ['only a superuser says what is loaded from where', 'dynamic_library_path', 'extension_control_path'],
  [
    'VACUUM and ANALYZE are none of our statements',
    'default_statistics_target',
    'vacuum_buffer_usage_limit',
    'vacuum_cost_delay',
    'vacuum_cost_limit',
    'vacuum_cost_page_dirty',
    'vacuum_cost_page_hit',
    'vacuum_cost_page_miss',
    'vacuum_failsafe_age',
    'vacuum_freeze_min_age',
    'vacuum_freeze_table_age',
    'vacuum_max_eager_freeze_failure_rate',
    'vacuum_multixact_failsafe_age',
    'vacuum_multixact_freeze_min_age',
    'vacuum_multixact_freeze_table_age',
    'vacuum_truncate',
  ],
  [
    'how files and memory are used, within limits that the server checks',
    'backend_flush_after',
    'effective_io_concurrency',
    'io_combine_limit',
    'maintenance_io_concurrency',
    'file_copy_method',
    'temp_buffers',
    'temp_file_limit',
    'max_stack_depth',
    'synchronize_seqscans',
    'logical_decoding_work_mem',
    'debug_logical_replication_streaming',
    'wal_compression',
    'wal_init_zero',
    'wal_recycle',
    'wal_consistency_checking',
    'wal_sender_timeout',
  ],
  [
    'plans of partitions, unions, parallel and foreign scans, which are none of ours, or no more than another order of the same',
    'enable_async_append',
    'enable_distinct_reordering',
    'enable_gathermerge',
    'enable_group_by_reordering',
    'enable_parallel_append',
    'enable_parallel_hash',
    'enable_partitionwise_aggregate',
    'enable_partitionwise_join',
    'enable_self_join_elimination',
    'jit_above_cost',
    'jit_inline_above_cost',
    'jit_optimize_above_cost',
    'jit_dump_bitcode',
    'jit_expressions',
    'jit_tuple_deforming',
    'max_parallel_workers',
    'min_parallel_index_scan_size',
    'min_parallel_table_scan_size',
    'parallel_leader_participation',
    'parallel_setup_cost',
    'parallel_tuple_cost',
  ],
  [
    'what the operator has in the log of the server, and counts',
    'backtrace_functions',
    'compute_query_id',
    'debug_pretty_print',
    'log_duration',
    'log_error_verbosity',
    'log_executor_stats',
    'log_lock_failures',
    'log_lock_waits',
    'log_min_duration_sample',
    'log_min_duration_statement',
    'log_min_error_statement',
    'log_min_messages',
    'log_parameter_max_length',
    'log_parser_stats',
    'log_planner_stats',
    'log_replication_commands',
    'log_statement',
    'log_statement_sample_rate',
    'log_statement_stats',
    'log_temp_files',
    'log_transaction_sample_rate',
    'trace_sort',
    'track_activities',
    'track_cost_delay_timing',
    'track_counts',
    'track_functions',
    'track_io_timing',
    'track_wal_io_timing',
    'update_process_title',
  ],
];

/** What has no worst value by its type alone. */
const WORST: Readonly<Record<string, string>> = {
  search_path: 'evil, public',
  DateStyle: 'German, DMY',
  TimeZone: 'Asia/Kathmandu',
  timezone_abbreviations: 'India',
  client_encoding: 'SQL_ASCII',
  default_tablespace: 'pg_global',
  temp_tablespaces: 'pg_global',
  createrole_self_grant: 'set, inherit',
  default_transaction_isolation: 'serializable',
  statement_timeout: '20',
  // The server itself ends a session that says nothing for so long, before it has said anything.
  idle_session_timeout: '150',
  idle_in_transaction_session_timeout: '1',
  transaction_timeout: '50',
  lc_messages: 'C.UTF-8',
  work_mem: '64',
  // Shared buffers of a test are small enough.
  maintenance_work_mem: '1024',
};

interface Parameter {
  readonly name: string;
  readonly vartype: string;
  readonly boot: string;
  readonly min: string | null;
  readonly max: string | null;
  readonly values: readonly string[] | null;
}

let server: Postgres;
let steward: Steward;
let parameters: readonly Parameter[];
beforeAll(async () => {
  server = await startPostgres({ settings: { log_statement: 'none', max_connections: '120' } });
  parameters = await server.query<Parameter & Record<string, unknown>>(
    `SELECT name, vartype, boot_val AS boot, min_val AS min, max_val AS max, enumvals AS values FROM pg_settings WHERE context IN ('user', 'superuser') ORDER BY name`,
  );
});
afterAll(() => server.stop());
beforeEach(async () => {
  steward = await createSteward(server, { MAX_LISTENERS: '0', DB_STATEMENT_TIMEOUT: '20' });
});
afterEach(async () => {
  await steward.close();
  await resetServer(server);
});

function worst({ name, vartype, boot, min, max, values }: Parameter): string {
  const chosen = WORST[name];
  if (chosen !== undefined) return chosen;
  if (vartype === 'bool') return boot === 'on' ? 'off' : 'on';
  if (vartype === 'enum') return values?.findLast((value) => value !== boot) ?? boot;
  return (max === boot ? min : max) ?? boot;
}

const written = (parameter: Parameter): string => `"${parameter.name}" = ${parameter.name === 'search_path' ? worst(parameter) : `'${worst(parameter)}'`}`;

/** The operator's own session has none of what is set for others. */
const OPERATOR = `SET statement_timeout = 0; SET idle_session_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET exit_on_error = off;
  SET default_transaction_read_only = off; SET standard_conforming_strings = on; SELECT set_config('transaction_timeout', '0', false) WHERE current_setting('transaction_timeout', true) <> '0'`;

const pinned = (): readonly Parameter[] =>
  parameters.filter(({ name }) => name in PINS || name in SUPERUSER_PINS || LEFT[0]?.includes(name) === true || name === 'scram_iterations');

const plan = async (): Promise<readonly string[]> => {
  const dry = await steward.restart({ DRY_RUN: 'true' });
  const report = await dry.cycle();
  expect([report.error, report.notices.filter(({ kind }) => kind !== 'pending')]).toEqual([undefined, []]);
  steward = await dry.restart({ DRY_RUN: 'false' });
  return report.planned.map(sentenceOf);
};

/** Schemas, types and names that look otherwise under other parameters, and a login whose end is a moment. */
const SETUP = `CREATE SCHEMA pgboss; CREATE TABLE pgboss.job (id int, "Odd \\ name" text); CREATE SCHEMA "we\\ird"; CREATE TABLE "we\\ird"."t'able" (id int);
  CREATE FUNCTION pgboss.purge(integer, text) RETURNS int LANGUAGE sql AS 'SELECT 1'; GRANT SELECT ON pgboss.job TO reader; GRANT EXECUTE ON FUNCTION pgboss.purge(integer, text) TO reader`;

it('every parameter that anybody may set is pinned, or it is said why it does not matter', () => {
  const known = new Set([...Object.keys(PINS), ...Object.keys(SUPERUSER_PINS), ...LEFT.flatMap(([, ...names]) => names)]);
  expect(parameters.map(({ name }) => name).filter((name) => !known.has(name))).toEqual([]);
});

it('whatever is set on the database, the role or the server, the same is read and planned, and cycles do it', { timeout: 600_000 }, async () => {
  await server.query('CREATE DATABASE shop');
  await server.query('CREATE ROLE reader; CREATE ROLE other');
  await server.query(SETUP, 'shop');
  steward.manifests.users(
    stringify({
      roles: [
        {
          name: 'reader',
          comment: 'reads \\ "it"',
          grants: [{ database: 'shop', schemas: ['pgboss', 'we*'], tables: { '*': ['INSERT'] }, functions: { 'purge(integer, text)': [] } }],
        },
      ],
      users: [{ username: 'web', login: false, roles: ['reader'], validUntil: '2031-02-03T04:05:06Z', settings: { search_path: 'a"b, c' } }],
    }),
  );
  const calm = await plan();
  expect(calm.join('\n')).toMatch(/revoke SELECT on table pgboss\.job/);
  expect(calm.join('\n')).toMatch(/revoke EXECUTE on function pgboss\.purge/);
  const targets: Readonly<Record<string, readonly [set: string, reset: string]>> = {
    database: ['ALTER DATABASE shop SET @; ALTER DATABASE postgres SET @', 'ALTER DATABASE shop RESET ALL; ALTER DATABASE postgres RESET ALL'],
    role: ['ALTER ROLE postgres SET @', 'ALTER ROLE postgres RESET ALL'],
  };
  const operator = await server.client();
  await operator.query(OPERATOR);
  for (const [where, [set, reset]] of Object.entries(targets)) {
    for (const parameter of pinned()) {
      await operator.query(set.replaceAll('@', written(parameter)));
      expect(await plan(), `${written(parameter)} on the ${where}`).toEqual(calm);
      await operator.query(reset);
    }
  }
  // All others at once; with everything hostile, a login by itself takes longer than those leave.
  const together = pinned().filter(({ name }) => !name.endsWith('_timeout'));
  for (const parameter of together) await operator.query(`ALTER SYSTEM SET ${written(parameter)}`);
  await operator.query('SELECT pg_reload_conf()');
  await sleep(500);
  expect(await plan(), 'everything on the server').toEqual(calm);
  for (const parameter of together) for (const [set] of Object.values(targets)) await operator.query(set.replaceAll('@', written(parameter)));
  expect(await plan(), 'everything everywhere').toEqual(calm);
  expect((await steward.cycle()).result).toBe('changed');
  const again = await steward.cycle();
  expect([again.result, again.error, again.notices]).toEqual(['converged', undefined, []]);
  // A new database, and a look with nothing in memory at what this one has left.
  steward.manifests.users(stringify({ databases: [{ name: 'made', create: true }], users: [{ username: 'web', login: false }] }));
  expect((await steward.cycle()).outcomes.map(({ result }) => result)).toContain('applied');
  steward = await steward.restart();
  expect((await steward.cycle()).result).toBe('converged');
  await operator.query('ALTER SYSTEM RESET ALL');
  for (const [, reset] of Object.values(targets)) await operator.query(reset);
  await operator.query('SELECT pg_reload_conf()');
  await operator.end();
});

it.each(['a superuser', 'a plain admin'])(
  'each parameter by itself on the server changes nothing of what %s reads and plans, timeouts included',
  async (who) => {
    await steward.close();
    await server.query(`CREATE ROLE reader; CREATE ROLE adm LOGIN CREATEROLE PASSWORD 'adm'; GRANT reader TO adm WITH ADMIN OPTION`);
    const plain = { MAX_LISTENERS: '0', DB_USER: 'adm', DB_PASS: 'adm', DRY_RUN: 'true' };
    steward = await createSteward(server, who === 'a superuser' ? { MAX_LISTENERS: '0', DRY_RUN: 'true' } : plain);
    steward.manifests.users([{ username: 'web', login: false, roles: ['reader'], validUntil: '2031-02-03T04:05:06Z', settings: { search_path: 'a"b, c' } }]);
    const planned = async (): Promise<unknown> => {
      // New sessions, as they begin under what is set now.
      steward = await steward.restart();
      const { error, notices, planned: changes } = await steward.cycle();
      return [error, notices.filter(({ kind }) => kind === 'failed'), changes.map(sentenceOf)];
    };
    const calm = await planned();
    expect(JSON.stringify(calm)).toContain('create user: web');
    const operator = await server.client();
    await operator.query(OPERATOR);
    const isSet = async (name: string): Promise<boolean> =>
      (await operator.query(`SELECT FROM pg_settings WHERE name = $1 AND (sourcefile LIKE '%auto.conf' OR source = 'session')`, [name])).rows.length > 0;
    try {
      for (const parameter of pinned()) {
        await operator.query(`ALTER SYSTEM SET ${written(parameter)}`);
        await operator.query('SELECT pg_reload_conf()');
        for (let tries = 0; tries < 200 && !(await isSet(parameter.name)); tries += 1) await sleep(10);
        // What the operator has set for this very session says nothing of the file.
        await sleep(50);
        expect(await planned(), `${written(parameter)} on the server`).toEqual(calm);
        await operator.query(`ALTER SYSTEM RESET "${parameter.name}"`);
      }
    } finally {
      await operator.query('ALTER SYSTEM RESET ALL');
      await operator.query('SELECT pg_reload_conf()');
      await operator.end();
    }
  },
);
