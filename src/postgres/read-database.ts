// Snapshot of one database → DatabaseContents: objects grouped by ACL on the server, in one message.
import type pg from 'pg';
import type { DatabaseContents, DefaultAcl } from '../model/contents.ts';
import { inTurns } from '../async/in-turns.ts';
import type { InParts } from '../model/in-parts.ts';
import { KINDS, type ObjectKind } from '../model/kinds.ts';
import { entriesOf, entriesSql, EVERYBODY, groupOf, inOids, type Whose } from './acl-sql.ts';
import { countedIn } from './count-sources.ts';
import { type DatabaseFingerprintFacts, FINGERPRINT } from './database-fingerprint.ts';
import { countObjects, type Room } from './object-count.ts';
import { nameReader, TYPE_NAMES } from './object-names.ts';
import { HERE, objectSources, type Source, type SourcesRequest, SYSTEM } from './object-sources.ts';
import { query, type Row } from './query.ts';
import { TRIGGER_TRACE, triggerState, triggerStateOf } from './read-trigger.ts';
import { beginSql, type Timeouts } from './transaction.ts';
import { type Guarded, guardedOf, NOTHING_GUARDED } from '../guard/guarded.ts';
import type { GuardTarget } from '../model/guardrails.ts';
import type { DefinersAsked } from '../guard/definers.ts';
import { definersRead, definerStatements } from './guarded-definers.ts';
import { everybody, GUARDED_DATABASE, guardedDefaults, guardedSources } from './guarded-sources.ts';

export interface ContentsRequest extends Timeouts, SourcesRequest {
  readonly client: pg.ClientBase;
  readonly database: string;
  /** Every entry is read, and not only those of the grantees: the owners' own as well. */
  readonly everybody?: true;
  /** Whether what an event trigger follows is read as well, where rules of somebody have to stay. */
  readonly trigger?: 'with rules' | undefined;
  /** For what is read of it. */
  readonly room: Room;
  /** What guardrails are about in it. */
  readonly guarded?: readonly GuardTarget[] | undefined;
  /** And whether what acts with the rights of its owner counts there. */
  readonly definers?: DefinersAsked | undefined;
}

function groupSql(source: Source, roles: Whose): string {
  return `SELECT g.kind, g.schema, pg_catalog.pg_get_userbyid(g.owner), g.extension, g.acl IS NULL, g.names,
    ${entriesSql(`coalesce(g.acl, ${source.fallback})`, 'g.owner', roles, source.around === undefined ? undefined : 'g.around')}, g.apart
  FROM (SELECT ${source.kind} AS kind, ${source.schema} AS schema, ${source.owner} AS owner, e.objid IS NOT NULL AS extension, ${source.acl} AS acl,
      ${source.around ?? 'NULL::pg_catalog.aclitem[]'} AS around, ${source.apart} AS apart, pg_catalog.json_agg(${source.name}) AS names
    FROM ${source.from}
    LEFT JOIN pg_catalog.pg_depend e ON e.classid = 'pg_catalog.${source.catalog}'::pg_catalog.regclass AND e.objid = o.oid AND e.objsubid = 0
      AND e.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND e.deptype = 'e'
    WHERE ${source.compared} AND ${source.where ?? 'true'}
    GROUP BY 1, 2, 3, 4, 5, 6, 7) g`;
}

const DEFAULTS = (roles: Whose): string =>
  `SELECT pg_catalog.pg_get_userbyid(d.defaclrole), coalesce(n.nspname, ''), d.defaclobjtype, ${entriesSql('d.defaclacl', 'd.defaclrole', roles)}
   FROM pg_catalog.pg_default_acl d LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace`;

const CREATORS = `SELECT DISTINCT n.nspname, pg_catalog.pg_get_userbyid(x.grantee) FROM pg_catalog.pg_namespace n
  CROSS JOIN LATERAL pg_catalog.aclexplode(coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner)) || '{}'::pg_catalog.aclitem[]) x WHERE x.privilege_type = 'CREATE' AND x.grantee <> 0 AND ${SYSTEM}`;

