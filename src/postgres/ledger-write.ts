// What the ledger remembers of roles: the SQL that goes into a change's own transaction, so that what is changed and what is remembered commit together.
import type { ManagedRole, Witness } from '../model/catalog.ts';
import { type Change, subjectOf } from '../changes/change.ts';
import { definitionOf } from '../changes/table.ts';
import { literal } from '../sql/sql-text.ts';

export interface RoleFacts {
  readonly source: string;
  /** Of a role, where there are several sources. */
  readonly sourceOf?: ((role: string) => string) | undefined;
  /** The system identifier of the server. */
  readonly server: string | null;
  /** The witness of a password that is being set. */
  readonly witnessOf: (role: string) => Witness | undefined;
}

const records = (items: readonly object[]): string => literal(JSON.stringify(items));

/** The statements that record what these changes mean for managed_role. */
export function managedRoleSql(changes: readonly Change[], facts: RoleFacts): string[] {
  const upserts: Record<string, unknown>[] = [];
  const witnesses: object[] = [];
  const gone: string[] = [];
  const statuses: object[] = [];
  const undeclared: string[] = [];
  const closed: string[] = [];
  const opened: string[] = [];
  const known: object[] = [];
  const renamed: object[] = [];
  const whose: object[] = [];
  for (const change of changes) {
    const definition = definitionOf(change);
    const name = subjectOf(change);
    const memory = definition.remembers?.(change);
    switch (memory?.what) {
      case 'ours':
        upserts.push({
          name,
          entity: memory.entity,
          origin: memory.origin,
          ...sourceIn(name, facts),
          ...(memory.isDisabled === true ? { disabled: true } : {}),
        });
        break;
      case 'recognised':
        known.push(...memory.names.map((one, index) => ({ name: one, oid: memory.oids[index] })));
        break;
      case 'password': {
        const witness = memory.isSet ? facts.witnessOf(name) : {};
        if (witness !== undefined) witnesses.push({ name, ...witness });
        break;
      }
      case 'no longer ours':
        gone.push(name);
        break;
      case 'renamed':
        if (memory.recorded !== undefined && memory.recorded !== name) renamed.push({ name, recorded: memory.recorded, oid: memory.oid });
        break;
      case 'whose':
        whose.push({ name, source: memory.source });
        break;
      case 'no privileges':
        undeclared.push(name);
        break;
      case 'status':
        statuses.push({ name, status: memory.status });
        break;
      case undefined:
    }
    const login = definition.login?.(change);
    if (login !== undefined) (login ? opened : closed).push(name);
  }
  return [
    ...(known.length === 0 ? [] : [recognisedSql(known, facts.server)]),
    ...(renamed.length === 0 ? [] : renamedSql(renamed)),
    ...(upserts.length === 0 ? [] : [upsertSql(upserts, facts)]),
    // What declared it is a document of its former source.
    ...(whose.length === 0
      ? []
      : [
          `UPDATE pgsteward.managed_role m SET source = x.source, document = NULL, gone_since = NULL FROM jsonb_to_recordset(${records(whose)}) AS x(name text, source text) WHERE m.name = x.name`,
        ]),
    ...(witnesses.length === 0 ? [] : [witnessSql(witnesses)]),
    ...(statuses.length === 0
      ? []
      : [
          `UPDATE pgsteward.managed_role m SET status = x.status FROM jsonb_to_recordset(${records(statuses)}) AS x(name text, status text) WHERE m.name = x.name`,
        ]),
    // The moment counts from the change itself, whatever happens to us after it.
    ...(closed.length === 0
      ? []
      : [`UPDATE pgsteward.managed_role SET disabled_at = coalesce(disabled_at, pg_catalog.now()) WHERE name IN (${closed.map(literal).join(', ')})`]),
    ...(opened.length === 0 ? [] : [`UPDATE pgsteward.managed_role SET disabled_at = NULL WHERE name IN (${opened.map(literal).join(', ')})`]),
    ...(undeclared.length === 0 ? [] : [`UPDATE pgsteward.managed_role SET privileges = false WHERE name IN (${undeclared.map(literal).join(', ')})`]),
    ...(gone.length === 0 ? [] : [`DELETE FROM pgsteward.managed_role WHERE name IN (${gone.map(literal).join(', ')})`]),
  ];
}

/** SQL: the OID of the ledger, by which a later reading knows that it was not restored from a dump. */
const LEDGER = `'pgsteward.managed_role'::pg_catalog.regclass::pg_catalog.oid`;
const nullable = (value: string | null): string => (value === null ? 'NULL' : literal(value));

/** Only those that still are what was looked at. */
const recognisedSql = (known: readonly object[], server: string | null): string =>
  `UPDATE pgsteward.managed_role m SET oid = r.oid, server = ${nullable(server)}, ledger = ${LEDGER}
   FROM jsonb_to_recordset(${records(known)}) AS x(name text, oid oid) JOIN pg_roles r ON r.rolname = x.name AND r.oid = x.oid WHERE m.name = x.name`;

