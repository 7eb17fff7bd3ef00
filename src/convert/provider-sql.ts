// provider-sql of Crossplane: Roles, Databases, Schemas, Extensions, Grants and DefaultPrivileges of PostgreSQL.
import { described, flagsOf, passwordFrom, passwordStays } from './attributes.ts';
import type { Draft } from './draft.ts';
import { at, isOff, isOn, listOf, mapOf, textOf, textsOf } from './given.ts';
import { grant, type On } from './grants.ts';
import { type Resource, resourcesOf } from './resources.ts';
import { toCome, type Context } from './tools.ts';

const GROUPS: ReadonlySet<string> = new Set(['postgresql.sql.crossplane.io', 'postgresql.sql.m.crossplane.io']);

export function fromProviderSql(values: readonly unknown[], draft: Draft, _context: Context): number {
  const resources = resourcesOf(values).filter(({ group }) => GROUPS.has(group));
  const names = new Map(resources.map((one) => [JSON.stringify([one.kind, one.name]), nameOf(one)]));
  const reader = readerOf(names, draft);
  // Roles first: a grant may name one that stands behind it, and an entry that is left out keeps its grants out.
  for (const resource of resources.toSorted((a, b) => Number(b.kind === 'Role') - Number(a.kind === 'Role')))
    if (Object.hasOwn(READERS, resource.kind)) READERS[resource.kind]?.(resource, reader, draft);
  return resources.filter(({ kind }) => Object.hasOwn(READERS, kind)).length;
}

/** What the object is called on the server. */
const nameOf = ({ name, annotations }: Resource): string => textOf(annotations.get('crossplane.io/external-name')) ?? name;

type Reader = (resource: Resource, key: string, kind: string) => string | undefined;

/** Reads `key`, or what `keyRef` leads to. What a selector finds only the cluster knows. */
const readerOf =
  (names: ReadonlyMap<string, string>, draft: Draft): Reader =>
  (resource, key, kind) => {
    const given = mapOf(resource.spec.get('forProvider'));
    const named = textOf(given.get(key));
    if (named !== undefined) return named;
    const ref = textOf(at(given.get(`${key}Ref`), 'name'));
    if (ref !== undefined) return names.get(JSON.stringify([kind, ref])) ?? ref;
    if (given.has(`${key}Selector`))
      draft.remark(
        `${resource.kind} ${resource.name}`,
        `${key}Selector: what it selects only the cluster knows; convert what \`kubectl get -o yaml\` prints, where it is resolved`,
      );
    return undefined;
  };

/** Whether only the cluster knows where it is: it could be anywhere, and what is left of it would be wider than what is meant. */
const isOpen = ({ spec }: Resource): boolean => {
  const given = mapOf(spec.get('forProvider'));
  return ['database', 'schema'].some(
    (key) => given.has(`${key}Selector`) && textOf(given.get(key)) === undefined && textOf(at(given.get(`${key}Ref`), 'name')) === undefined,
  );
};

const READERS: Readonly<Record<string, (resource: Resource, read: Reader, draft: Draft) => void>> = {
  Role: readRole,
  Database: readDatabase,
  Schema: readSchema,
  Extension: readExtension,
  Grant: readGrant,
  DefaultPrivileges: readDefaults,
};

/** What the provider calls otherwise than PostgreSQL. */
const NAMES: Readonly<Record<string, string>> = { superuser: 'superUser', createdb: 'createDb', createrole: 'createRole', bypassrls: 'bypassRls' };

function readRole(resource: Resource, _read: Reader, draft: Draft): void {
  const given = mapOf(resource.spec.get('forProvider'));
  const name = nameOf(resource);
  const limit = given.get('connectionLimit');
  const entry = described(draft, name, {
    ...flagsOf((name) => at(given.get('privileges'), NAMES[name] ?? name)),
    connectionLimit: typeof limit === 'number' ? limit : undefined,
  });
  if (entry === undefined) return;
  entry.isWhole = false;
  const settings = listOf(given.get('configurationParameters')).flatMap((one) => {
    const [parameter, value] = [textOf(at(one, 'name')), textOf(at(one, 'value'))];
    return parameter === undefined || value === undefined ? [] : [[parameter, value] as const];
  });
  if (settings.length > 0 && entry.login) entry.keys.set('settings', new Map(settings));
  else if (settings.length > 0) draft.remark(name, 'its settings are not in the document: they hold for whom logs in as it, and nobody does');
  if (entry.login) readPassword(resource, given, draft);
}

function readPassword({ spec, ...resource }: Resource, given: ReadonlyMap<string, unknown>, draft: Draft): void {
  const name = nameOf({ spec, ...resource });
  const entry = draft.entry(name);
  const own = given.get('passwordSecretRef');
  const written = spec.get('writeConnectionSecretToRef');
  const secret = textOf(at(own, 'name')) ?? textOf(at(written, 'name'));
  if (secret === undefined) return passwordStays(draft, entry, 'the Role names no Secret');
  passwordFrom(entry, secret, textOf(at(own, 'key')) ?? 'password');
  const namespace = textOf(at(own ?? written, 'namespace')) ?? resource.namespace;
  if (namespace !== undefined) draft.remark(name, `its Secret is in the namespace ${namespace}: pgsteward reads those of its own`);
}

