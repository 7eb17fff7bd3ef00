// CloudNativePG: managed.roles and initdb of a Cluster, and Databases.
import { described, flagsOf, limitIn, passwordFrom, passwordStays } from './attributes.ts';
import type { Draft } from './draft.ts';
import { at, isOn, listOf, mapOf, textOf, textsOf } from './given.ts';
import { type Resource, resourcesOf } from './resources.ts';
import type { Context } from './tools.ts';

/** @see the fields of `managed.roles` and of the kind Database in CloudNativePG 1.2x. */
export function fromCloudNativePg(values: readonly unknown[], draft: Draft, _context: Context): number {
  const resources = resourcesOf(values).filter(({ group }) => group === 'postgresql.cnpg.io');
  for (const resource of resources) {
    if (resource.kind === 'Cluster') readCluster(resource, draft);
    else if (resource.kind === 'Database') readDatabase(resource, draft);
  }
  return resources.filter(({ kind }) => kind === 'Cluster' || kind === 'Database').length;
}

function readCluster({ name: cluster, spec }: Resource, draft: Draft): void {
  const initdb = at(spec.get('bootstrap'), 'initdb');
  const owner = textOf(at(initdb, 'owner'));
  const database = textOf(at(initdb, 'database'));
  if (database !== undefined) draft.database(database).keys.set('owner', owner ?? database);
  if (owner !== undefined || database !== undefined) {
    const entry = described(draft, owner ?? database ?? '', { login: true });
    if (entry !== undefined) {
      if (database !== undefined) entry.keys.set('database', database);
      passwordFrom(entry, textOf(at(initdb, 'secret', 'name')) ?? `${cluster}-app`, 'password');
    }
  }
  for (const role of listOf(at(spec.get('managed'), 'roles'))) readRole(mapOf(role), draft);
}

function readRole(role: ReadonlyMap<string, unknown>, draft: Draft): void {
  const name = textOf(role.get('name'));
  if (name === undefined) return;
  if (role.get('ensure') === 'absent') {
    draft.remark(name, 'left out: `ensure: absent` has no like here; a role that pgsteward has is removed when its entry goes, others are dropped by hand');
    return;
  }
  const entry = described(draft, name, {
    ...flagsOf((name) => role.get(name)),
    connectionLimit: limitIn(role.get('connectionLimit')),
    validUntil: textOf(role.get('validUntil')),
    comment: textOf(role.get('comment')),
  });
  if (entry === undefined) return;
  for (const parent of textsOf(role.get('inRoles'))) entry.memberships.set(parent, {});
  if (!entry.login) return;
  const secret = textOf(at(role.get('passwordSecret'), 'name'));
  if (secret !== undefined) passwordFrom(entry, secret, 'password');
  else if (isOn(role.get('disablePassword'))) {
    entry.keys.set('password', 'none');
    draft.remark(name, 'a password that it has is not taken away, as `disablePassword` does');
  } else passwordStays(draft, entry, 'the Cluster names no Secret for it');
}

function readDatabase({ name: resource, spec }: Resource, draft: Draft): void {
  const name = textOf(spec.get('name'));
  if (name === undefined) return;
  if (spec.get('ensure') === 'absent') {
    draft.remark(`database ${name}`, 'left out: `ensure: absent` has no like here, as no database is ever dropped');
    return;
  }
  const database = draft.database(name);
  const owner = textOf(spec.get('owner'));
  if (owner !== undefined) database.keys.set('owner', owner);
  database.keys.set('create', true);
  for (const [key, into, value] of [
    ['schemas', database.schemas, 'owner'],
    ['extensions', database.extensions, 'schema'],
  ] as const)
    for (const item of listOf(spec.get(key))) {
      const what = textOf(at(item, 'name'));
      if (what === undefined) continue;
      if (at(item, 'ensure') === 'absent') draft.remark(`database ${name}`, `${key}: ${what} is left out: nothing is dropped`);
      else into.set(what, textOf(at(item, value)));
    }
  for (const key of ['fdws', 'servers', 'encoding', 'locale', 'tablespace', 'template', 'connectionLimit', 'isTemplate', 'allowConnections'])
    if (spec.has(key)) draft.remark(`database ${name}`, `${key} of the Database ${resource} has no like here and stays as it is`);
}
