// What an owner, a creator of objects and a member try in a database: each action is SQL of theirs, of which much may fail.
import { PAYLOAD } from './canaries.ts';
import { cut, hostileName, ident, literal, type Random, RUNS, SEPARATORS } from './random.ts';

export interface Moment {
  readonly random: Random;
  /** Names that this history uses again and again, so that what is called so meets. */
  readonly names: readonly string[];
}

type Action = (moment: Moment) => readonly string[];

const plpgsql = (returns: string, body: string, more = ''): string =>
  `RETURNS ${returns} LANGUAGE plpgsql ${more} AS ${literal(`BEGIN ${PAYLOAD} ${body} END`)}`;
const SCHEMAS = ['s', 'public'] as const;
const PAY = 's.pay(int)';
const MAKE_PAY = `CREATE OR REPLACE FUNCTION ${PAY} ${plpgsql('int', 'RETURN $1;', 'IMMUTABLE')}`;
const name = ({ random, names }: Moment): string => random.pick(names);
const place = ({ random }: Moment): string => random.pick(SCHEMAS);
const sql = `LANGUAGE sql AS 'SELECT 1'`;

/**
 * Types that go on as SQL behind every separator, functions that take them, and functions of the names that are left where somebody puts name and
 * type together and takes them apart at the last separator. Half of the time what was granted on them is taken back, so that there is work to do.
 */
const typed: Action = ({ random }) => {
  const run = random.pick(RUNS);
  const made = SEPARATORS.flatMap((separator) =>
    [')', random.pick(['"', '")', ''])].flatMap((end) => {
      const type = cut(`x${separator}${end} TO m;${run};--`);
      return [
        `CREATE TYPE s.${ident(type)} ${random.pick(['AS (a int)', `AS ENUM ('a')`, 'AS RANGE (SUBTYPE = int)'])}`,
        `CREATE FUNCTION s.f(s.${ident(type)}) RETURNS int ${sql}`,
        `CREATE FUNCTION s.${ident(`f${separator}s."x`)}() RETURNS int ${sql}`,
        ...(random.oneIn(4)
          ? [`CREATE PROCEDURE s.g(s.${ident(type)}[], OUT o int) LANGUAGE plpgsql AS 'BEGIN END'`, `CREATE TABLE s.${ident(type)} (${ident(type)} int)`]
          : []),
      ];
    }),
  );
  return [...made, ...(random.oneIn(2) ? ['REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA s FROM app, PUBLIC'] : [])];
};

