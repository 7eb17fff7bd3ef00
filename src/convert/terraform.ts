// Terraform's and OpenTofu's provider postgresql: what `terraform show -json` prints of a state or a plan, in which every variable has its value.
import type { Written } from '../document/write-yaml.ts';
import { described, flagsOf, passwordStays } from './attributes.ts';
import type { Draft } from './draft.ts';
import { at, isOn, listOf, mapOf, textOf, textsOf } from './given.ts';
import { EVERY, grant, type Grants, type Name, type On } from './grants.ts';
import { type Context, kindOf, toCome } from './tools.ts';

interface Declared {
  readonly address: string;
  readonly type: string;
  readonly values: ReadonlyMap<string, unknown>;
}

export function fromTerraform(values: readonly unknown[], draft: Draft, _context: Context): number {
  const resources = values.flatMap((value) => resourcesIn(at(value, 'planned_values', 'root_module') ?? at(value, 'values', 'root_module')));
  // Roles first: a grant may name one that stands behind it.
  for (const one of resources.toSorted((a, b) => Number(b.type === 'postgresql_role') - Number(a.type === 'postgresql_role'))) {
    const read = Object.hasOwn(READERS, one.type) ? READERS[one.type] : undefined;
    if (read === undefined) draft.remark(one.address, `${one.type} has no like here`);
    else read(one, draft);
  }
  return resources.length;
}

/** The provider's resources of a module, and of those within. */
function resourcesIn(root: unknown): readonly Declared[] {
  const found: Declared[] = [];
  for (const modules = [root]; modules.length > 0;) {
    const module = modules.pop();
    for (const child of listOf(at(module, 'child_modules'))) modules.push(child);
    for (const one of listOf(at(module, 'resources'))) {
      const type = textOf(at(one, 'type')) ?? '';
      if (type.startsWith('postgresql_') && at(one, 'mode') !== 'data')
        found.push({ address: textOf(at(one, 'address')) ?? type, type, values: mapOf(at(one, 'values')) });
    }
  }
  return found;
}

const READERS: Readonly<Record<string, (one: Declared, draft: Draft) => void>> = {
  postgresql_role: readRole,
  postgresql_database: readDatabase,
  postgresql_schema: readSchema,
  postgresql_extension: readExtension,
  postgresql_grant: readGrant,
  postgresql_grant_role: readMembership,
  postgresql_default_privileges: readDefaults,
};

/** What the provider calls otherwise than PostgreSQL. */
const NAMES: Readonly<Record<string, string>> = { createdb: 'create_database', createrole: 'create_role', bypassrls: 'bypass_row_level_security' };

function readRole({ values }: Declared, draft: Draft): void {
  const name = textOf(values.get('name'));
  if (name === undefined) return;
  const limit = values.get('connection_limit');
  const entry = described(draft, name, {
    ...flagsOf((name) => values.get(NAMES[name] ?? name)),
    connectionLimit: typeof limit === 'number' ? limit : undefined,
    validUntil: textOf(values.get('valid_until')),
  });
  if (entry === undefined) return;
  entry.isWhole = false;
  for (const parent of textsOf(values.get('roles'))) entry.memberships.set(parent, {});
  if (!entry.login) return;
  const timeouts = (['statement_timeout', 'idle_in_transaction_session_timeout'] as const).flatMap((parameter) => {
    const value = values.get(parameter);
    return typeof value === 'number' && value > 0 ? [[parameter, value] as const] : [];
  });
  const path = textsOf(values.get('search_path'));
  const settings = [...(path.length > 0 ? [['search_path', path] as const] : []), ...timeouts];
  if (settings.length > 0) entry.keys.set('settings', new Map<string, Written>(settings));
  if (textOf(values.get('assume_role')) !== undefined) entry.keys.set('assumeRole', textOf(values.get('assume_role')) ?? '');
  passwordStays(draft, entry, 'a password in a state is not copied, and whoever could read the state knows it');
}

function readDatabase({ values }: Declared, draft: Draft): void {
  const name = textOf(values.get('name'));
  if (name === undefined) return;
  const database = draft.database(name);
  const owner = textOf(values.get('owner'));
  if (owner !== undefined) database.keys.set('owner', owner);
  database.keys.set('create', true);
}

