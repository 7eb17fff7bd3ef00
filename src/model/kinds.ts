// The kinds of objects that privileges are granted on: what each is called in a document and in SQL, which privileges it knows, and where the catalogs have it.

/** Where the objects of a kind stand in the catalogs: SQL about a row `o`. */
export interface Stored {
  /** As pg_depend and pg_shdepend name the catalog. */
  readonly catalog: string;
  /** The one that has its ACLs, where that is another. */
  readonly rows?: string;
  readonly owner: string;
  readonly acl: string;
  readonly name: string;
  /** Its schema, for kinds that are in one. */
  readonly namespace?: string;
  /** As acldefault() calls the kind. */
  readonly code: string;
  /** Which of its rows have privileges of their own, and what else is joined to tell. */
  readonly compared?: string;
  readonly joined?: string;
  /** Which of them only an exact name means, as more comes with their privileges than the ACL shows. */
  readonly apart?: string;
}

export interface KindFacts {
  /** Its key in a block of grants; undefined for those that have a form of their own. */
  readonly key: string | undefined;
  /** The word in GRANT … ON. */
  readonly keyword: string;
  /** Where its names belong: to the cluster, to a database, or to a schema of one. */
  readonly scope: 'cluster' | 'database' | 'schema';
  /** Privileges in the order in which the server documents them, with the first major version that knows one (14 where not said). */
  readonly privileges: Readonly<Record<string, number>>;
  /** How pg_default_acl and ALTER DEFAULT PRIVILEGES call it; undefined where the server has no default privileges for it. */
  readonly defaults?: { readonly code: string; readonly keyword: string; readonly since: number };
  /** Undefined for sequences, which are read with tables. */
  readonly stored?: Stored;
  /** What CREATE and ALTER call what an event trigger hears of; undefined where it hears of nothing. */
  readonly commands?: readonly string[];
}

const since14 = (...names: readonly string[]): Readonly<Record<string, number>> => Object.fromEntries(names.map((name) => [name, 14]));

/** Most catalogs begin the names of their columns with letters of their own. */
const stored = (catalog: string, letters: string, code: string, more: Partial<Stored> = {}): Stored => ({
  catalog,
  owner: `o.${letters}owner`,
  acl: `o.${letters}acl`,
  name: `o.${letters}name`,
  code,
  ...more,
});

/** Tables, and what is read with them: sequences and columns. */
const RELATION = stored('pg_class', 'rel', 'r', { namespace: 'o.relnamespace', compared: `o.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')` });