/** No row. */
const NOTHING = 'SELECT WHERE false';

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
      FROM ${source.from} CROSS JOIN LATERAL pg_catalog.aclexplode(${source.acl} || '{}'::pg_catalog.aclitem[]) x
      WHERE ${source.acl} IS NOT NULL AND (${source.compared}) IS NOT TRUE AND x.grantee <> ${source.owner} AND ${inOids('x.grantee', grantees)}`,
  );
  return `SELECT pg_catalog.pg_get_userbyid(t.grantee), t.what, count(*)::int FROM (
    SELECT s.refobjid AS grantee, s.classid::pg_catalog.regclass::text AS what FROM pg_catalog.pg_shdepend s
    WHERE ${HERE} AND s.deptype = 'a'
      AND s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND ${inOids('s.refobjid', grantees)} AND s.classid NOT IN (${known})
    UNION ALL ${others.join('\n    UNION ALL ')}) t GROUP BY 1, 2`;
}

export interface DatabaseRead {
  readonly contents: DatabaseContents;
  readonly guarded: Guarded;
  readonly objects: number;
  readonly fingerprint: string;
  readonly facts: DatabaseFingerprintFacts;
}

/**
 * Reads the session's database in two round trips and one snapshot: how much there is, and all of it.
 * @throws whatever the server answers, and where there is too much; nothing may be concluded from a partial read.
 */
export async function readDatabase(request: ContentsRequest): Promise<DatabaseRead> {
  const roles: Whose = request.everybody === true ? EVERYBODY : (column) => inOids(column, request.grantees);
  const sources = objectSources(request);
  const targets = request.guarded ?? [];
  const guard = guardStatements(targets);
  const definers = definerStatements(request.definers, (source) => groupSql(source, everybody));
  try {
    const facts = { columns: request.columns, database: targets.some(({ kind }) => kind === 'database'), definers: request.definers !== undefined };
    const begin = `${beginSql(request, 'REPEATABLE READ READ ONLY')};\n${FINGERPRINT(facts)}, ${TRIGGER_TRACE}`;
    const {
      row: [fingerprint, hasTrigger],
      objects,
      any,
    } = await countObjects(request.client, countedIn(sources, roles), request.room, begin);
    // Of most kinds there is nothing, and a question costs a session that is new more than its answer.
    const there = sources.filter((_, index) => any[index] === true);
    const hasRoutines = there.some(({ catalog }) => catalog === 'pg_proc') || targets.length > 0;
    const beside = [
      DEFAULTS(roles),
      CREATORS,
      EXTENSIONS,
      straysSql(sources, request.grantees),
      hasRoutines ? TYPE_NAMES(SYSTEM) : NOTHING,
      hasTrigger === true ? triggerState(request.trigger === 'with rules') : NOTHING,
      ...guard,
      ...definers,
    ];
    const results = await query(request.client, [...there.map((source) => groupSql(source, roles)), ...beside, 'COMMIT'].join(';\n'));
    const [defaults = [], creators = [], extensions = [], strays = [], types = [], trigger = [], ...more] = results.slice(there.length);
    const nameOf = nameReader(types);
    return {
      fingerprint: String(fingerprint),
      objects,
      facts,
      guarded: {
        ...(await inTurns(guardedFrom(targets, more.slice(0, guard.length), nameOf))),
        definers: definersRead(request.definers, more.slice(guard.length), (row) => groupOf(row, nameOf)),
      },
      contents: {
        name: request.database,
        groups: results.slice(0, there.length).flatMap((rows) => rows.map((row) => groupOf(row, nameOf))),
        defaults: defaults.flatMap(defaultAclOf),
        creators: creatorsOf(creators),
        trigger: triggerStateOf(trigger[0]),
        extensions: new Map(extensions as unknown as readonly (readonly [string, string])[]),
        strays: (strays as unknown as readonly (readonly [string, string, number])[]).map(([role, what, count]) => ({ role, what, count })),
      },
    };
  } catch (error) {
    await request.client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** What is asked for guardrails: default privileges first where they are asked for. */
const guardStatements = (targets: readonly GuardTarget[]): readonly string[] => [
  ...[guardedDefaults(targets) ?? []].flat(),
  ...guardedSources(targets).map((source) => groupSql(source, everybody)),
  ...(targets.some(({ kind }) => kind === 'database') ? [GUARDED_DATABASE] : []),
];

function* guardedFrom(targets: readonly GuardTarget[], results: readonly (readonly Row[])[], nameOf: ReturnType<typeof nameReader>): InParts<Guarded> {
  if (targets.length === 0) return NOTHING_GUARDED;
  const [defaults, groups] = guardedDefaults(targets) === undefined ? [[], results] : [results[0] ?? [], results.slice(1)];
  return yield* guardedOf(
    targets,
    groups.flatMap((rows) => rows.map((row) => groupOf(row, nameOf))),
    defaults.flatMap(defaultAclOf),
  );
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
