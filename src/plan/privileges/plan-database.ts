// Databases: what the document says of one beside privileges: that it is there, who owns it, its schemas. Never drops any.
import type { Catalog } from '../../model/catalog.ts';
import type { Change } from '../../changes/change.ts';
import type { DatabaseEntry } from '../../model/entries.ts';
import type { Law } from '../law/law.ts';
import type { Notice } from '../../changes/notice.ts';
import type { Acting } from './acting.ts';
import { type DatabaseContents, isSystemSchema } from '../../model/contents.ts';
import { schemasForExtensions } from './extensions.ts';

interface Found {
  readonly changes: Change[];
  readonly notices: Notice[];
}

const TEMPLATES: ReadonlySet<string> = new Set(['template0', 'template1']);

const TEMPLATE = 'what is in a template is in every new database';

/** Creates what is missing and hands over what has another owner; for everything that cannot be had a notice. */
export function planDatabase(entry: DatabaseEntry, catalog: Catalog, law: Law, adminDatabase: string): Found {
  const { name, owner, position } = entry;
  const facts = catalog.databases.get(name);
  const isKept = owner === undefined || (facts?.owner === owner && facts.planned !== true);
  const refusal = isKept ? undefined : facts?.isTemplate === true ? TEMPLATE : refuseOwner(entry, owner, law, adminDatabase);
  const subject = owner ?? '';
  if (refusal !== undefined)
    return { changes: [], notices: [{ kind: 'refused', subject, position, message: `${owner} is refused as the owner of database ${name}: ${refusal}` }] };
  if (facts === undefined || facts.planned === true) {
    if (entry.create) return { changes: [{ kind: 'create_database', database: name, owner }], notices: [] };
    return {
      changes: [],
      notices: [{ kind: 'pending', subject, position, message: `what is said of database ${name} waits until it exists; \`create: true\` creates it` }],
    };
  }
  if (owner === undefined || facts.owner === owner) return { changes: [], notices: [] };
  const taking = law.refuseTaking(facts.owner, entry.source);
  if (taking !== undefined)
    return { changes: [], notices: [{ kind: 'refused', subject, position, message: `${owner} is refused as the owner of database ${name}: ${taking}` }] };
  return { changes: [{ kind: 'alter_database_owner', database: name, owner, from: facts.owner }], notices: [] };
}

/** Why a role may not become the owner of a database; undefined where it may. */
export function refuseOwner(
  { name: database, source }: Pick<DatabaseEntry, 'name' | 'source'>,
  owner: string,
  law: Law,
  adminDatabase: string,
): string | undefined {
  if (TEMPLATES.has(database)) return TEMPLATE;
  if (database === adminDatabase) return 'the database holds the memory of pgsteward (DB_NAME)';
  return law.refuseOwnership(owner, source);
}

/** Schemas of a database that was read, those for its extensions included. */
export function planContents(entry: DatabaseEntry, contents: DatabaseContents, law: Law, acting: Acting, isTemplate: boolean): Found {
  const database = entry.name;
  const owners = new Map(contents.groups.flatMap((group) => (group.kind === 'schema' ? group.names.map((name) => [name, group.owner] as const) : [])));
  const result: Found = { changes: [], notices: [] };
  for (const { name: schema, owner, position } of entry.schemas) {
    const present = owners.get(schema);
    const refuse = (why: string): void => {
      result.notices.push({ kind: 'refused', subject: owner ?? '', position, message: `schema ${schema} in database ${database} is refused: ${why}` });
    };
    if (isSystemSchema(schema)) refuse('it belongs to the server or to pgsteward');
    else if (isTemplate && owner !== undefined && owner !== present) refuse(TEMPLATE);
    else if (owner !== undefined && owner !== present && law.refuseOwnership(owner, entry.source) !== undefined)
      refuse(law.refuseOwnership(owner, entry.source) ?? '');
    else if (owner !== undefined && owner !== present && present !== undefined && law.refuseTaking(present, entry.source) !== undefined)
      refuse(law.refuseTaking(present, entry.source) ?? '');
    else if (present === undefined) result.changes.push({ kind: 'create_schema', database, schema, owner });
    else if (owner !== undefined && owner !== present) {
      const role = acting.as(present, database);
      // Whoever is only acted as would have to be able to become the new owner.
      const as = role !== undefined && acting.borrows(role) ? undefined : role;
      result.changes.push({ kind: 'alter_schema_owner', database, schema, owner, from: present, as });
    }
  }
  result.changes.push(...schemasForExtensions(entry, contents));
  return result;
}
