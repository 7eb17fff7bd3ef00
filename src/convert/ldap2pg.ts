// ldap2pg: the static part of ldap2pg.yml, which are roles and grants that no search in a directory makes.
import { described, flagsOf, limitIn } from './attributes.ts';
import type { Draft } from './draft.ts';
import { at, listOf, mapOf, textOf, textsOf } from './given.ts';
import { EVERY, grant, type Name, type On } from './grants.ts';
import { type Context, kindOf } from './tools.ts';

interface Privilege {
  readonly word: string;
  readonly on: 'database' | 'schema' | 'language' | 'tables' | 'sequences' | 'functions' | 'types';
}

/** Profiles within profiles end here. */
const DEPTH = 100;

export function fromLdap2pg(values: readonly unknown[], draft: Draft, _context: Context): number {
  let count = 0;
  for (const value of values) {
    const rules = listOf(at(value, 'rules') ?? at(value, 'sync_map'));
    const databases = databasesOf(value);
    for (const [index, rule] of rules.entries()) {
      const subject = textOf(at(rule, 'description')) ?? `rule ${index + 1}`;
      if (at(rule, 'ldapsearch') !== undefined || at(rule, 'ldap') !== undefined) {
        draft.remark(subject, 'left out: it searches a directory. Write the users down, or make the document from the directory in a pipeline');
        continue;
      }
      for (const role of [...listOf(at(rule, 'role')), ...listOf(at(rule, 'roles'))]) readRoles(role, subject, draft);
      for (const one of [...listOf(at(rule, 'grant')), ...listOf(at(rule, 'grants'))])
        readGrant(one, subject, mapOf(at(value, 'privileges')), databases, draft);
    }
    count += rules.length;
  }
  return count;
}

/** Of all databases it manages those that a list says; a query's answer nobody has here. */
function databasesOf(value: unknown): readonly Name[] {
  const listed = at(value, 'postgres', 'databases_query');
  return Array.isArray(listed) ? textsOf(listed) : [EVERY];
}

const plural = (value: unknown, key: string): readonly string[] => [...textsOf(at(value, key)), ...textsOf(at(value, `${key}s`))];

function readRoles(value: unknown, subject: string, draft: Draft): void {
  const names = textOf(value) === undefined ? plural(value, 'name') : textsOf(value);
  const options = optionsOf(at(value, 'options'));
  for (const name of names) {
    // Of one that is defined again the first definition stands, and parents are added.
    const isNew = !draft.has(name);
    const entry = isNew
      ? described(draft, name, {
          ...flagsOf((name) => options.get(name.toUpperCase())),
          connectionLimit: limitIn(options.get('CONNECTION LIMIT')),
          comment: textOf(at(value, 'comment')),
        })
      : draft.entry(name);
    if (entry === undefined) continue;
    for (const parent of plural(value, 'parent')) entry.memberships.set(parent, {});
    for (const key of ['before_create', 'after_create']) if (at(value, key) !== undefined) draft.remark(name, `${key}: no SQL of others is run here`);
    if (!isNew || !entry.login) continue;
    const settings = [...mapOf(at(value, 'config'))].flatMap(([parameter, setting]) =>
      textOf(setting) === undefined ? [] : [[parameter, textOf(setting) ?? ''] as const],
    );
    if (settings.length > 0) entry.keys.set('settings', new Map(settings));
    entry.keys.set('password', 'none');
    draft.remark(name, '`password: none`, as logins of a directory have none here; one that has a password keeps it');
  }
  if (names.length === 0) draft.remark(subject, 'a role without a name is left out');
}

/** `LOGIN NOSUPERUSER CONNECTION LIMIT 5`, or a mapping. */
function optionsOf(value: unknown): ReadonlyMap<string, unknown> {
  const text = textOf(value);
  if (text === undefined) return new Map([...mapOf(value)].map(([key, option]) => [key.toUpperCase().replaceAll('_', ' '), option]));
  const words = text.toUpperCase().split(' ').filter(Boolean);
  const options = new Map<string, unknown>();
  for (const [index, word] of words.entries()) {
    if (word === 'LIMIT') options.set('CONNECTION LIMIT', words[index + 1]);
    else if (NEGATABLE.has(word)) options.set(word, true);
    else if (word.startsWith('NO') && NEGATABLE.has(word.slice(2))) options.set(word.slice(2), false);
  }
  return options;
}

