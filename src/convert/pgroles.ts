// pgroles: manifests of its program, and PostgresPolicies.
import { described, flagsOf, passwordFrom, passwordStays } from './attributes.ts';
import type { Draft } from './draft.ts';
import { at, isOff, isOn, listOf, mapOf, textOf, textsOf } from './given.ts';
import { EVERY, grant, type Grants, type Name, type On } from './grants.ts';
import { resourcesOf } from './resources.ts';
import { type Context, kindOf, toCome } from './tools.ts';

export function fromPgroles(values: readonly unknown[], draft: Draft, context: Context): number {
  const policies = resourcesOf(values).filter(({ group, kind }) => group === 'pgroles.io' && kind === 'PostgresPolicy');
  const plain = values.filter((value) => at(value, 'apiVersion') === undefined && PARTS.some((part) => mapOf(value).has(part)));
  const manifests = [...policies.map(({ spec }) => spec), ...plain.map((value) => mapOf(value))];
  // Fragments of a bundle stand on one another: first who there is, then what they may.
  const readers = manifests.map((manifest) => readerOf(manifest, draft, context.database));
  for (const { roles } of readers) roles();
  for (const { access } of readers) access();
  return manifests.length;
}

const PARTS = ['roles', 'schemas', 'profiles', 'grants', 'memberships', 'default_privileges'] as const;

interface Bound {
  readonly schema: string;
  readonly owner: string | undefined;
  readonly profiles: readonly { readonly role: string; readonly profile: unknown }[];
}

interface Place {
  readonly draft: Draft;
  readonly database: string | undefined;
}

function readerOf(manifest: ReadonlyMap<string, unknown>, draft: Draft, database: string | undefined) {
  const owner = textOf(manifest.get('default_owner'));
  const bound = listOf(manifest.get('schemas')).flatMap((item) => boundOf(item, manifest, owner));
  const place = { draft, database };
  return {
    roles: () => {
      for (const role of listOf(manifest.get('roles'))) readRole(mapOf(role), draft);
      for (const { role, profile } of bound.flatMap(({ profiles }) => profiles))
        described(draft, role, { login: isOn(at(profile, 'login')), inherit: !isOff(at(profile, 'inherit')) });
    },
    access: () => {
      for (const one of bound) readBound(one, place);
      for (const one of listOf(manifest.get('grants'))) readGrant(one, textOf(at(one, 'role')), undefined, place);
      for (const rule of listOf(manifest.get('default_privileges')))
        for (const one of listOf(at(rule, 'grant')))
          readDefault(one, textOf(at(one, 'role')), textOf(at(rule, 'schema')), textOf(at(rule, 'owner')) ?? owner, place);
      for (const membership of listOf(manifest.get('memberships'))) readMembership(membership, draft);
      for (const retired of listOf(manifest.get('retirements')))
        draft.remark(
          textOf(at(retired, 'role')) ?? 'retirements',
          'a retirement has no like here: let pgsteward have the role first, then take its entry away (docs/document.md#removal)',
        );
    },
  };
}

/** A schema with the roles that its profiles make. */
function boundOf(item: unknown, manifest: ReadonlyMap<string, unknown>, owner: string | undefined): readonly Bound[] {
  const schema = textOf(at(item, 'name'));
  if (schema === undefined) return [];
  const pattern = textOf(at(item, 'role_pattern')) ?? '{schema}-{profile}';
  const profiles = textsOf(at(item, 'profiles')).map((profile) => ({
    role: pattern.split('{schema}').join(schema).split('{profile}').join(profile),
    profile: mapOf(manifest.get('profiles')).get(profile),
  }));
  return [{ schema, owner: textOf(at(item, 'owner')) ?? owner, profiles }];
}

function readBound({ schema, owner, profiles }: Bound, place: Place): void {
  if (place.database !== undefined) place.draft.database(place.database).schemas.set(schema, owner);
  else place.draft.remark(`schema ${schema}`, 'it and its owner are left out: give the database with --database');
  for (const { role, profile } of profiles) {
    for (const one of listOf(at(profile, 'grants'))) readGrant(one, role, schema, place);
    for (const one of listOf(at(profile, 'default_privileges'))) readDefault(one, role, schema, owner, place);
  }
}

