// Changes by hand of every kind that is compared: what is done, where, and how it shows that it still stands.
import { stringify } from 'yaml';

export interface ByHand {
  readonly what: string;
  readonly sql: string;
  /** True for as long as the change stands. */
  readonly stands: string;
}

export const USER = 'web';
const privilege = (holds: boolean, check: string): string => (holds ? check : `NOT ${check}`);

/** What each database is made of. */
export const CONTENTS = `CREATE SCHEMA app; CREATE TABLE app.t (id int, secret text); CREATE TABLE app.u (id int); CREATE VIEW app.v AS SELECT 1 AS one;
  CREATE SEQUENCE app.s; CREATE FUNCTION app.f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'; REVOKE EXECUTE ON FUNCTION app.f FROM PUBLIC;
  CREATE TYPE app.e AS ENUM ('a'); REVOKE USAGE ON TYPE app.e FROM PUBLIC; CREATE TRUSTED LANGUAGE lang HANDLER plpgsql_call_handler;
  REVOKE USAGE ON LANGUAGE lang FROM PUBLIC;
  CREATE FOREIGN DATA WRAPPER w; CREATE SERVER fs FOREIGN DATA WRAPPER w; SELECT lo_create(4711)`;

/** What is declared for all of them. */
export function documentFor(databases: readonly string[], major: number): string {
  const within = (block: object): object => ({ databases, ...block });
  return stringify({
    roles: [
      { name: 'lead', memberOf: [] },
      { name: 'second', memberOf: [] },
      {
        name: 'reader',
        memberOf: [],
        grants: [
          within({ databasePrivileges: ['CONNECT'] }),
          within({ schemas: { app: ['USAGE'] } }),
          within({
            schemas: ['app'],
            tables: { '*': ['SELECT'] },
            sequences: { '*': ['USAGE'] },
            functions: { '*': ['EXECUTE'] },
            types: { '*': ['USAGE'] },
            columns: { t: { secret: ['UPDATE'] } },
          }),
          within({ languages: { lang: ['USAGE'] }, foreignDataWrappers: { w: ['USAGE'] }, foreignServers: { fs: ['USAGE'] } }),
          within({ largeObjects: { '4711': ['SELECT'] } }),
          { tablespaces: { pg_default: ['CREATE'] } },
          ...(major < 15 ? [] : [{ parameters: { log_duration: ['SET'] } }]),
        ],
      },
    ],
    users: [{ username: USER, roles: ['reader', 'second'], connectionLimit: 7, settings: { work_mem: '8MB' } }],
  });
}

/** One object's privileges: what is declared is revoked, what is not is granted. */
function onObject(kind: string, on: string, check: string, object: string, declared: string, other: string | undefined): ByHand[] {
  const holds = (name: string): string => `pg_catalog.${check}('reader', ${object}, '${name}')`;
  return [
    { what: `REVOKE on a ${kind}`, sql: `REVOKE ${declared} ON ${on} FROM reader`, stands: privilege(false, holds(declared)) },
    ...(other === undefined ? [] : [{ what: `GRANT on a ${kind}`, sql: `GRANT ${other} ON ${on} TO reader`, stands: privilege(true, holds(other)) }]),
    {
      what: `the grant option on a ${kind}`,
      sql: `GRANT ${declared} ON ${on} TO reader WITH GRANT OPTION`,
      stands: holds(`${declared} WITH GRANT OPTION`),
    },
  ];
}

const hasEntry = (acls: string, role: string, name: string): string =>
  `EXISTS (SELECT FROM ${acls} AS x WHERE x.grantee = '${role}'::regrole AND x.privilege_type = '${name}')`;
const DEFAULTS = 'pg_default_acl d CROSS JOIN LATERAL aclexplode(d.defaclacl)';
const LARGE_OBJECT = 'pg_largeobject_metadata l CROSS JOIN LATERAL aclexplode(l.lomacl)';

