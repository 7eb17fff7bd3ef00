// SQL about one row of a catalog, with everything that answers about access need of it, and what is made of the row.
import { type AclEntry, PUBLIC } from '../model/contents.ts';
import type { ObjectKind } from '../model/kinds.ts';
import { type ObjectReference, written } from '../explain/object-name.ts';
import type { Policy, Securable } from '../explain/securable.ts';
import { codeOf, kindOf, STORED_KINDS, type StoredKind } from '../sql/stored.ts';
import { columns } from './columns.ts';

/** All entries of an ACL as JSON: null is PUBLIC. A stored ACL is unpacked once, and not anew for each entry (the concatenation does that). */
export const allEntries = (acl: string): string =>
  `(SELECT pg_catalog.json_agg(pg_catalog.json_build_array(CASE WHEN x.grantee <> 0 THEN pg_catalog.pg_get_userbyid(x.grantee) END,
    pg_catalog.pg_get_userbyid(x.grantor), x.privilege_type, x.is_grantable)) FROM pg_catalog.aclexplode(${acl} || '{}'::pg_catalog.aclitem[]) x)`;

export const entriesFrom = (json: unknown): readonly AclEntry[] =>
  ((json ?? []) as readonly (readonly [string | null, string, string, boolean])[]).map(([grantee, grantor, privilege, grantable]) => ({
    grantee: grantee ?? PUBLIC,
    grantor,
    privilege,
    grantable,
  }));

/** The ACL of a row `o`, or what it stands for where it is NULL. */
const effectiveAcl = (stored: StoredKind): string => `coalesce(${stored.acl}, pg_catalog.acldefault(${codeOf(stored)}, ${stored.owner}))`;

export interface ObjectRow {
  readonly oid: number;
  readonly kind: ObjectKind;
  /** Behind a routine's name, what tells it from others. */
  readonly types: string | null;
  readonly owner: string;
  readonly untouched: boolean;
  readonly entries: unknown;
  readonly isCatalog: boolean;
  readonly columns: unknown;
  readonly rowSecurity: boolean;
  readonly forced: boolean;
  readonly policies: unknown;
  readonly remark: string | null;
}

/** The policies of a relation `o`, as `policiesOf` reads them. */
export const POLICIES = `(SELECT pg_catalog.json_agg(pg_catalog.json_build_array(p.polname, p.polcmd, p.polpermissive,
    (SELECT pg_catalog.json_agg(CASE WHEN r.one <> 0 THEN pg_catalog.pg_get_userbyid(r.one) END) FROM pg_catalog.unnest(p.polroles) r (one))) ORDER BY p.polname)
    FROM pg_catalog.pg_policy p WHERE p.polrelid = o.oid)`;

/** Whether what a view `o` reads is looked at with the rights of whoever asks. */
export const IS_INVOKER = `coalesce((SELECT i.option_value::pg_catalog.bool FROM pg_catalog.pg_options_to_table(o.reloptions) i WHERE i.option_name = 'security_invoker'), false)`;

/** Columns with an ACL, and the policies: of relations alone. */
const RELATION = {
  isCatalog: `o.oid < 12000 AND o.relkind <> 'v' OR n.nspname = 'pg_toast'`,
  columns: `(SELECT pg_catalog.json_agg(pg_catalog.json_build_array(a.attname, ${allEntries('a.attacl')})) FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = o.oid AND NOT a.attisdropped AND a.attacl IS NOT NULL)`,
  rowSecurity: 'o.relrowsecurity',
  forced: 'o.relforcerowsecurity',
  policies: POLICIES,
} as const;
const NO_RELATION = { isCatalog: 'false', columns: 'NULL', rowSecurity: 'false', forced: 'false', policies: 'NULL' } as const;

/** What the server knows of it that no ACL says. */
export const REMARKS: Partial<Record<ObjectKind, string>> = {
  language: `CASE WHEN NOT o.lanpltrusted THEN 'the language is not trusted: only superusers make functions in it' END`,
  // Our own session has it off; what others begin with is what this one began with.
  large_object: `CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_settings s WHERE s.name = 'lo_compat_privileges' AND s.reset_val = 'on')
    THEN 'lo_compat_privileges is on: everybody may read and write every large object, whatever its ACL says'
    WHEN EXISTS (SELECT FROM pg_catalog.pg_db_role_setting s, pg_catalog.unnest(s.setconfig) c (one) WHERE pg_catalog.starts_with(c.one, 'lo_compat_privileges='))
    THEN 'lo_compat_privileges is set for a role or a database: where it is on, every large object may be read and written, whatever its ACL says' END`,
};

export const objectColumns = (stored: StoredKind) =>
  columns<ObjectRow>({
    oid: 'o.oid',
    kind: kindOf(stored),
    types: stored.kind === 'function' ? `'(' || pg_catalog.oidvectortypes(o.proargtypes) || ')'` : 'NULL',
    owner: `pg_catalog.pg_get_userbyid(${stored.owner})`,
    untouched: `${stored.acl} IS NULL`,
    entries: allEntries(effectiveAcl(stored)),
    ...(stored.catalog === 'pg_class' ? RELATION : NO_RELATION),
    remark: REMARKS[stored.kind] ?? 'NULL',
  });

export const storedOf = (kind: ObjectKind): StoredKind => {
  const found = STORED_KINDS.find((one) => one.kind === (kind === 'sequence' || kind === 'column' ? 'table' : kind));
  if (found === undefined) throw new RangeError(`objects of the kind ${kind} are in no catalog`);
  return found;
};

export type Asked = Pick<ObjectReference, 'kind' | 'schema' | 'name' | 'column' | 'arguments'>;

export const policiesOf = (json: unknown): readonly Policy[] =>
  ((json ?? []) as readonly (readonly [string, string, boolean, readonly (string | null)[]])[]).map(([name, command, permissive, roles]) => ({
    name,
    command,
    permissive,
    roles: roles.map((role) => role ?? PUBLIC),
  }));

export function securable({ kind, schema, name, column }: Asked, row: ObjectRow): Securable {
  const parts = [...(schema === undefined || kind === 'schema' ? [] : [schema]), name, ...(column === undefined ? [] : [column])];
  return {
    kind: kind === 'table' ? row.kind : kind,
    name: kind === 'large_object' || kind === 'parameter' ? name : `${parts.map(written).join('.')}${row.types ?? ''}`,
    owner: row.owner,
    untouched: row.untouched,
    entries: entriesFrom(row.entries),
    columns: new Map(((row.columns ?? []) as readonly (readonly [string, unknown])[]).map(([of, entries]) => [of, entriesFrom(entries)])),
    ...(column === undefined ? {} : { column }),
    isCatalog: row.isCatalog,
  };
}