function readDatabase(resource: Resource, read: Reader, draft: Draft): void {
  const database = draft.database(nameOf(resource));
  const owner = read(resource, 'owner', 'Role');
  if (owner !== undefined) database.keys.set('owner', owner);
  database.keys.set('create', true);
  for (const key of ['template', 'encoding', 'lcCollate', 'lcCType', 'tablespace', 'allowConnections', 'connectionLimit', 'isTemplate'])
    if (mapOf(resource.spec.get('forProvider')).has(key)) draft.remark(`database ${nameOf(resource)}`, `${key} has no like here and stays as it is`);
}

function readSchema(resource: Resource, read: Reader, draft: Draft): void {
  const database = read(resource, 'database', 'Database');
  if (database === undefined) return draft.remark(`Schema ${resource.name}`, 'left out: it names no database');
  draft.database(database).schemas.set(textOf(at(resource.spec.get('forProvider'), 'schema')) ?? nameOf(resource), read(resource, 'role', 'Role'));
  if (isOn(at(resource.spec.get('forProvider'), 'revokePublicOnSchema'))) grant(draft.everybody, database, { kind: 'schema', schema: nameOf(resource) }, []);
}

function readExtension(resource: Resource, read: Reader, draft: Draft): void {
  const database = read(resource, 'database', 'Database');
  const name = textOf(at(resource.spec.get('forProvider'), 'extension')) ?? resource.name;
  if (database === undefined) return draft.remark(`Extension ${resource.name}`, 'left out: it names no database');
  draft.database(database).extensions.set(name, textOf(at(resource.spec.get('forProvider'), 'schema')));
}

function readGrant(resource: Resource, read: Reader, draft: Draft): void {
  const given = mapOf(resource.spec.get('forProvider'));
  const [role, memberOf, database] = [read(resource, 'role', 'Role'), read(resource, 'memberOf', 'Role'), read(resource, 'database', 'Database')];
  const subject = `Grant ${resource.name}`;
  if (role === undefined) return draft.remark(subject, 'left out: it names no role');
  if (role.toLowerCase() !== 'public' && !draft.has(role))
    return draft.remark(subject, `left out: there is no Role ${role} among these files that the document has`);
  const entry = role.toLowerCase() === 'public' ? undefined : draft.entry(role);
  if (memberOf !== undefined)
    return void entry?.memberships.set(memberOf, {
      ...(given.get('withOption') === 'ADMIN' ? { admin: true } : {}),
      ...(isOff(given.get('withInherit')) ? { inherit: false } : {}),
    });
  const grants = entry?.grants ?? draft.everybody;
  const schema = read(resource, 'schema', 'Schema');
  if (isOpen(resource)) return;
  if (database === undefined) return draft.remark(subject, 'left out: it names no database');
  if (schema === undefined && ['tables', 'sequences', 'routines', 'columns'].some((key) => given.has(key)))
    return draft.remark(subject, 'left out: it names no schema');
  const privileges = textsOf(given.get('privileges'));
  for (const on of targetsOf(given, schema)) grant(grants, database, on, privileges, given.get('withOption') === 'GRANT');
  if (isOn(given.get('revokePublicOnDb')))
    draft.remark(`database ${database}`, '`revokePublicOnDb`: write `public: revoked` into its entry, where nobody else needs what PUBLIC has');
}

function targetsOf(given: ReadonlyMap<string, unknown>, schema: string | undefined): readonly On[] {
  const texts = (key: string): readonly string[] => textsOf(given.get(key));
  const wide: readonly On[] = [
    ...texts('foreignDataWrappers').map((pattern) => ({ kind: 'foreignDataWrappers', pattern }) as const),
    ...texts('foreignServers').map((pattern) => ({ kind: 'foreignServers', pattern }) as const),
  ];
  if (schema === undefined) return wide.length > 0 ? wide : [{ kind: 'database' }];
  const columns = texts('columns');
  const within: readonly On[] = [
    ...texts('tables').flatMap((table): readonly On[] =>
      columns.length === 0 ? [{ kind: 'tables', schema, pattern: table }] : columns.map((column) => ({ kind: 'column', schema, table, column })),
    ),
    ...texts('sequences').map((pattern) => ({ kind: 'sequences', schema, pattern }) as const),
    ...listOf(given.get('routines')).flatMap((one): readonly On[] => {
      const name = textOf(at(one, 'name'));
      return name === undefined ? [] : [{ kind: 'functions', schema, pattern: `${name}(${textsOf(at(one, 'args')).join(', ').toLowerCase()})` }];
    }),
  ];
  return within.length > 0 ? within : [{ kind: 'schema', schema }];
}

function readDefaults(resource: Resource, read: Reader, draft: Draft): void {
  const given = mapOf(resource.spec.get('forProvider'));
  const [role, database] = [read(resource, 'role', 'Role'), read(resource, 'database', 'Database')];
  if (role === undefined || (role.toLowerCase() !== 'public' && !draft.has(role)))
    return draft.remark(`DefaultPrivileges ${resource.name}`, 'left out: it names no role that the document has');
  const schema = read(resource, 'schema', 'Schema');
  if (isOpen(resource)) return;
  if (database === undefined) return draft.remark(`DefaultPrivileges ${resource.name}`, 'left out: it names no database');
  toCome(draft, {
    subject: `DefaultPrivileges ${resource.name}`,
    role,
    grants: role.toLowerCase() === 'public' ? draft.everybody : draft.entry(role).grants,
    database,
    schema,
    owner: textOf(given.get('targetRole')),
    type: textOf(given.get('objectType')) ?? '',
    privileges: textsOf(given.get('privileges')),
    isGrantable: given.get('withOption') === 'GRANT',
  });
}
