// Snapshot of one database → DatabaseContents: objects grouped by ACL on the server, in one message.
import type pg from 'pg';
import type { DatabaseContents, DefaultAcl } from '../model/contents.ts';
import { inTurns } from '../async/in-turns.ts';
import type { InParts } from '../model/in-parts.ts';
import { KINDS, type ObjectKind } from '../model/kinds.ts';
import { entriesOf, entriesSql, EVERYBODY, groupOf, inOids, namesIn, type Whose } from './acl-sql.ts';
import { countedIn } from './count-sources.ts';
import { type DatabaseFingerprintFacts, FINGERPRINT } from './database-fingerprint.ts';
import { countObjects, type Room } from './object-count.ts';
import { argumentTypes, nameReader, TYPE_NAMES, typeNamesOf } from './object-names.ts';
import { objectSources, type Source, type SourcesRequest, SYSTEM } from './object-sources.ts';
import { query, type Row } from './query.ts';
import { areStrays, straysSql } from './read-strays.ts';
import { plainTrigger, plainTriggerOf, TRIGGER_TRACE, triggerState, triggerStateOf } from './read-trigger.ts';
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

export interface DatabaseRead {
  readonly contents: DatabaseContents;
  readonly guarded: Guarded;
  readonly objects: number;
  /** Empty, which none equals, where none of those whose privileges are compared is there yet. */
  readonly fingerprint: string;
  readonly facts: DatabaseFingerprintFacts;
}

/**
 * Reads the session's database in three round trips and one snapshot: how much there is, all of it, and what that leads to.
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
    const fingerprinted = request.nobodyYet === true && request.grantees.length === 0 ? `SELECT ''` : FINGERPRINT(facts);
    const begin = `${beginSql(request, 'REPEATABLE READ READ ONLY')};\n${fingerprinted}, ${TRIGGER_TRACE}`;
    const {
      row: [fingerprint, hasTrigger],
      objects,
      any,
    } = await countObjects(request.client, countedIn(sources, roles), request.room, begin);
    // Of most kinds there is nothing, and a question costs a session that is new more than its answer.
    const there = sources.filter((_, index) => any[index] === true);
    const withRules = request.trigger === 'with rules';
    const groupSqls = there.map((source) => groupSql(source, roles));
    const beside = [
      DEFAULTS(roles),
      CREATORS,
      EXTENSIONS,
      areStrays(there, request.grantees),
      hasTrigger === true ? plainTrigger(withRules) : NOTHING,
      ...guard,
      ...definers,
    ];
    const results = await query(request.client, [...groupSqls, ...beside].join(';\n'));
    const groups = results.slice(0, there.length);
    const [defaults = [], creators = [], extensions = [], [mayStray = []] = [], plain = [], ...more] = results.slice(there.length);
    const trigger = plainTriggerOf(plain[0]);
    // What is seldom needed, or by little of what there is.
    const [types = [], strays = [], triggers = []] = await query(
      request.client,
      [
        typesAsked(there, groups, targets.length > 0 || request.definers !== undefined),
        mayStray[0] === true ? straysSql(sources, request.grantees) : NOTHING,
        hasTrigger === true && trigger === undefined ? triggerState(withRules) : NOTHING,
        'COMMIT',
      ].join(';\n'),
    );
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
        groups: groups.flatMap((rows) => rows.map((row) => groupOf(row, nameOf))),
        defaults: defaults.flatMap(defaultAclOf),
        creators: creatorsOf(creators),
        trigger: trigger ?? triggerStateOf(triggers[0]),
        extensions: new Map(extensions as unknown as readonly (readonly [string, string])[]),
        strays: (strays as unknown as readonly (readonly [string, string, number])[]).map(([role, what, count]) => ({ role, what, count })),
      },
    };
  } catch (error) {
    await request.client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** The types that routines' arguments are of: of those that were read, or of all where more than these are read. */
function typesAsked(there: readonly Source[], groups: readonly (readonly Row[])[], isAll: boolean): string {
  const routines = there.flatMap(({ catalog }, index) => (catalog === 'pg_proc' ? (groups[index] ?? []) : []));
  if (isAll) return TYPE_NAMES(SYSTEM);
  return routines.length === 0 ? NOTHING : typeNamesOf(routines.flatMap(namesIn).flatMap(argumentTypes));
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
