// Every ACL of a database and of what all share, byte for byte: for tests that hold a server against itself before and after.
import type pg from 'pg';

const outside = `n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'pgsteward', 'pgsteward_trigger')`;
const inSchemas = (catalog: string, namespace: string, name: string, acl: string, owner: string): string =>
  `SELECT '${catalog}', n.nspname || '.' || ${name}, ${acl}::text, ${owner} FROM ${catalog} o JOIN pg_namespace n ON n.oid = o.${namespace} WHERE ${outside}`;

const ACLS = [
  `SELECT 'pg_database' AS catalog, datname::text AS name, datacl::text AS acl, datdba AS owner FROM pg_database`,
  `SELECT 'pg_tablespace', spcname::text, spcacl::text, spcowner FROM pg_tablespace`,
  `SELECT 'pg_namespace', nspname::text, nspacl::text, nspowner FROM pg_namespace n WHERE ${outside}`,
  inSchemas('pg_class', 'relnamespace', 'o.relname', 'o.relacl', 'o.relowner'),
  inSchemas('pg_proc', 'pronamespace', `o.proname || '(' || oidvectortypes(o.proargtypes) || ')'`, 'o.proacl', 'o.proowner'),
  inSchemas('pg_type', 'typnamespace', 'o.typname', 'o.typacl', 'o.typowner'),
  `SELECT 'pg_attribute', o.oid::regclass || '.' || a.attname, a.attacl::text, o.relowner FROM pg_attribute a JOIN pg_class o ON o.oid = a.attrelid
   JOIN pg_namespace n ON n.oid = o.relnamespace WHERE a.attacl IS NOT NULL AND ${outside}`,
  `SELECT 'pg_language', lanname::text, lanacl::text, lanowner FROM pg_language`,
  `SELECT 'pg_foreign_data_wrapper', fdwname::text, fdwacl::text, fdwowner FROM pg_foreign_data_wrapper`,
  `SELECT 'pg_foreign_server', srvname::text, srvacl::text, srvowner FROM pg_foreign_server`,
  `SELECT 'pg_largeobject', oid::text, lomacl::text, lomowner FROM pg_largeobject_metadata`,
  `SELECT 'pg_default_acl', defaclrole::regrole || ' ' || defaclnamespace::regnamespace || ' ' || defaclobjtype::text, defaclacl::text, defaclrole FROM pg_default_acl`,
];

/** A line for each object with its owner and ACL, in a fixed order. */
export async function allAcls(client: pg.Client): Promise<readonly string[]> {
  const { rows } = await client.query<{ line: string }>(
    `SELECT format('%s %s %s %s', catalog, name, owner::regrole, acl) AS line FROM (${ACLS.join('\nUNION ALL ')}) x ORDER BY 1`,
  );
  return rows.map(({ line }) => line);
}

/** How many entries these ACLs have. */
export const entriesIn = (lines: readonly string[]): number => lines.reduce((sum, line) => sum + (line.match(/=[a-zA-Z*]*\//g)?.length ?? 0), 0);