/** Whose grants they are. @returns undefined where no manifest declares the role, which is said. */
function granteeOf(role: string | undefined, draft: Draft): Grants | undefined {
  if (role?.toLowerCase() === 'public') return draft.everybody;
  if (role !== undefined && draft.has(role)) return draft.entry(role).grants;
  draft.remark(role ?? 'grants', 'what is granted to it is left out: no manifest among these declares the role');
  return undefined;
}

/** @param bindTo the schema that the profile is bound to. */
function readGrant(one: unknown, role: string | undefined, bindTo: string | undefined, { draft, database }: Place): void {
  const grants = granteeOf(role, draft);
  if (grants === undefined) return;
  const object = at(one, 'object') ?? at(one, 'on');
  const [type, name] = [textOf(at(object, 'type')) ?? '', textOf(at(object, 'name'))];
  const on = targetOf(type, textOf(at(object, 'schema')) ?? bindTo, name, bindTo);
  if (on === undefined) draft.leave(role ?? '', `a grant on ${type} ${name ?? ''} is left out: it names no schema, or has no like here`);
  else grant(grants, type === 'database' ? name : database, on, textsOf(at(one, 'privileges')));
}

function readDefault(one: unknown, role: string | undefined, schema: string | undefined, owner: string | undefined, { draft, database }: Place): void {
  const grants = granteeOf(role, draft);
  if (grants === undefined) return;
  toCome(draft, {
    subject: role ?? '',
    role,
    grants,
    database,
    schema,
    owner,
    type: textOf(at(one, 'on_type')) ?? '',
    privileges: textsOf(at(one, 'privileges')),
  });
}

/** There a star alone means everything. */
const everyOr = (name: string): Name => (name === '*' ? EVERY : name);

function targetOf(type: string, schema: string | undefined, name: string | undefined, bindTo: string | undefined): On | undefined {
  if (type === 'database') return { kind: 'database' };
  if (type === 'schema') return (name ?? bindTo) === undefined ? undefined : { kind: 'schema', schema: name ?? bindTo ?? '' };
  const kind = kindOf(type);
  return kind === undefined || schema === undefined ? undefined : { kind, schema, pattern: everyOr(name ?? '*') };
}

function readRole(role: ReadonlyMap<string, unknown>, draft: Draft): void {
  const name = textOf(role.get('name'));
  if (name === undefined) return;
  const limit = role.get('connection_limit');
  const entry = described(draft, name, {
    ...flagsOf((name) => role.get(name)),
    connectionLimit: typeof limit === 'number' ? limit : undefined,
    validUntil: textOf(role.get('password_valid_until')),
    comment: textOf(role.get('comment')),
  });
  if (entry?.login !== true) return;
  const password = role.get('password');
  const secret = textOf(at(password, 'secretRef', 'name'));
  if (secret !== undefined) passwordFrom(entry, secret, textOf(at(password, 'secretKey')) ?? name);
  else
    passwordStays(
      draft,
      entry,
      at(password, 'generate') === undefined
        ? 'it came from the environment of pgroles, or from nowhere'
        : 'pgroles made it; `password: {generate: {}}` makes a new one',
    );
}

function readMembership(membership: unknown, draft: Draft): void {
  const role = textOf(at(membership, 'role'));
  for (const member of listOf(at(membership, 'members'))) {
    const name = textOf(at(member, 'name')) ?? textOf(member);
    if (role === undefined || name === undefined) continue;
    if (draft.has(name))
      draft
        .entry(name)
        .memberships.set(role, { ...(isOn(at(member, 'admin')) ? { admin: true } : {}), ...(isOff(at(member, 'inherit')) ? { inherit: false } : {}) });
    else
      draft.remark(
        name,
        `its membership in ${role} is left out, as no manifest declares it: write an entry for it, as {username: …, password: none, roles: […]}`,
      );
  }
}
