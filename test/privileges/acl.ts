// What a server's catalogs say about privileges, read for tests alone: every object with its ACL, and the raw entries of chosen roles.
import type pg from 'pg';
import type { ActualObject } from './evaluator.ts';

export interface Entry {
  /** Empty for PUBLIC. */
  readonly grantee: string;
  readonly grantor: string;
  readonly privilege: string;
  readonly grantable: boolean;
}
export interface ObjectWithAcl extends ActualObject {
  readonly oid: string;
  readonly acl: readonly Entry[];
}

const outside = (namespace: string): string =>
  `${namespace}.nspname !~ '^pg_' AND ${namespace}.nspname NOT IN ('information_schema', 'pgsteward', 'pgsteward_trigger')`;
/** Kind, catalog, oid, schema, name, arguments, column, owner, ACL, its default's letter. */
const sources = (major: number): readonly string[] => [
  `SELECT 'database', 'pg_database'::regclass, oid, '', datname, '', '', datdba, datacl, 'd' FROM pg_database WHERE datallowconn`,
  `SELECT 'tablespace', 'pg_tablespace'::regclass, oid, '', spcname, '', '', spcowner, spcacl, 't' FROM pg_tablespace`,
  ...(major >= 15 ? [`SELECT 'parameter', 'pg_parameter_acl'::regclass, oid, '', parname, '', '', 10::oid, paracl, 'p' FROM pg_parameter_acl`] : []),
  `SELECT 'schema', 'pg_namespace'::regclass, n.oid, n.nspname, n.nspname, '', '', n.nspowner, n.nspacl, 'n' FROM pg_namespace n WHERE ${outside('n')}`,
  `SELECT CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END, 'pg_class'::regclass, c.oid, n.nspname, c.relname, '', '', c.relowner, c.relacl,
     CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END
   FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND ${outside('n')}`,
  `SELECT 'column', 'pg_class'::regclass, c.oid, n.nspname, c.relname, '', a.attname, c.relowner, a.attacl, 'c'
   FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped AND ${outside('n')}`,
  `SELECT 'function', 'pg_proc'::regclass, p.oid, n.nspname, p.proname,
     (SELECT coalesce(string_agg(format_type(t.type, NULL), ', ' ORDER BY t.place), '') FROM unnest(p.proargtypes) WITH ORDINALITY t(type, place)), '', p.proowner, p.proacl, 'f'
   FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE ${outside('n')}`,
  `SELECT 'type', 'pg_type'::regclass, t.oid, n.nspname, t.typname, '', '', t.typowner, t.typacl, 'T'
   FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
   WHERE t.typtype <> 'm' AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid)
     AND (t.typrelid = 0 OR EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c')) AND ${outside('n')}`,
  `SELECT 'language', 'pg_language'::regclass, oid, '', lanname, '', '', lanowner, lanacl, 'l' FROM pg_language WHERE lanpltrusted`,
  `SELECT 'foreign_data_wrapper', 'pg_foreign_data_wrapper'::regclass, oid, '', fdwname, '', '', fdwowner, fdwacl, 'F' FROM pg_foreign_data_wrapper`,
  `SELECT 'foreign_server', 'pg_foreign_server'::regclass, oid, '', srvname, '', '', srvowner, srvacl, 'S' FROM pg_foreign_server`,
  `SELECT 'large_object', 'pg_largeobject'::regclass, oid, '', oid::text, '', '', lomowner, lomacl, 'L' FROM pg_largeobject_metadata`,
];