/** In the order in which they are read. One whose objects have no plain names (as columns and routines) has them in contents.ts as well. */
const TABLE = {
  database: {
    key: undefined,
    keyword: 'DATABASE',
    scope: 'cluster',
    privileges: since14('CREATE', 'CONNECT', 'TEMPORARY'),
    stored: stored('pg_database', 'dat', 'd', { owner: 'o.datdba' }),
  },
  schema: {
    key: undefined,
    keyword: 'SCHEMA',
    scope: 'database',
    privileges: since14('USAGE', 'CREATE'),
    defaults: { code: 'n', keyword: 'SCHEMAS', since: 14 },
    stored: stored('pg_namespace', 'nsp', 'n'),
    commands: ['SCHEMA'],
  },
  table: {
    key: 'tables',
    keyword: 'TABLE',
    scope: 'schema',
    privileges: { ...since14('SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER'), MAINTAIN: 17 },
    defaults: { code: 'r', keyword: 'TABLES', since: 14 },
    stored: RELATION,
    commands: ['TABLE', 'VIEW', 'MATERIALIZED VIEW', 'FOREIGN TABLE'],
  },
  sequence: {
    key: 'sequences',
    keyword: 'SEQUENCE',
    scope: 'schema',
    privileges: since14('USAGE', 'SELECT', 'UPDATE'),
    defaults: { code: 'S', keyword: 'SEQUENCES', since: 14 },
    commands: ['SEQUENCE'],
  },
  function: {
    key: 'functions',
    keyword: 'ROUTINE',
    scope: 'schema',
    privileges: since14('EXECUTE'),
    defaults: { code: 'f', keyword: 'ROUTINES', since: 14 },
    stored: stored('pg_proc', 'pro', 'f', { namespace: 'o.pronamespace' }),
    commands: ['FUNCTION', 'PROCEDURE', 'AGGREGATE'],
  },
  type: {
    key: 'types',
    keyword: 'TYPE',
    scope: 'schema',
    privileges: since14('USAGE'),
    defaults: { code: 'T', keyword: 'TYPES', since: 14 },
    stored: stored('pg_type', 'typ', 'T', {
      namespace: 'o.typnamespace',
      joined: 'LEFT JOIN pg_catalog.pg_class k ON k.oid = o.typrelid',
      // Types of tables' rows, arrays and multiranges have no privileges of their own.
      compared: `o.typtype IN ('b', 'd', 'e', 'r', 'c') AND (k.relkind IS NULL OR k.relkind = 'c') AND NOT (o.typelem <> 0 AND o.typlen = -1)`,
    }),
    commands: ['TYPE', 'DOMAIN'],
  },
  column: {
    key: 'columns',
    keyword: 'TABLE',
    scope: 'schema',
    privileges: since14('SELECT', 'INSERT', 'UPDATE', 'REFERENCES'),
    // They stand with their tables, whom events are about; whoever reads them has their own ACLs from pg_attribute.
    stored: RELATION,
    commands: [],
  },
  language: {
    key: 'languages',
    keyword: 'LANGUAGE',
    scope: 'database',
    privileges: since14('USAGE'),
    stored: stored('pg_language', 'lan', 'l', { compared: 'o.lanpltrusted' }),
    commands: ['LANGUAGE'],
  },
  foreign_data_wrapper: {
    key: 'foreignDataWrappers',
    keyword: 'FOREIGN DATA WRAPPER',
    scope: 'database',
    privileges: since14('USAGE'),
    stored: stored('pg_foreign_data_wrapper', 'fdw', 'F'),
    commands: ['FOREIGN DATA WRAPPER'],
  },
  foreign_server: {
    key: 'foreignServers',
    keyword: 'FOREIGN SERVER',
    scope: 'database',
    privileges: since14('USAGE'),
    stored: stored('pg_foreign_server', 'srv', 'S', {
      // Whoever may use it works there as whom that mapping names.
      apart: 'EXISTS (SELECT FROM pg_catalog.pg_user_mappings u WHERE u.srvid = o.oid AND u.umuser = 0)',
    }),
    commands: ['SERVER'],
  },
  large_object: {
    key: 'largeObjects',
    keyword: 'LARGE OBJECT',
    scope: 'database',
    privileges: since14('SELECT', 'UPDATE'),
    defaults: { code: 'L', keyword: 'LARGE OBJECTS', since: 18 },
    stored: stored('pg_largeobject', 'lom', 'L', { rows: 'pg_largeobject_metadata', name: 'o.oid::text' }),
  },
  tablespace: {
    key: 'tablespaces',
    keyword: 'TABLESPACE',
    scope: 'cluster',
    privileges: since14('CREATE'),
    stored: stored('pg_tablespace', 'spc', 't'),
  },
  parameter: {
    key: 'parameters',
    keyword: 'PARAMETER',
    scope: 'cluster',
    privileges: { SET: 15, 'ALTER SYSTEM': 15 },
    // It has no owner: the bootstrap superuser's OID, which is fixed, stands for one.
    stored: stored('pg_parameter_acl', 'par', 'p', { owner: '10::pg_catalog.oid' }),
  },
} satisfies Readonly<Record<string, KindFacts>>;

export type ObjectKind = keyof typeof TABLE;

export const KINDS: Readonly<Record<ObjectKind, KindFacts>> = TABLE;

export const OBJECT_KINDS = Object.keys(KINDS) as readonly ObjectKind[];

/** Other spellings that the server takes for a privilege. */
const ALIASES: Readonly<Record<string, string>> = { TEMP: 'TEMPORARY', 'ALL PRIVILEGES': 'ALL' };

/** The server's name of a privilege, whatever its case; it may still be unknown to the kind. */
export function privilegeName(written: string): string {
  const upper = written.trim().replaceAll(/\s+/g, ' ').toUpperCase();
  return ALIASES[upper] ?? upper;
}

/** The privileges that a server of this major version has for a kind: what ALL stands for. */
export const privilegesOf = (kind: ObjectKind, major: number): readonly string[] =>
  Object.entries(KINDS[kind].privileges).flatMap(([name, since]) => (major >= since ? [name] : []));

/** A kind as people say it: «foreign data wrapper». */
export const kindWords = (kind: ObjectKind): string => kind.replaceAll('_', ' ');