function readSchema({ address, values }: Declared, draft: Draft): void {
  const [name, database] = [textOf(values.get('name')), textOf(values.get('database'))];
  if (name === undefined || database === undefined) return draft.remark(address, 'left out: it names no schema or no database');
  draft.database(database).schemas.set(name, textOf(values.get('owner')));
  for (const policy of listOf(values.get('policy'))) {
    const grants = granteeOf(address, textOf(at(policy, 'role')), draft);
    for (const [key, privilege] of [
      ['usage', 'USAGE'],
      ['create', 'CREATE'],
    ] as const)
      for (const isGrantable of [false, true])
        if (grants !== undefined && isOn(at(policy, isGrantable ? `${key}_with_grant` : key)))
          grant(grants, database, { kind: 'schema', schema: name }, [privilege], isGrantable);
  }
}

function readExtension({ address, values }: Declared, draft: Draft): void {
  const [name, database] = [textOf(values.get('name')), textOf(values.get('database'))];
  if (name === undefined || database === undefined) return draft.remark(address, 'left out: it names no database');
  draft.database(database).extensions.set(name, textOf(values.get('schema')));
}

/** Whose grants they are. @returns undefined where the document has no such role, which is said. */
function granteeOf(address: string, role: string | undefined, draft: Draft): Grants | undefined {
  if (role?.toLowerCase() === 'public') return draft.everybody;
  if (role !== undefined && draft.has(role)) return draft.entry(role).grants;
  draft.remark(address, `left out: the document has no role ${role ?? ''}`);
  return undefined;
}

function readGrant({ address, values }: Declared, draft: Draft): void {
  const grants = granteeOf(address, textOf(values.get('role')), draft);
  if (grants === undefined) return;
  const privileges = textsOf(values.get('privileges'));
  const targets = targetsOf(values);
  if (targets.length === 0)
    draft.remark(
      address,
      `grants on ${textOf(values.get('object_type')) ?? 'nothing'}${values.get('schema') === undefined ? ' without a schema' : ''} have no like here`,
    );
  if (privileges.length === 0)
    draft.remark(address, 'left out: it takes privileges away; what a document does not give, its roles do not have, but where `grantsMode: additive` says so');
  for (const on of privileges.length === 0 ? [] : targets) grant(grants, textOf(values.get('database')), on, privileges, isOn(values.get('with_grant_option')));
}

function targetsOf(values: ReadonlyMap<string, unknown>): readonly On[] {
  const [type, schema, objects] = [textOf(values.get('object_type')) ?? '', textOf(values.get('schema')) ?? '', textsOf(values.get('objects'))];
  const kind = kindOf(type);
  const patterns: readonly Name[] = objects.length > 0 ? objects : [EVERY];
  // What is in a schema the provider refuses without one.
  if (schema === '' && (kind !== undefined || type === 'schema' || type === 'column')) return [];
  if (kind !== undefined) return patterns.map((pattern) => ({ kind, schema, pattern }));
  switch (type) {
    case 'database':
      return [{ kind: 'database' }];
    case 'schema':
      return [{ kind: 'schema', schema }];
    case 'foreign_data_wrapper':
      return objects.map((pattern) => ({ kind: 'foreignDataWrappers', pattern }));
    case 'foreign_server':
      return objects.map((pattern) => ({ kind: 'foreignServers', pattern }));
    case 'column':
      return objects.flatMap((table) => textsOf(values.get('columns')).map((column) => ({ kind: 'column', schema, table, column }) as const));
    default:
      return [];
  }
}

function readMembership({ address, values }: Declared, draft: Draft): void {
  const [role, parent] = [textOf(values.get('role')), textOf(values.get('grant_role'))];
  if (role === undefined || parent === undefined || !draft.has(role)) return draft.remark(address, `left out: the document has no role ${role ?? ''}`);
  draft.entry(role).memberships.set(parent, isOn(values.get('with_admin_option')) ? { admin: true } : {});
}

function readDefaults({ address, values }: Declared, draft: Draft): void {
  const grants = granteeOf(address, textOf(values.get('role')), draft);
  if (grants === undefined) return;
  toCome(draft, {
    subject: address,
    role: textOf(values.get('role')),
    grants,
    database: textOf(values.get('database')),
    schema: textOf(values.get('schema')),
    owner: textOf(values.get('owner')),
    type: textOf(values.get('object_type')) ?? '',
    privileges: textsOf(values.get('privileges')),
    isGrantable: isOn(values.get('with_grant_option')),
  });
}