const NEGATABLE: ReadonlySet<string> = new Set(['LOGIN', 'INHERIT', 'SUPERUSER', 'REPLICATION', 'CREATEDB', 'CREATEROLE', 'BYPASSRLS']);

function readGrant(value: unknown, subject: string, profiles: ReadonlyMap<string, unknown>, all: readonly Name[], draft: Draft): void {
  const roles = plural(value, 'role');
  const leave = (message: string): void => {
    draft.remark(subject, message);
    for (const role of roles) draft.leave(role, message, subject);
  };
  const seen = new Set<string>();
  const privileges = plural(value, 'privilege').flatMap((name) => privilegesOf(name, profiles, leave, seen, DEPTH));
  const schemas = plural(value, 'schema').map((schema): Name => (schema === '__all__' ? EVERY : schema));
  const databases = plural(value, 'database').flatMap((database): readonly Name[] => (database === '__all__' ? all : [database]));
  for (const role of roles) {
    if (role !== 'public' && !draft.has(role)) {
      draft.remark(subject, `what it grants to ${role} is left out: no rule before it makes that role`);
      continue;
    }
    const grants = role === 'public' ? draft.everybody : draft.entry(role).grants;
    for (const database of databases.length > 0 ? databases : all)
      for (const { word, on } of privileges)
        for (const target of targetsOf(on, schemas.length > 0 ? schemas : [EVERY])) grant(grants, database, target, [word]);
  }
}

const targetsOf = (on: Privilege['on'], schemas: readonly Name[]): readonly On[] => {
  if (on === 'database') return [{ kind: 'database' }];
  if (on === 'language') return [{ kind: 'languages', pattern: EVERY }];
  return schemas.map((schema) => (on === 'schema' ? { kind: 'schema', schema } : { kind: on, schema, pattern: EVERY }));
};

/** What a profile means: those of the file, and the ones that ldap2pg has itself. */
function privilegesOf(
  name: string,
  profiles: ReadonlyMap<string, unknown>,
  leave: (message: string) => void,
  seen: Set<string>,
  depth: number,
): readonly Privilege[] {
  // Each is taken once: profiles that name others many times double with every level.
  if (depth === 0 || seen.has(name)) return [];
  seen.add(name);
  const profile = profiles.get(name);
  if (profile === undefined) {
    const found = builtin(name);
    if (found.length === 0) leave(`the privilege ${name} is not known here and left out`);
    return found;
  }
  return listOf(profile).flatMap((item) => {
    const other = textOf(item);
    if (other !== undefined) return privilegesOf(other, profiles, leave, seen, depth - 1);
    const on = aclOf(textOf(at(item, 'on')) ?? '', textOf(at(item, 'object')) ?? '');
    if (on === undefined) leave(`${name}: privileges on ${textOf(at(item, 'on')) ?? 'nothing'} are left out`);
    return on === undefined ? [] : plural(item, 'type').map((word) => ({ word, on }));
  });
}

function aclOf(on: string, object: string): Privilege['on'] | undefined {
  const acl = on.toUpperCase();
  if (acl.endsWith('DEFAULT')) return kindOf(object);
  const word = acl
    .replace(/^ALL /, '')
    .replace(/ IN SCHEMA$/, '')
    .toLowerCase();
  if (word === 'database' || word === 'databases') return 'database';
  if (word === 'schema' || word === 'schemas') return 'schema';
  if (word === 'language' || word === 'languages') return 'language';
  return kindOf(word);
}

const OF_TABLES: ReadonlySet<string> = new Set(['INSERT', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']);

/** `__select_on_tables__`, `__default_usage_on_types__`, `__connect__` and the like. */
function builtin(name: string): readonly Privilege[] {
  if (!name.startsWith('__') || !name.endsWith('__')) return [];
  const words = name.slice(2, -2).replace(/^default_/, '');
  const [verb = '', object = ''] = words.split('_on_');
  const word = verb.toUpperCase();
  if (object === '')
    return word === 'CONNECT' || word === 'TEMPORARY'
      ? [{ word, on: 'database' }]
      : OF_TABLES.has(word)
        ? [{ word, on: 'tables' }]
        : word === 'EXECUTE'
          ? [{ word, on: 'functions' }]
          : [];
  const on = aclOf(object.replace(/^all_/, ''), '');
  return on === undefined ? [] : [{ word, on }];
}
