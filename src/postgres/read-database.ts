// Snapshot of one database → DatabaseContents: objects grouped by ACL on the server, in one message; and a fingerprint that changes with it.
import type pg from 'pg';
import type { DatabaseContents, DefaultAcl } from '../core/privileges/contents.ts';
import { joinName } from '../core/privileges/contents.ts';
import { KINDS, type ObjectKind } from '../core/privileges/kinds.ts';
import { entriesOf, entriesSql, groupOf, inOids } from './acl-sql.ts';
import { pinnedRows, query, type Row } from './query.ts';
import { readTrigger, RULES_FINGERPRINT, TRIGGER_STATE } from './read-trigger.ts';
import { beginSql, type Timeouts } from './transaction.ts';

export interface ContentsRequest extends Timeouts {
  readonly client: pg.ClientBase;
  readonly database: string;
  /** Those whose privileges are compared. */
  readonly grantees: readonly number[];
  /** Whether rules name columns or large objects: otherwise only those are read that have an ACL. */
  readonly columns: boolean;
  readonly largeObjects: boolean;
}

/** Between the parts of a name in SQL, which cannot hold NUL. */
const UNIT = `E'\\x1f'`;

const SYSTEM = `n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', 'pgsteward')`;

interface Source {
  readonly kind: string;
  readonly from: string;
  /** Catalog whose members extensions have. */
  readonly catalog: string;
  readonly schema: string;
  readonly owner: string;
  readonly acl: string;
  readonly name: string;
  /** An ACL that stands for NULL. */
  readonly fallback: string;
  /** What is compared. */
  readonly compared: string;
  /** What of it is read. */
  readonly where?: string;
}

const inSchema = (alias: string, column: string): string => `JOIN pg_catalog.pg_namespace n ON n.oid = ${alias}.${column}`;
const fallback = (code: string): string => `pg_catalog.acldefault('${code}', g.owner)`;

const SOURCES = (request: Pick<ContentsRequest, 'columns' | 'largeObjects'>): readonly Source[] => [
  {
    kind: `'schema'`,
    from: 'pg_catalog.pg_namespace o',
    catalog: 'pg_namespace',
    schema: `''`,
    owner: 'o.nspowner',
    acl: 'o.nspacl',
    name: 'o.nspname',
    fallback: fallback('n'),
    compared: SYSTEM.replaceAll('n.nspname', 'o.nspname'),
  },
  {
    kind: `CASE WHEN o.relkind = 'S' THEN 'sequence' ELSE 'table' END`,
    from: `pg_catalog.pg_class o ${inSchema('o', 'relnamespace')}`,
    catalog: 'pg_class',
    schema: 'n.nspname',
    owner: 'o.relowner',
    acl: 'o.relacl',
    name: 'o.relname',
    fallback: `pg_catalog.acldefault(CASE WHEN g.kind = 'sequence' THEN 's' ELSE 'r' END::"char", g.owner)`,
    compared: `o.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND ${SYSTEM}`,
  },
  {
    kind: `'function'`,
    from: `pg_catalog.pg_proc o ${inSchema('o', 'pronamespace')}`,
    catalog: 'pg_proc',
    schema: 'n.nspname',
    owner: 'o.proowner',
    acl: 'o.proacl',
    name: `o.proname || ${UNIT} || pg_catalog.oidvectortypes(o.proargtypes)`,
    fallback: fallback('f'),
    compared: SYSTEM,
  },
  {
    kind: `'type'`,
    from: `pg_catalog.pg_type o ${inSchema('o', 'typnamespace')} LEFT JOIN pg_catalog.pg_class c ON c.oid = o.typrelid`,
    catalog: 'pg_type',
    schema: 'n.nspname',
    owner: 'o.typowner',
    acl: 'o.typacl',
    name: 'o.typname',
    fallback: fallback('T'),
    // Types of tables' rows, arrays and multiranges have no privileges of their own.
    compared: `o.typtype IN ('b', 'd', 'e', 'r', 'c') AND (c.relkind IS NULL OR c.relkind = 'c') AND NOT (o.typelem <> 0 AND o.typlen = -1) AND ${SYSTEM}`,
  },
  {
    kind: `'column'`,
    from: `pg_catalog.pg_attribute a JOIN pg_catalog.pg_class o ON o.oid = a.attrelid ${inSchema('o', 'relnamespace')}`,
    catalog: 'pg_class',
    schema: 'n.nspname',
    owner: 'o.relowner',
    acl: 'a.attacl',
    name: `o.relname || ${UNIT} || a.attname`,
    // Not '{}': an array without dimensions is no ACL.
    fallback: fallback('c'),
    compared: `o.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped AND ${SYSTEM}`,
    where: request.columns ? 'true' : 'a.attacl IS NOT NULL',
  },
  {
    kind: `'language'`,
    from: 'pg_catalog.pg_language o',
    catalog: 'pg_language',
    schema: `''`,
    owner: 'o.lanowner',
    acl: 'o.lanacl',
    name: 'o.lanname',
    fallback: fallback('l'),
    compared: 'o.lanpltrusted',
  },
  {
    kind: `'foreign_data_wrapper'`,
    from: 'pg_catalog.pg_foreign_data_wrapper o',
    catalog: 'pg_foreign_data_wrapper',
    schema: `''`,
    owner: 'o.fdwowner',
    acl: 'o.fdwacl',
    name: 'o.fdwname',
    fallback: fallback('F'),
    compared: 'true',
  },
  {
    kind: `'foreign_server'`,
    from: 'pg_catalog.pg_foreign_server o',
    catalog: 'pg_foreign_server',
    schema: `''`,
    owner: 'o.srvowner',
    acl: 'o.srvacl',
    name: 'o.srvname',
    fallback: fallback('S'),
    compared: 'true',
  },
  {
    kind: `'large_object'`,
    from: 'pg_catalog.pg_largeobject_metadata o',
    catalog: 'pg_largeobject',
    schema: `''`,
    owner: 'o.lomowner',
    acl: 'o.lomacl',
    name: 'o.oid::text',
    fallback: fallback('L'),
    compared: 'true',
    where: request.largeObjects ? 'true' : 'o.lomacl IS NOT NULL',
  },
];