/** In one database. @param turn a number that is new each time, for objects that are made. */
export const inDatabase = (turn: number): readonly ByHand[] => [
  ...onObject('schema', 'SCHEMA app', 'has_schema_privilege', `'app'`, 'USAGE', 'CREATE'),
  ...onObject('table', 'app.u', 'has_table_privilege', `'app.u'`, 'SELECT', 'DELETE'),
  ...onObject('view', 'app.v', 'has_table_privilege', `'app.v'`, 'SELECT', 'INSERT'),
  ...onObject('sequence', 'SEQUENCE app.s', 'has_sequence_privilege', `'app.s'`, 'USAGE', 'UPDATE'),
  ...onObject('function', 'FUNCTION app.f(int)', 'has_function_privilege', `'app.f(int)'`, 'EXECUTE', undefined),
  ...onObject('type', 'TYPE app.e', 'has_type_privilege', `'app.e'`, 'USAGE', undefined),
  ...onObject('language', 'LANGUAGE lang', 'has_language_privilege', `'lang'`, 'USAGE', undefined),
  ...onObject('foreign data wrapper', 'FOREIGN DATA WRAPPER w', 'has_foreign_data_wrapper_privilege', `'w'`, 'USAGE', undefined),
  ...onObject('foreign server', 'FOREIGN SERVER fs', 'has_server_privilege', `'fs'`, 'USAGE', undefined),
  {
    what: 'REVOKE on a column',
    sql: 'REVOKE UPDATE (secret) ON app.t FROM reader',
    stands: `NOT has_column_privilege('reader', 'app.t', 'secret', 'UPDATE')`,
  },
  {
    what: 'GRANT on a column',
    sql: 'GRANT INSERT (secret) ON app.t TO reader',
    stands: `has_column_privilege('reader', 'app.t', 'secret', 'INSERT')`,
  },
  { what: 'REVOKE on a large object', sql: 'REVOKE SELECT ON LARGE OBJECT 4711 FROM reader', stands: `NOT ${hasEntry(LARGE_OBJECT, 'reader', 'SELECT')}` },
  { what: 'GRANT on a large object', sql: 'GRANT UPDATE ON LARGE OBJECT 4711 TO reader', stands: hasEntry(LARGE_OBJECT, 'reader', 'UPDATE') },
  {
    what: 'default privileges that are given',
    sql: 'ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT TRIGGER ON TABLES TO reader',
    stands: hasEntry(DEFAULTS, 'reader', 'TRIGGER'),
  },
  {
    what: 'default privileges that are taken',
    sql: 'ALTER DEFAULT PRIVILEGES IN SCHEMA app REVOKE SELECT ON TABLES FROM reader',
    stands: `NOT ${hasEntry(DEFAULTS, 'reader', 'SELECT')}`,
  },
  {
    what: 'a table that is made and that nobody may read',
    sql: `CREATE TABLE app.new_${turn} (id int); REVOKE ALL ON app.new_${turn} FROM reader`,
    stands: `NOT has_table_privilege('reader', 'app.new_${turn}', 'SELECT')`,
  },
  {
    what: 'a setting of the user in this database',
    sql: `DO $do$ BEGIN EXECUTE format('ALTER ROLE ${USER} IN DATABASE %I SET work_mem = ''9MB''', current_database()); END $do$`,
    stands: `EXISTS (SELECT FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase WHERE d.datname = current_database() AND s.setrole = '${USER}'::regrole)`,
  },
  {
    what: 'CONNECT that is taken',
    sql: `DO $do$ BEGIN EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM reader', current_database()); END $do$`,
    stands: `NOT EXISTS (SELECT FROM pg_database d CROSS JOIN LATERAL aclexplode(d.datacl) x WHERE d.datname = current_database() AND x.grantee = 'reader'::regrole AND x.privilege_type = 'CONNECT')`,
  },
  {
    what: 'CREATE on the database',
    sql: `DO $do$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO reader', current_database()); END $do$`,
    stands: `has_database_privilege('reader', current_database(), 'CREATE')`,
  },
];

const role = (name: string, column: string): string => `(SELECT ${column} FROM pg_authid WHERE rolname = '${name}')`;

/** What all databases share. */
export const inCluster = (major: number): readonly ByHand[] => [
  { what: 'an attribute', sql: 'ALTER ROLE reader CREATEDB', stands: role('reader', 'rolcreatedb') },
  { what: 'a login that is taken', sql: `ALTER ROLE ${USER} NOLOGIN`, stands: role(USER, 'NOT rolcanlogin') },
  { what: 'a limit', sql: `ALTER ROLE ${USER} CONNECTION LIMIT 9`, stands: role(USER, 'rolconnlimit = 9') },
  { what: 'a validity', sql: `ALTER ROLE ${USER} VALID UNTIL '2099-01-01'`, stands: role(USER, `coalesce(rolvaliduntil = '2099-01-01', false)`) },
  { what: 'a password that is taken', sql: `ALTER ROLE ${USER} PASSWORD NULL`, stands: role(USER, 'rolpassword IS NULL') },
  {
    what: 'a setting',
    sql: `ALTER ROLE ${USER} SET work_mem = '1GB'`,
    stands: `EXISTS (SELECT FROM pg_db_role_setting WHERE setrole = '${USER}'::regrole AND 'work_mem=1GB' = ANY (setconfig))`,
  },
  { what: 'a membership that is taken', sql: `REVOKE reader FROM ${USER}`, stands: `NOT pg_has_role('${USER}', 'reader', 'MEMBER')` },
  { what: 'a membership that is given', sql: `GRANT lead TO ${USER}`, stands: `pg_has_role('${USER}', 'lead', 'MEMBER')` },
  {
    what: 'an option of a membership',
    sql: `GRANT second TO ${USER} WITH ADMIN OPTION`,
    stands: `EXISTS (SELECT FROM pg_auth_members WHERE member = '${USER}'::regrole AND roleid = 'second'::regrole AND admin_option)`,
  },
  {
    what: 'a tablespace',
    sql: 'REVOKE CREATE ON TABLESPACE pg_default FROM reader',
    stands: `NOT has_tablespace_privilege('reader', 'pg_default', 'CREATE')`,
  },
  ...(major < 15
    ? []
    : [
        {
          what: 'a parameter',
          sql: 'GRANT ALTER SYSTEM ON PARAMETER log_duration TO reader',
          stands: `has_parameter_privilege('reader', 'log_duration', 'ALTER SYSTEM')`,
        },
      ]),
];
