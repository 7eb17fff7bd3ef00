// Foresight: databases, schemas and owners that the plan itself will make, so that one plan, and a dry run of it, shows what follows from them.
import type { Catalog, DatabaseFacts } from '../../model/catalog.ts';
import type { Change } from '../../changes/change.ts';
import type { DatabaseEntry, Document } from '../../model/entries.ts';
import type { Law } from '../law/law.ts';
import { NO_TRIGGER } from '../../model/trigger-state.ts';
import { type AclEntry, type DatabaseContents, type ObjectGroup, ownName, PUBLIC } from '../../model/contents.ts';
import { refuseOwner } from './plan-database.ts';

const entry = (grantee: string, grantor: string, privilege: string): AclEntry => ({ grantee, grantor, privilege, grantable: false });

/** Whether the plan creates this database: it is missing, meant to be created, and our admin may. */
function isPlanned(wanted: DatabaseEntry, catalog: Catalog, law: Law, adminDatabase: string): boolean {
  const { name, owner, create } = wanted;
  const { server, cluster, databases } = catalog;
  const mayCreate = server.superuser || cluster.roles.get(server.admin)?.createdb === true;
  return create && mayCreate && !databases.has(name) && (owner === undefined || refuseOwner(wanted, owner, law, adminDatabase) === undefined);
}

/** The catalog as it will be once the planned databases are there. */
export function withPlannedDatabases(catalog: Catalog, document: Document, law: Law, adminDatabase: string): Catalog {
  const planned = document.databases.filter((one) => isPlanned(one, catalog, law, adminDatabase));
  if (planned.length === 0) return catalog;
  const facts = planned.map(({ name, owner }): DatabaseFacts => ({
    name,
    owner: owner ?? catalog.server.admin,
    allowsConnections: true,
    isTemplate: false,
    // CREATE DATABASE copies template1.
    encoding: catalog.databases.get('template1')?.encoding ?? catalog.server.encoding,
    publicConnect: true,
    mayGrant: true,
    planned: true,
  }));
  const shared = facts.map(({ name, owner }): ObjectGroup => ({
    kind: 'database',
    schema: '',
    owner,
    names: [name],
    extension: false,
    untouched: true,
    entries: ['CONNECT', 'TEMPORARY'].map((privilege) => entry(PUBLIC, owner, privilege)),
  }));
  return { ...catalog, databases: new Map([...catalog.databases, ...facts.map((one) => [one.name, one] as const)]), shared: [...catalog.shared, ...shared] };
}

/** What a database holds that was just made; what its template had beside this shows in the next pass. */
export function newContents(name: string, catalog: Catalog): DatabaseContents {
  const { bootstrap, server } = catalog;
  const owner = server.major >= 15 ? 'pg_database_owner' : bootstrap;
  const group = (part: Pick<ObjectGroup, 'kind' | 'names' | 'owner' | 'entries'>, extension = false): ObjectGroup => ({
    schema: '',
    extension,
    untouched: true,
    ...part,
  });
  const rights = server.major >= 15 ? ['USAGE'] : ['USAGE', 'CREATE'];
  return {
    name,
    groups: [
      group({ kind: 'schema', names: ['public'], owner, entries: rights.map((privilege) => entry(PUBLIC, owner, privilege)) }),
      group({ kind: 'language', names: ['sql'], owner: bootstrap, entries: [entry(PUBLIC, bootstrap, 'USAGE')] }),
      group({ kind: 'language', names: ['plpgsql'], owner: bootstrap, entries: [entry(PUBLIC, bootstrap, 'USAGE')] }, true),
    ],
    defaults: [],
    creators: new Map(),
    extensions: new Map([['plpgsql', 'pg_catalog']]),
    trigger: NO_TRIGGER,
    strays: [],
  };
}

/** The contents after the plan's own schemas are made and handed over. */
export function foresee(contents: DatabaseContents, changes: readonly Change[], admin: string): DatabaseContents {
  const owners = new Map<string, string>();
  const made: ObjectGroup[] = [];
  for (const change of changes) {
    if (change.kind === 'alter_schema_owner') owners.set(change.schema, change.owner);
    else if (change.kind === 'create_schema')
      made.push({ kind: 'schema', schema: '', owner: change.owner ?? admin, names: [change.schema], extension: false, untouched: true, entries: [] });
  }
  if (owners.size === 0 && made.length === 0) return contents;
  const groups = contents.groups.flatMap((group) => (group.kind === 'schema' ? handedOver(group, owners) : [group]));
  return { ...contents, groups: [...groups, ...made] };
}

/** Groups of schemas or databases, taken apart where some of them get another owner. */
export function handedOver(group: ObjectGroup, owners: ReadonlyMap<string, string>): readonly ObjectGroup[] {
  const rest = group.names.filter((name) => !owners.has(ownName(name)));
  if (rest.length === group.names.length) return [group];
  const moved = group.names.flatMap((name) => {
    const owner = owners.get(ownName(name));
    return owner === undefined ? [] : [ownedBy({ ...group, names: [name] }, owner)];
  });
  return rest.length === 0 ? moved : [{ ...group, names: rest }, ...moved];
}

/** Objects after they got another owner: the server rewrites the old one's entries and grants to the new one, whose own rights are nobody's to take. */
const ownedBy = (group: ObjectGroup, owner: string): ObjectGroup => ({
  ...group,
  owner,
  entries: group.entries.filter((one) => one.grantee !== owner).map((one) => (one.grantor === group.owner ? { ...one, grantor: owner } : one)),
});