/** Every object of the client's database outside the system's schemas, and those of the cluster, with what its ACL stands for. */
export async function readObjects(client: pg.Client, major: number): Promise<readonly ObjectWithAcl[]> {
  const { rows } = await client.query<{ object: ObjectWithAcl }>(`
    SELECT json_build_object('kind', o.kind, 'database', CASE o.kind WHEN 'database' THEN o.name WHEN 'tablespace' THEN '' WHEN 'parameter' THEN '' ELSE current_database() END,
      'schema', o.schema, 'name', o.name, 'args', o.args, 'column', o.col, 'owner', pg_get_userbyid(o.owner), 'oid', o.oid::text,
      'extension', EXISTS (SELECT FROM pg_depend d WHERE d.classid = o.catalog AND d.objid = o.oid AND d.deptype = 'e'),
      'acl', coalesce((SELECT json_agg(json_build_object('grantee', coalesce(r.rolname, ''), 'grantor', g.rolname, 'privilege', x.privilege_type, 'grantable', x.is_grantable))
        FROM aclexplode(coalesce(o.acl, acldefault(o.code::"char", o.owner))) x LEFT JOIN pg_roles r ON r.oid = x.grantee LEFT JOIN pg_roles g ON g.oid = x.grantor), '[]')) AS object
    FROM (${sources(major).join('\nUNION ALL ')}) o(kind, catalog, oid, schema, name, args, col, owner, acl, code)
    ORDER BY o.kind, o.schema, o.name, o.args, o.col`);
  return rows.map(({ object }) => object);
}

/** The entries of these roles, except for owners', in every ACL and default ACL of the client's database and the cluster, byte for byte, in a fixed order. */
export async function rawEntries(client: pg.Client, roles: readonly string[], major: number): Promise<readonly string[]> {
  const { rows } = await client.query<{ entry: string }>(
    `SELECT format('%s %s.%s(%s).%s %s', o.kind, o.schema, o.name, o.args, o.col, item) AS entry
     FROM (${sources(major).join('\nUNION ALL ')}
       UNION ALL SELECT 'default', 'pg_default_acl'::regclass, oid, defaclnamespace::regnamespace::text, pg_get_userbyid(defaclrole)::text, defaclobjtype::text, '', defaclrole, defaclacl, '' FROM pg_default_acl) o(kind, catalog, oid, schema, name, args, col, owner, acl, code)
     CROSS JOIN LATERAL unnest(o.acl) item CROSS JOIN LATERAL aclexplode(ARRAY[item]) x JOIN pg_roles r ON r.oid = x.grantee
     WHERE r.rolname = ANY ($1) AND x.grantee <> o.owner GROUP BY 1 ORDER BY 1`,
    [roles],
  );
  return rows.map(({ entry }) => entry);
}

/** What a role holds on an object by itself, whoever granted it: privilege → whether WITH GRANT OPTION. */
export function holdsOn(object: ObjectWithAcl, role: string): ReadonlyMap<string, boolean> {
  const held = new Map<string, boolean>();
  for (const { grantee, privilege, grantable } of object.acl) if (grantee === role) held.set(privilege, grantable || held.get(privilege) === true);
  return held;
}

/** A name for messages. */
export const nameOf = ({ kind, database, schema, name, args, column }: ActualObject): string =>
  `${kind} ${database}: ${schema}.${name}${kind === 'function' ? `(${args})` : ''}${column === '' ? '' : `.${column}`}`;

export const ident = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** The object as it stands after ON in a GRANT; a column's privileges need `(column)` behind each. */
export function sqlOf({ kind, schema, name, args }: ActualObject): string {
  const keyword: Record<string, string> = { column: 'TABLE', function: 'ROUTINE' };
  const qualified = schema === '' || kind === 'schema' ? ident(name) : `${ident(schema)}.${ident(name)}`;
  const written = kind === 'large_object' || kind === 'parameter' ? name : qualified;
  return `${keyword[kind] ?? kind.replaceAll('_', ' ').toUpperCase()} ${written}${kind === 'function' ? `(${args})` : ''}`;
}

/** What a role holds in one database and the cluster, one line for each object: `table shop: sales.orders SELECT UPDATE*`. */
export async function holdings(client: pg.Client, role: string, major: number): Promise<readonly string[]> {
  const objects = await readObjects(client, major);
  return objects
    .map((object) => ({ object, held: [...holdsOn(object, role)].map(([privilege, grantable]) => privilege + (grantable ? '*' : '')).toSorted() }))
    .filter(({ object, held }) => held.length > 0 && object.owner !== role)
    .map(({ object, held }) => `${nameOf(object)} ${held.join(' ')}`)
    .toSorted();
}
