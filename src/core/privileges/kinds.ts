// The kinds of objects that privileges are granted on: what each is called in a document and in SQL, and which privileges it knows.
// A new kind is a row here, a query in postgres/read-objects.ts, and an example in docs/privileges.md.

export const OBJECT_KINDS = [
  'database',
  'schema',
  'table',
  'column',
  'sequence',
  'function',
  'type',
  'language',
  'foreign_data_wrapper',
  'foreign_server',
  'large_object',
  'tablespace',
  'parameter',
] as const;

export type ObjectKind = (typeof OBJECT_KINDS)[number];

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
}

const since14 = (...names: readonly string[]): Readonly<Record<string, number>> => Object.fromEntries(names.map((name) => [name, 14]));

export const KINDS: Readonly<Record<ObjectKind, KindFacts>> = {
  database: { key: undefined, keyword: 'DATABASE', scope: 'cluster', privileges: since14('CREATE', 'CONNECT', 'TEMPORARY') },
  schema: {
    key: undefined,
    keyword: 'SCHEMA',
    scope: 'database',
    privileges: since14('USAGE', 'CREATE'),
    defaults: { code: 'n', keyword: 'SCHEMAS', since: 14 },
  },
  table: {
    key: 'tables',
    keyword: 'TABLE',
    scope: 'schema',
    privileges: { ...since14('SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER'), MAINTAIN: 17 },
    defaults: { code: 'r', keyword: 'TABLES', since: 14 },
  },
  column: { key: 'columns', keyword: 'TABLE', scope: 'schema', privileges: since14('SELECT', 'INSERT', 'UPDATE', 'REFERENCES') },
  sequence: {
    key: 'sequences',
    keyword: 'SEQUENCE',
    scope: 'schema',
    privileges: since14('USAGE', 'SELECT', 'UPDATE'),
    defaults: { code: 'S', keyword: 'SEQUENCES', since: 14 },
  },
  // ROUTINE names functions, procedures and aggregates alike; FUNCTION refuses a procedure.
  function: {
    key: 'functions',
    keyword: 'ROUTINE',
    scope: 'schema',
    privileges: since14('EXECUTE'),
    defaults: { code: 'f', keyword: 'ROUTINES', since: 14 },
  },
  type: { key: 'types', keyword: 'TYPE', scope: 'schema', privileges: since14('USAGE'), defaults: { code: 'T', keyword: 'TYPES', since: 14 } },
  language: { key: 'languages', keyword: 'LANGUAGE', scope: 'database', privileges: since14('USAGE') },
  foreign_data_wrapper: { key: 'foreignDataWrappers', keyword: 'FOREIGN DATA WRAPPER', scope: 'database', privileges: since14('USAGE') },
  foreign_server: { key: 'foreignServers', keyword: 'FOREIGN SERVER', scope: 'database', privileges: since14('USAGE') },
  large_object: {
    key: 'largeObjects',
    keyword: 'LARGE OBJECT',
    scope: 'database',
    privileges: since14('SELECT', 'UPDATE'),
    defaults: { code: 'L', keyword: 'LARGE OBJECTS', since: 18 },
  },
  tablespace: { key: 'tablespaces', keyword: 'TABLESPACE', scope: 'cluster', privileges: since14('CREATE') },
  parameter: { key: 'parameters', keyword: 'PARAMETER', scope: 'cluster', privileges: { SET: 15, 'ALTER SYSTEM': 15 } },
};

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
