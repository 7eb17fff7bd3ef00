// pgbedrock: a spec of roles of one database.
import { described, limitIn, passwordStays } from './attributes.ts';
import type { Draft, EntryDraft } from './draft.ts';
import { at, isOn, listOf, mapOf, textsOf } from './given.ts';
import { EVERY, grant, type Name, type SchemaKind } from './grants.ts';
import type { Context } from './tools.ts';

/** What `read` and `write` mean there. */
const PRIVILEGES: Readonly<Record<SchemaKind & ('tables' | 'sequences'), { readonly read: readonly string[]; readonly write: readonly string[] }>> = {
  tables: { read: ['SELECT'], write: ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER'] },
  sequences: { read: ['SELECT'], write: ['SELECT', 'USAGE', 'UPDATE'] },
};

export function fromPgbedrock(values: readonly unknown[], draft: Draft, { database }: Context): number {
  const specs = values.flatMap((value) => [...mapOf(value)]);
  for (const [name, spec] of specs) {
    const entry = readRole(name, spec, draft);
    if (entry === undefined) continue;
    readOwned(name, at(spec, 'owns'), database, draft);
    readPrivileges(entry, at(spec, 'privileges'), database, draft);
  }
  return specs.length;
}

function readRole(name: string, spec: unknown, draft: Draft): EntryDraft | undefined {
  const attributes = textsOf(at(spec, 'attributes'));
  const has = (word: string): boolean => attributes.some((attribute) => attribute.toUpperCase() === word);
  const after = (words: string): string | undefined =>
    attributes
      .find((attribute) => attribute.toUpperCase().startsWith(`${words} `))
      ?.slice(words.length + 1)
      .trim();
  const entry = described(draft, name, {
    login: isOn(at(spec, 'can_login')),
    inherit: !has('NOINHERIT'),
    superuser: isOn(at(spec, 'is_superuser')),
    replication: has('REPLICATION'),
    createdb: has('CREATEDB'),
    createrole: has('CREATEROLE'),
    bypassrls: has('BYPASSRLS'),
    connectionLimit: limitIn(after('CONNECTION LIMIT')),
    validUntil: after('VALID UNTIL')?.replaceAll("'", ''),
  });
  if (entry === undefined) return undefined;
  for (const parent of textsOf(at(spec, 'member_of'))) entry.memberships.set(parent, {});
  if (entry.login) passwordStays(draft, entry, after('PASSWORD') === undefined ? 'the spec has none' : 'the spec takes it from the environment');
  if (isOn(at(spec, 'has_personal_schema')))
    draft.remark(name, 'has_personal_schema: write a schema of its name with it as the owner into the database’s entry');
  return entry;
}

function readOwned(name: string, owns: unknown, database: string | undefined, draft: Draft): void {
  const schemas = textsOf(at(owns, 'schemas'));
  for (const schema of schemas)
    if (database === undefined) draft.remark(name, `that it owns the schema ${schema} is left out: give the database with --database`);
    else draft.database(database).schemas.set(schema, name);
  for (const kind of ['tables', 'sequences'] as const)
    if (listOf(at(owns, kind)).length > 0) {
      draft.remark(name, `owns.${kind}: owners of ${kind} stay as they are; only databases and schemas have one in a document`);
      if (database !== undefined) draft.database(database).createdBy.add(name);
    }
}

function readPrivileges(entry: EntryDraft, privileges: unknown, database: string | undefined, draft: Draft): void {
  const all = mapOf(privileges);
  for (const [level, words] of [
    ['read', ['USAGE']],
    ['write', ['USAGE', 'CREATE']],
  ] as const)
    for (const schema of textsOf(at(all.get('schemas'), level))) grant(entry.grants, database, { kind: 'schema', schema }, words);
  for (const kind of ['tables', 'sequences'] as const) {
    for (const level of ['read', 'write'] as const)
      for (const name of textsOf(at(all.get(kind), level))) {
        const [schema, pattern] = placeOf(name);
        if (pattern === undefined) draft.remark(entry.name, `${kind}: ${name} is left out: it names no schema`);
        else grant(entry.grants, database, { kind, schema, pattern }, PRIVILEGES[kind][level]);
      }
    for (const name of textsOf(at(all.get(kind), 'except'))) {
      const [schema, pattern] = placeOf(name);
      if (pattern !== undefined) grant(entry.grants, database, { kind, schema, pattern }, []);
    }
  }
}

/** `schema.name`, where a star alone means every one; names in double quotes are taken without them, and may hold anything. */
function placeOf(name: string): readonly [string, Name | undefined] {
  const [, quotedSchema, schema = '', quoted, plain] = /^(?:"((?:[^"]|"")+)"|([^".]+))\.(?:"((?:[^"]|"")+)"|([^"]+))$/.exec(name) ?? [];
  const bare = (text: string): string => text.replaceAll('""', '"');
  if (quoted === undefined && plain === undefined) return [name, undefined];
  return [quotedSchema === undefined ? schema : bare(quotedSchema), quoted === undefined ? (plain === '*' ? EVERY : plain) : bare(quoted)];
}
