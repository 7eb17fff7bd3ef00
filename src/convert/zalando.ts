// Zalando's operator: users, databases and preparedDatabases of a postgresql.
import { described, passwordFrom } from './attributes.ts';
import type { Draft, EntryDraft } from './draft.ts';
import { at, isOff, isOn, mapOf, textOf, textsOf } from './given.ts';
import { EVERY, grant } from './grants.ts';
import { type Resource, resourcesOf } from './resources.ts';
import type { Context } from './tools.ts';

/** As the operator does by its shipped configuration: the names of Secrets and of prepared roles are its templates. */
export function fromZalando(values: readonly unknown[], draft: Draft, _context: Context): number {
  const clusters = resourcesOf(values).filter(({ group, kind }) => group === 'acid.zalan.do' && kind === 'postgresql');
  for (const cluster of clusters) readCluster(cluster, draft);
  return clusters.length;
}

const secretOf = (user: string, cluster: string): string => `${user.replaceAll('_', '-')}.${cluster}.credentials.postgresql.acid.zalan.do`;

function readCluster({ name: cluster, spec }: Resource, draft: Draft): void {
  for (const [name, flags] of mapOf(spec.get('users'))) {
    const words = new Set(textsOf(flags).map((flag) => flag.toLowerCase()));
    const entry = described(draft, name, {
      login: !words.has('nologin'),
      inherit: !words.has('noinherit'),
      superuser: words.has('superuser'),
      replication: words.has('replication'),
      createdb: words.has('createdb'),
      createrole: words.has('createrole'),
      bypassrls: words.has('bypassrls'),
    });
    if (entry?.login === true) passwordFrom(entry, secretOf(name, cluster), 'password');
    if (name.includes('.')) draft.remark(name, 'its Secret is in the namespace before the dot: bring it into the namespace of pgsteward');
  }
  for (const [name, owner] of mapOf(spec.get('databases'))) {
    const database = draft.database(name);
    database.keys.set('owner', textOf(owner) ?? '');
    database.keys.set('create', true);
  }
  for (const key of ['usersWithSecretRotation', 'usersWithInPlaceSecretRotation'])
    for (const name of textsOf(spec.get(key)))
      draft.remark(name, `${key}: write \`rotation\` into its entry (docs/credentials.md), and take the rotation out of the other operator first`);
  const prepared = spec.get('preparedDatabases');
  if (prepared === undefined || prepared === null) return;
  const databases = mapOf(prepared);
  // An empty one means a database of the cluster's name.
  const all: ReadonlyMap<string, unknown> = databases.size > 0 ? databases : new Map([[cluster.replaceAll('-', '_'), {}]]);
  for (const [name, settings] of all) prepare(name, settings, cluster, draft);
}

/** A family of roles: owner, reader and writer, with those who log in as them. */
function family(prefix: string, parent: string | undefined, withUsers: boolean, cluster: string, draft: Draft) {
  const [owner, reader, writer] = (['owner', 'reader', 'writer'] as const).map((what) => draft.entry(`${prefix}_${what}`)) as [
    EntryDraft,
    EntryDraft,
    EntryDraft,
  ];
  writer.memberships.set(reader.name, {});
  if (parent !== undefined) draft.entry(parent).memberships.set(owner.name, { admin: true });
  for (const role of [reader, writer]) owner.memberships.set(role.name, { admin: true });
  for (const role of withUsers ? [owner, reader, writer] : []) {
    const user = draft.entry(`${role.name}_user`);
    user.login = true;
    user.memberships.set(role.name, {});
    passwordFrom(user, secretOf(user.name, cluster), 'password');
  }
  for (const role of [owner, reader, writer]) role.isWhole = false;
  return { owner, reader, writer };
}

function prepare(name: string, settings: unknown, cluster: string, draft: Draft): void {
  const database = draft.database(name);
  const main = family(name, undefined, isOn(at(settings, 'defaultUsers')), cluster, draft);
  database.keys.set('owner', main.owner.name);
  database.keys.set('create', true);
  for (const [extension, schema] of mapOf(at(settings, 'extensions'))) database.extensions.set(extension, textOf(schema));
  const declared = mapOf(at(settings, 'schemas'));
  const schemas: ReadonlyMap<string, unknown> = declared.size > 0 ? declared : new Map([['data', {}]]);
  for (const [schema, options] of schemas) {
    const own = isOff(at(options, 'defaultRoles'))
      ? undefined
      : family(`${name}_${schema}`, main.owner.name, isOn(at(options, 'defaultUsers')), cluster, draft);
    database.schemas.set(schema, (own ?? main).owner.name);
    if (own !== undefined) database.createdBy.add(own.owner.name);
    for (const { reader, writer } of own === undefined ? [main] : [main, own]) give(reader, writer, name, schema);
  }
  if (at(settings, 'secretNamespace') !== undefined)
    draft.remark(`database ${name}`, 'secretNamespace: bring these Secrets into the namespace of pgsteward, which reads no other');
}

/** What the operator's default privileges give, here also on what is there already. */
function give(reader: EntryDraft, writer: EntryDraft, database: string, schema: string): void {
  for (const [role, tables, sequences] of [
    [reader, ['SELECT'], ['SELECT']],
    [writer, ['INSERT', 'UPDATE', 'DELETE'], ['USAGE', 'UPDATE']],
  ] as const) {
    grant(role.grants, database, { kind: 'schema', schema }, ['USAGE']);
    grant(role.grants, database, { kind: 'tables', schema, pattern: EVERY }, tables);
    grant(role.grants, database, { kind: 'sequences', schema, pattern: EVERY }, sequences);
    grant(role.grants, database, { kind: 'functions', schema, pattern: EVERY }, ['EXECUTE']);
    grant(role.grants, database, { kind: 'types', schema, pattern: EVERY }, ['USAGE']);
  }
}
