// The postgres-operator of movetokube: Postgres and PostgresUser.
import { passwordFrom } from './attributes.ts';
import type { Draft, EntryDraft } from './draft.ts';
import { at, textOf, textsOf } from './given.ts';
import { EVERY, grant } from './grants.ts';
import { type Resource, resourcesOf } from './resources.ts';
import type { Context } from './tools.ts';

interface Groups {
  readonly database: string;
  readonly owner: string;
  readonly reader: string;
  readonly writer: string;
}

export function fromMovetokube(values: readonly unknown[], draft: Draft, _context: Context): number {
  const resources = resourcesOf(values).filter(({ group }) => group === 'db.movetokube.com');
  const groups = new Map(resources.filter(({ kind }) => kind === 'Postgres').map((one) => [keyOf(one.namespace, one.name), readDatabase(one, draft)]));
  for (const user of resources.filter(({ kind }) => kind === 'PostgresUser')) readUser(user, groups, draft);
  return resources.length;
}

const keyOf = (namespace: string | undefined, name: string): string => JSON.stringify([namespace ?? '', name]);

function readDatabase({ name: resource, spec, status }: Resource, draft: Draft): Groups {
  const name = textOf(spec.get('database')) ?? resource;
  const known = (key: string): string | undefined => textOf(at(status.get('roles'), key));
  const groups = {
    database: name,
    owner: textOf(spec.get('masterRole')) ?? known('owner') ?? `${name}-group`,
    reader: known('reader') ?? `${name}-reader`,
    writer: known('writer') ?? `${name}-writer`,
  };
  const database = draft.database(name);
  database.keys.set('owner', groups.owner);
  database.keys.set('create', true);
  for (const extension of textsOf(spec.get('extensions'))) database.extensions.set(extension, undefined);
  const roles = [groups.owner, groups.reader, groups.writer].map((role) => draft.entry(role)) as [EntryDraft, EntryDraft, EntryDraft];
  for (const role of roles) role.isWhole = false;
  for (const schema of textsOf(spec.get('schemas'))) {
    database.schemas.set(schema, groups.owner);
    giveOn(schema, name, roles);
  }
  return groups;
}

/** The operator's own lists of privileges. The owner has everything by its ownership. */
function giveOn(schema: string, database: string, [, reader, writer]: readonly [EntryDraft, EntryDraft, EntryDraft]): void {
  grant(reader.grants, database, { kind: 'schema', schema }, ['USAGE']);
  grant(reader.grants, database, { kind: 'tables', schema, pattern: EVERY }, ['SELECT']);
  grant(writer.grants, database, { kind: 'schema', schema }, ['USAGE', 'CREATE']);
  grant(writer.grants, database, { kind: 'tables', schema, pattern: EVERY }, ['SELECT', 'INSERT', 'DELETE', 'UPDATE']);
  grant(writer.grants, database, { kind: 'sequences', schema, pattern: EVERY }, ['USAGE', 'SELECT']);
  grant(writer.grants, database, { kind: 'functions', schema, pattern: EVERY }, ['EXECUTE']);
}

function readUser({ name: resource, namespace, spec, status }: Resource, databases: ReadonlyMap<string, Groups>, draft: Draft): void {
  const groups = databases.get(keyOf(namespace, textOf(spec.get('database')) ?? ''));
  const known = textOf(status.get('postgresRole'));
  const name = known ?? textOf(spec.get('role'));
  if (name === undefined) return;
  if (known === undefined)
    draft.remark(
      name,
      `the operator made a role with a random ending for the PostgresUser ${resource}: write its name here, or convert what \`kubectl get -o yaml\` prints, which has it`,
    );
  const entry = draft.entry(name);
  entry.login = true;
  passwordFrom(entry, `${textOf(spec.get('secretName')) ?? ''}-${resource}`, 'PASSWORD');
  if (namespace !== undefined)
    draft.remark(name, `its Secret is in the namespace ${namespace}: bring it into the one of pgsteward, or declare it there as an author (docs/authors.md)`);
  if (groups === undefined) {
    draft.remark(name, `the Postgres that the PostgresUser ${resource} names is not among these files: its database and its role are left out`);
    return;
  }
  entry.keys.set('database', groups.database);
  const privileges = textOf(spec.get('privileges'))?.toUpperCase();
  entry.memberships.set(privileges === 'OWNER' ? groups.owner : privileges === 'WRITE' ? groups.writer : groups.reader, {});
  // What it creates belongs to the group, as there.
  if (privileges === 'OWNER') entry.keys.set('assumeRole', groups.owner);
}