/** A row that stood under the new name was of a role that is gone. The proof of an MD5 password ends with the password. */
function renamedSql(renamed: readonly object[]): string[] {
  const now = `jsonb_to_recordset(${records(renamed)}) AS x(name text, recorded text, oid oid) JOIN pg_roles r ON r.rolname = x.name AND r.oid = x.oid`;
  const proof = ['version', 'salt', 'iterations', 'proof'].map((part) => `witness_${part} = CASE WHEN m.witness_salt <> '' THEN m.witness_${part} END`);
  return [
    `DELETE FROM pgsteward.managed_role m WHERE EXISTS (SELECT FROM ${now} JOIN pgsteward.managed_role o ON o.name = x.recorded WHERE x.name = m.name)`,
    `UPDATE pgsteward.managed_role m SET name = x.name, ${proof.join(', ')} FROM ${now} WHERE m.name = x.recorded`,
  ];
}

/** The source of a role that is another one than that of most. */
function sourceIn(name: string, { source, sourceOf }: RoleFacts): { readonly source?: string } {
  const own = sourceOf?.(name) ?? source;
  return own === source ? {} : { source: own };
}

/** SQL: the role of a row, by the index. The server would rather go through all of them, as it guesses that there are few: with each batch more of them. */
const ROLE_OF = 'LATERAL (SELECT p.oid FROM pg_roles p WHERE p.rolname = x.name OFFSET 0) r';

const upsertSql = (upserts: readonly object[], { source, server }: RoleFacts): string =>
  `INSERT INTO pgsteward.managed_role (name, entity, origin, source, oid, server, ledger, status, disabled_at)
   SELECT x.name, x.entity, x.origin, coalesce(x.source, ${literal(source)}), r.oid, ${nullable(server)}, ${LEDGER}, 'active', CASE WHEN x.disabled THEN pg_catalog.now() END
   FROM jsonb_to_recordset(${records(upserts)}) AS x(name text, entity text, origin text, source text, disabled boolean), ${ROLE_OF}
   ON CONFLICT (name) DO UPDATE SET entity = excluded.entity, origin = excluded.origin, source = excluded.source, oid = excluded.oid, server = excluded.server,
     ledger = excluded.ledger, status = 'active',
     witness_version = NULL, witness_salt = NULL, witness_iterations = NULL, witness_proof = NULL, disabled_at = excluded.disabled_at`;

const witnessSql = (witnesses: readonly object[]): string =>
  `UPDATE pgsteward.managed_role m SET witness_version = x.version, witness_salt = x.salt, witness_iterations = x.iterations, witness_proof = x.proof
   FROM jsonb_to_recordset(${records(witnesses)}) AS x(name text, version text, salt text, iterations int, proof text) WHERE m.name = x.name`;

/** What is remembered without any change on the server: rows that differ from what the document says or the catalogs show. */
export function rememberSql(rows: readonly ManagedRole[]): string[] {
  if (rows.length === 0) return [];
  const flat = rows.map(({ witness, deletionPolicy, disabledAt, goneSince, place, ...row }) => ({
    ...row,
    ...place,
    deletion_policy: deletionPolicy,
    disabled_at: disabledAt,
    gone_since: goneSince,
    witness_version: witness?.version,
    witness_salt: witness?.salt,
    witness_iterations: witness?.iterations,
    witness_proof: witness?.proof,
  }));
  const columns =
    'name, entity, origin, source, oid, server, ledger, status, deletion_policy, witness_version, witness_salt, witness_iterations, witness_proof, privileges, drain, disabled_at, document, gone_since';
  return [
    `INSERT INTO pgsteward.managed_role (${columns}) SELECT ${columns}
     FROM jsonb_to_recordset(${records(flat)}) AS x(name text, entity text, origin text, source text, oid oid, server text, ledger oid, status text, deletion_policy text,
       witness_version text, witness_salt text, witness_iterations int, witness_proof text, privileges boolean, drain text, disabled_at timestamptz, document text, gone_since timestamptz)
     ON CONFLICT (name) DO UPDATE SET entity = excluded.entity, origin = excluded.origin, source = excluded.source, oid = excluded.oid, server = excluded.server,
       ledger = excluded.ledger, status = excluded.status,
       deletion_policy = excluded.deletion_policy, witness_version = excluded.witness_version, witness_salt = excluded.witness_salt,
       witness_iterations = excluded.witness_iterations, witness_proof = excluded.witness_proof, privileges = excluded.privileges,
       drain = excluded.drain, disabled_at = excluded.disabled_at, document = excluded.document, gone_since = excluded.gone_since`,
  ];
}

/** The databases that hold an event trigger: these, and no others. */
export const triggerDatabaseSql = (names: readonly string[]): string[] => [
  `DELETE FROM pgsteward.trigger_database WHERE name NOT IN (SELECT jsonb_array_elements_text(${literal(JSON.stringify(names))}))`,
  `INSERT INTO pgsteward.trigger_database (name) SELECT jsonb_array_elements_text(${literal(JSON.stringify(names))}) ON CONFLICT DO NOTHING`,
];