const ACTIONS: Readonly<Record<string, Action>> = {
  typed,
  typedAgain: typed,
  typedOften: typed,
  schema: (moment) => [`CREATE SCHEMA ${ident(name(moment))}`],
  types: (moment) => [
    `CREATE TYPE ${place(moment)}.${ident(name(moment))} AS ENUM ('a', ${literal(name(moment))})`,
    `CREATE DOMAIN s.${ident(name(moment))} AS int CHECK (${PAY.replace('int', 'VALUE')} > 0)`,
  ],
  routines: (moment) => [
    `CREATE FUNCTION ${place(moment)}.${ident(name(moment))}(${ident(name(moment))} int, "char", text[]) RETURNS int ${sql}`,
    `CREATE PROCEDURE s.p(OUT a int, IN b int, IN c int) LANGUAGE plpgsql AS 'BEGIN END'`,
    `CREATE PROCEDURE s.p(${ident(name(moment))} int, b int, c int) LANGUAGE plpgsql AS 'BEGIN END'`,
    `CREATE PROCEDURE s.${ident(name(moment))}(INOUT ${ident(name(moment))} int, VARIADIC b text[]) LANGUAGE plpgsql AS 'BEGIN END'`,
  ],
  definer: () => [
    `CREATE FUNCTION s.run(text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS ${literal(`BEGIN ${PAYLOAD} EXECUTE $1; END`)}`,
    'GRANT EXECUTE ON FUNCTION s.run(text) TO PUBLIC',
  ],
  table: (moment) => [`CREATE TABLE ${place(moment)}.${ident(name(moment))} (${ident(name(moment))} int, id int DEFAULT ${PAY.replace('int', '1')})`],
  expressions: (moment) => {
    const table = `s.${ident(name(moment))}`;
    return [
      `CREATE TABLE ${table} (id int, CHECK (${PAY.replace('int', 'id')} IS NOT NULL))`,
      `INSERT INTO ${table} SELECT generate_series(1, 5)`,
      `CREATE INDEX ON ${table} (${PAY.replace('int', 'id')})`,
      `CREATE STATISTICS s.${ident(name(moment))} ON (${PAY.replace('int', 'id')}), id FROM ${table}`,
    ];
  },
  policy: (moment) => {
    const table = `s.${ident(name(moment))}`;
    return [
      `CREATE TABLE ${table} (id int)`,
      `ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY`,
      `CREATE POLICY ${ident(name(moment))} ON ${table} USING (${PAY.replace('int', 'id')} > 0)`,
    ];
  },
  triggers: (moment) => {
    const table = `s.${ident(name(moment))}`;
    return [
      `CREATE FUNCTION s.fire() ${plpgsql('trigger', 'RETURN NEW;')}`,
      `CREATE TABLE ${table} (id int)`,
      `CREATE TRIGGER ${ident(name(moment))} BEFORE INSERT OR UPDATE OR DELETE ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION s.fire()`,
      `CREATE RULE ${ident(name(moment))} AS ON UPDATE TO ${table} DO ALSO SELECT ${PAY.replace('int', '1')}`,
    ];
  },
  views: (moment) => [
    `CREATE VIEW s.${ident(name(moment))} AS SELECT ${PAY.replace('int', '1')} AS ${ident(name(moment))}`,
    'CREATE VIEW s.secrets AS SELECT * FROM pg_catalog.pg_authid',
    `CREATE MATERIALIZED VIEW s.${ident(name(moment))} AS SELECT ${PAY.replace('int', '1')} AS one`,
    'GRANT SELECT ON ALL TABLES IN SCHEMA s TO PUBLIC',
  ],
  shadows: (moment) =>
    ['public', 's', 'pg_temp'].flatMap((where) => [
      `CREATE FUNCTION ${where}.hashint8extended(bigint, integer) ${plpgsql('bigint', 'RETURN 1;')}`,
      `CREATE FUNCTION ${where}.concat(bigint, text, numeric) ${plpgsql('text', `RETURN '';`)}`,
      `CREATE FUNCTION ${where}.${moment.random.pick(['format_type(oid, integer)', 'pg_get_userbyid(oid)', 'quote_ident(name)', 'oidvectortypes(oidvector)'])} ${plpgsql('text', `RETURN 'm';`)}`,
      `CREATE FUNCTION ${where}.same(name, text) ${plpgsql('boolean', 'RETURN true;')}`,
      `CREATE OPERATOR ${where}.= (LEFTARG = name, RIGHTARG = text, FUNCTION = ${where}.same)`,
      `CREATE TABLE ${where}.pg_roles (rolname name, oid oid)`,
    ]),
  casts: (moment) => [
    `CREATE TYPE s.${ident(name(moment))} AS ENUM ('a')`,
    `CREATE FUNCTION s.cast_it(s.${ident(name(moment))}) ${plpgsql('text', `RETURN '';`)}`,
    `CREATE CAST (s.${ident(name(moment))} AS text) WITH FUNCTION s.cast_it(s.${ident(name(moment))}) AS IMPLICIT`,
  ],
  temporary: (moment) => [
    `CREATE TYPE pg_temp.${ident(name(moment))} AS (a int)`,
    `CREATE FUNCTION s.t(pg_temp.${ident(name(moment))}) RETURNS int ${sql}`,
    `CREATE FUNCTION pg_temp.${ident(name(moment))}() ${plpgsql('int', 'RETURN 1;')}`,
  ],
  largeObjects: ({ random }) => [
    'SELECT lo_create(0)',
    `SELECT lo_create(${16_000 + random.below(9)})`,
    `DO $$ DECLARE o oid; BEGIN FOR o IN SELECT oid FROM pg_largeobject_metadata LOOP EXECUTE format('GRANT ALL ON LARGE OBJECT %s TO app', o); END LOOP; END $$`,
  ],
  defaults: (moment) => [
    `ALTER DEFAULT PRIVILEGES ${moment.random.pick(['', 'IN SCHEMA s', `IN SCHEMA ${ident(name(moment))}`])} ${moment.random.pick(['GRANT SELECT ON TABLES TO PUBLIC', 'GRANT EXECUTE ON FUNCTIONS TO app', 'REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC', 'GRANT ALL ON TYPES TO trudy'])}`,
  ],
  plant: () => [
    'CREATE SCHEMA pgsteward',
    'CREATE TABLE pgsteward.trigger_subject (role text PRIMARY KEY, mode text NOT NULL, database oid NOT NULL)',
    `CREATE TABLE pgsteward.trigger_rule (key text PRIMARY KEY, role text NOT NULL, kind text NOT NULL, schema text NOT NULL, name text NOT NULL, second text, glob boolean NOT NULL,
      wide boolean NOT NULL, implied boolean NOT NULL, rank int[] NOT NULL, privileges text[] NOT NULL, options boolean[] NOT NULL, place text GENERATED ALWAYS AS (name) STORED)`,
    `INSERT INTO pgsteward.trigger_subject VALUES ('app', 'exact', 0)`,
    ...['trigger_subject', 'trigger_rule', 'managed_role', 'audit_log'].flatMap((table) => [
      `CREATE TABLE IF NOT EXISTS pgsteward.${table} (id int)`,
      `ALTER TABLE pgsteward.${table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY`,
      `CREATE POLICY evil ON pgsteward.${table} USING (${PAY.replace('int', '1')} > 0)`,
    ]),
    `CREATE FUNCTION pgsteward.apply_rules() ${plpgsql('trigger', 'RETURN NULL;')}`,
  ],
  database: (moment) => {
    const { random } = moment;
    return [
      `ALTER DATABASE shop SET ${random.pick(['role = m', 'role = team', 'search_path = s, public, pg_catalog', 'standard_conforming_strings = off', 'quote_all_identifiers = on', 'default_transaction_read_only = on', 'backslash_quote = on', 'row_security = off', 'check_function_bodies = off', 'client_encoding = LATIN1', 'DateStyle = German', 'escape_string_warning = off', 'default_with_oids = off', 'session_replication_role = replica', 'transform_null_equals = on', 'array_nulls = off', 'xmloption = document', 'default_tablespace = pg_default'])}`,
      ...(random.oneIn(3) ? ['ALTER DATABASE shop RESET ALL'] : []),
    ];
  },
  ownSettings: (moment) => {
    const { random } = moment;
    return [
      `ALTER ROLE m SET ${random.pick(['search_path', '"a.b"', 'app.x'])} = ${literal(name(moment))}`,
      'SET search_path = s',
      'ALTER ROLE m SET search_path FROM CURRENT',
      'ALTER ROLE m SET role = team',
    ];
  },
  revoke: ({ random }) =>
    random.pick([
      ['REVOKE ALL ON ALL ROUTINES IN SCHEMA s FROM app, PUBLIC', 'REVOKE ALL ON ALL ROUTINES IN SCHEMA public FROM app, PUBLIC'],
      ['REVOKE ALL ON ALL TABLES IN SCHEMA s FROM app', 'REVOKE ALL ON SCHEMA s FROM app'],
      [
        `DO $$ DECLARE t text; BEGIN FOR t IN SELECT oid::regtype FROM pg_type WHERE typnamespace = 's'::regnamespace AND typtype IN ('c', 'd', 'e') LOOP BEGIN EXECUTE 'REVOKE ALL ON TYPE ' || t || ' FROM app'; EXCEPTION WHEN OTHERS THEN NULL; END; END LOOP; END $$`,
      ],
    ]),
  pass: () => [
    'GRANT ALL ON SCHEMA s TO trudy WITH GRANT OPTION',
    'GRANT ALL ON ALL TABLES IN SCHEMA s TO trudy WITH GRANT OPTION',
    'GRANT EXECUTE ON ALL ROUTINES IN SCHEMA s TO trudy WITH GRANT OPTION',
    'GRANT CREATE ON SCHEMA s TO PUBLIC',
  ],
  comments: (moment) => [`COMMENT ON SCHEMA s IS ${literal(name(moment))}`, `COMMENT ON DATABASE shop IS ${literal(name(moment))}`],
  owners: ({ random }) => [
    `ALTER SCHEMA s OWNER TO ${random.pick(['team', 'app', 'm'])}`,
    `ALTER TABLE s.x OWNER TO team`,
    `ALTER FUNCTION ${PAY} OWNER TO ${random.pick(['team', 'm', 'steward', 'adm', 'postgres'])}`,
  ],
  lock: () => [`BEGIN; ALTER ROLE m PASSWORD 'other other'; PREPARE TRANSACTION 'kept'`],
  publication: (moment) => [`CREATE PUBLICATION ${ident(name(moment))}`, 'NOTIFY pgsteward', `SELECT pg_advisory_lock(1886876532, 1)`],
  extension: () => [
    MAKE_PAY,
    `CREATE DOMAIN s.cube AS float8 CHECK (${PAY.replace('int', 'VALUE::int')} > -1)`,
    ...[
      'cube_distance(s.cube, s.cube)',
      'cube_dim(s.cube)',
      'cube_ll_coord(s.cube, int)',
      'cube(float8)',
      'cube(float8, float8)',
      'cube_enlarge(s.cube, float8, int)',
    ].map((signature) => `CREATE FUNCTION s.${signature} ${plpgsql(signature.startsWith('cube(') ? 's.cube' : 'float8', 'RETURN 1;')}`),
  ],
};

/** Always first: the function that everything calls. */
export const FIRST: readonly string[] = ['CREATE SCHEMA s', MAKE_PAY];

/** Statements of one action, and what it is called. */
export function nextAction(moment: Moment): { readonly what: string; readonly statements: readonly string[] } {
  const what = moment.random.pick(Object.keys(ACTIONS));
  return { what, statements: ACTIONS[what]?.(moment) ?? [] };
}

/** Everything that an accomplice would call or read then. */
export const HARVEST = [
  `DO $$ DECLARE c text; BEGIN FOR c IN SELECT format('SELECT * FROM %I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'v', 'm') AND n.nspname !~ '^(pg_|information_schema)' LIMIT 40 LOOP BEGIN EXECUTE c; EXCEPTION WHEN OTHERS THEN NULL; END; END LOOP; END $$`,
  `SELECT ${PAY.replace('int', '1')}`,
  `SELECT s.run('SELECT s.pay(1)')`,
  ...RUNS.map((run) => `SELECT s.run(${literal(run)})`),
] as const;

export const newNames = (random: Random): readonly string[] => Array.from({ length: 5 }, () => hostileName(random));