function groupSql(source: Source, roles: (column: string) => string): string {
  const name = `(${source.name})::text`;
  return `SELECT g.kind, g.schema, pg_catalog.pg_get_userbyid(g.owner), g.extension, g.acl IS NULL, g.names,
    ${entriesSql(`coalesce(g.acl, ${source.fallback})`, 'g.owner', roles)}
  FROM (SELECT ${source.kind} AS kind, ${source.schema} AS schema, ${source.owner} AS owner, e.objid IS NOT NULL AS extension, ${source.acl} AS acl,
      pg_catalog.json_agg(${name}) AS names
    FROM ${source.from}
    LEFT JOIN pg_catalog.pg_depend e ON e.classid = 'pg_catalog.${source.catalog}'::pg_catalog.regclass AND e.objid = o.oid AND e.objsubid = 0
      AND e.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND e.deptype = 'e'
    WHERE ${source.compared} AND ${source.where ?? 'true'}
    GROUP BY 1, 2, 3, 4, 5) g`;
}

const DEFAULTS = (roles: (column: string) => string): string =>
  `SELECT pg_catalog.pg_get_userbyid(d.defaclrole), coalesce(n.nspname, ''), d.defaclobjtype, ${entriesSql('d.defaclacl', 'd.defaclrole', roles)}
   FROM pg_catalog.pg_default_acl d LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace`;

const CREATORS = `SELECT DISTINCT n.nspname, pg_catalog.pg_get_userbyid(x.grantee) FROM pg_catalog.pg_namespace n
  CROSS JOIN LATERAL pg_catalog.aclexplode(coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))) x WHERE x.privilege_type = 'CREATE' AND x.grantee <> 0 AND ${SYSTEM}`;

const EXTENSIONS = `SELECT e.extname, n.nspname FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace`;

/**
 * Privileges in this database on what is not compared: the server's own objects and ours, and kinds that nobody has heard of yet.
 * The former are few enough to be looked through; the latter show in pg_shdepend.
 */
function straysSql(sources: readonly Source[], grantees: readonly number[]): string {
  const catalogs = [...new Set(sources.map((source) => source.catalog)), 'pg_default_acl'];
  const known = catalogs.map((catalog) => `'pg_catalog.${catalog}'::pg_catalog.regclass`).join(', ');
  const others = sources.map(
    (source) => `SELECT x.grantee, ${source.kind.startsWith("'") ? source.kind : `'relation'`} AS what
      FROM ${source.from} CROSS JOIN LATERAL pg_catalog.aclexplode(${source.acl}) x
      WHERE ${source.acl} IS NOT NULL AND (${source.compared}) IS NOT TRUE AND x.grantee <> ${source.owner} AND ${inOids('x.grantee', grantees)}`,
  );
  return `SELECT pg_catalog.pg_get_userbyid(t.grantee), t.what, count(*)::int FROM (
    SELECT s.refobjid AS grantee, s.classid::pg_catalog.regclass::text AS what FROM pg_catalog.pg_shdepend s
    WHERE s.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) AND s.deptype = 'a'
      AND s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND ${inOids('s.refobjid', grantees)} AND s.classid NOT IN (${known})
    UNION ALL ${others.join('\n    UNION ALL ')}) t GROUP BY 1, 2`;
}

/** The seed holds the xmin too, as in fingerprint.ts: a hash of both in one bigint can be the same for a row and the one that replaces it. */
const xmins = (catalog: string, more = '0', from = ''): string =>
  `(SELECT pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.sum(pg_catalog.hashint8extended((oid::bigint << 32) # xmin::text::bigint, (xmin::text::bigint << 32) # ${more}::bigint))) FROM pg_catalog.${catalog} ${from})`;

/**
 * One small query whose answer changes whenever something does that a plan for this database depends on. Every UPDATE gives a row a new
 * xmin, so no ACL has to be read; rows of columns are looked at where they can have one.
 */
const FINGERPRINT = (columns: boolean): string =>
  `SELECT pg_catalog.concat_ws('|', ${[
    xmins('pg_namespace'),
    xmins('pg_class', '0', `WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')`),
    xmins('pg_proc', '0', 'WHERE oid >= 16384'),
    xmins('pg_type', '0', 'WHERE oid >= 16384'),
    `(SELECT pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.sum(pg_catalog.hashint8extended((attrelid::bigint << 32) # (attnum::bigint << 24) # xmin::text::bigint, xmin::text::bigint))) FROM pg_catalog.pg_attribute WHERE ${columns ? 'attrelid >= 16384 AND attnum > 0' : 'attacl IS NOT NULL'})`,
    xmins('pg_default_acl'),
    xmins('pg_language'),
    xmins('pg_foreign_data_wrapper'),
    xmins('pg_foreign_server'),
    xmins('pg_largeobject_metadata'),
    xmins('pg_extension'),
    xmins('pg_event_trigger'),
    `(SELECT count(*) FROM pg_catalog.pg_depend WHERE refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND deptype = 'e')`,
  ].join(', ')})`;

/** What a fingerprint looks at beside what every one does; two compare only under the same facts. */
export interface DatabaseFingerprintFacts {
  readonly columns: boolean;
  /** Whether there are rules of an event trigger. */
  readonly rules: boolean;
}

/** The fingerprint of the session's database. */
export async function databaseFingerprint(client: pg.ClientBase, { columns, rules }: DatabaseFingerprintFacts): Promise<string> {
  const select = rules ? `SELECT pg_catalog.concat((${FINGERPRINT(columns)}), '|', (${RULES_FINGERPRINT}))` : FINGERPRINT(columns);
  return String((await pinnedRows(client, select))[0]?.[0]);
}

/**
 * Reads the session's database in one round trip and one snapshot.
 * @throws whatever the server answers; nothing may be concluded from a partial read.
 */
export async function readDatabase(
  request: ContentsRequest,
): Promise<{ readonly contents: DatabaseContents; readonly fingerprint: string; readonly facts: DatabaseFingerprintFacts }> {
  const roles = (column: string): string => inOids(column, request.grantees);
  const sources = SOURCES(request);
  const statements = [
    FINGERPRINT(request.columns),
    ...sources.map((source) => groupSql(source, roles)),
    DEFAULTS(roles),
    CREATORS,
    EXTENSIONS,
    straysSql(sources, request.grantees),
    TRIGGER_STATE,
  ];
  try {
    const results = (await query(request.client, `${beginSql(request, 'REPEATABLE READ READ ONLY')};\n${statements.join(';\n')};\nCOMMIT`)).slice(
      -statements.length - 1,
    );
    const groups = results.slice(1, sources.length + 1).flatMap((rows) => rows.map(groupOf));
    const [defaults = [], creators = [], extensions = [], strays = [], trigger = []] = results.slice(sources.length + 1);
    const { state, fingerprint } = await readTrigger(request.client, trigger[0]);
    return {
      fingerprint: [String(results[0]?.[0]?.[0]), ...(state.tables ? [fingerprint] : [])].join('|'),
      facts: { columns: request.columns, rules: state.tables },
      contents: {
        name: request.database,
        groups: groups.map((group) => (group.kind === 'function' || group.kind === 'column' ? { ...group, names: group.names.map(joinedName) } : group)),
        defaults: defaults.flatMap(defaultAclOf),
        creators: creatorsOf(creators),
        trigger: state,
        extensions: new Map(extensions as unknown as readonly (readonly [string, string])[]),
        strays: (strays as unknown as readonly (readonly [string, string, number])[]).map(([role, what, count]) => ({ role, what, count })),
      },
    };
  } catch (error) {
    await request.client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

function joinedName(name: string): string {
  const at = name.lastIndexOf('\x1f');
  return joinName(name.slice(0, at), name.slice(at + 1));
}

const KIND_BY_CODE = new Map(
  Object.entries(KINDS).flatMap(([kind, facts]) => (facts.defaults === undefined ? [] : [[facts.defaults.code, kind as ObjectKind]])),
);

function defaultAclOf(row: Row): DefaultAcl[] {
  const [creator, schema, code, entries] = row as readonly [string, string, string, unknown];
  const kind = KIND_BY_CODE.get(code);
  return kind === undefined ? [] : [{ creator, schema, kind, entries: entriesOf(entries) }];
}

function creatorsOf(rows: readonly Row[]): ReadonlyMap<string, readonly string[]> {
  const holders = Map.groupBy(rows as unknown as readonly (readonly [string, string])[], ([schema]) => schema);
  return new Map([...holders].map(([schema, pairs]) => [schema, pairs.map(([, role]) => role)]));
}
