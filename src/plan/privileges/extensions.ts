// Extensions of a database: which are installed, and where an installation would run what others put into the schema.
import type { Catalog } from '../../model/catalog.ts';
import type { Change } from '../../changes/change.ts';
import type { DatabaseEntry } from '../../model/entries.ts';
import type { Law } from '../law/law.ts';
import type { Notice } from '../../changes/notice.ts';
import { type DatabaseContents, isSystemSchema, PUBLIC } from '../../model/contents.ts';

/** Where an extension goes whose entry names no schema, unless its control file does. */
const DEFAULT_SCHEMA = 'public';

const mayHoldExtensions = (schema: string): boolean => !isSystemSchema(schema) || schema === 'pg_catalog';

/** Schemas that are made for extensions: they belong to our admin alone, so that nobody else has a hand in them. */
export function schemasForExtensions(entry: DatabaseEntry, contents: DatabaseContents): Change[] {
  const there = new Set([
    ...contents.groups.flatMap((group) => (group.kind === 'schema' ? group.names : [])),
    ...entry.schemas.map((schema) => schema.name),
    DEFAULT_SCHEMA,
  ]);
  const missing = new Set(
    entry.extensions.flatMap(({ name, schema }) =>
      schema === undefined || there.has(schema) || isSystemSchema(schema) || contents.extensions.has(name) ? [] : [schema],
    ),
  );
  return [...missing].map((schema) => ({ kind: 'create_schema', database: entry.name, schema, owner: undefined }));
}

export interface ExtensionFacts {
  /** As the database will be once the plan's schemas are made and handed over. */
  readonly contents: DatabaseContents;
  readonly catalog: Catalog;
  readonly law: Law;
  /** Of the database. */
  readonly owner: string;
  /** What the plan takes away in this database. */
  readonly revokes: readonly Change[];
}

/** What of an entry's extensions is installed now, and for the others why not. The server checks again in the transaction that installs. */
export function planExtensions(entry: DatabaseEntry, facts: ExtensionFacts): { readonly changes: Change[]; readonly notices: Notice[] } {
  const { contents, law } = facts;
  const changes: Change[] = [];
  const notices: Notice[] = [];
  for (const { name: extension, schema, position } of entry.extensions) {
    if (contents.extensions.has(extension)) continue;
    const what = `extension ${extension} in database ${entry.name}`;
    if (schema !== undefined && !mayHoldExtensions(schema)) {
      notices.push({ kind: 'refused', subject: '', position, message: `${what} is refused: schema ${schema} belongs to the server or to pgsteward` });
      continue;
    }
    const guarded = !law.allowsExtension(extension);
    const hands = guarded ? handsIn(schema ?? DEFAULT_SCHEMA, facts) : [];
    const staying = hands.filter((hand) => !hand.leaves);
    const [hand] = staying.length > 0 ? staying : hands;
    if (hand === undefined) changes.push({ kind: 'create_extension', database: entry.name, extension, schema, guarded });
    else if (staying.length === 0)
      notices.push({ kind: 'pending', subject: '', position, message: `${what} waits until it is no longer so that ${hand.words}` });
    else
      notices.push({
        kind: 'refused',
        subject: '',
        position,
        message:
          `${what} is refused: ${hand.words}, and the extension's script would use with our rights what it finds there; ` +
          `give it a schema of its own ({name: ${extension}, schema: extensions}), close schema ${schema ?? DEFAULT_SCHEMA} to others, or ALLOWED_EXTENSIONS=${extension} allows it`,
      });
  }
  return { changes, notices };
}

interface Hand {
  /** Who can do what, or has what, in the schema. */
  readonly words: string;
  /** The plan takes it away. */
  readonly leaves: boolean;
}

/** Everybody but superusers and our own login who may put something into a schema or has something there. */
function handsIn(schema: string, { contents, catalog, owner, revokes }: ExtensionFacts): Hand[] {
  const isTrusted = (role: string): boolean => {
    const real = role === 'pg_database_owner' ? owner : role;
    return real === catalog.server.admin || catalog.cluster.roles.get(real)?.superuser === true;
  };
  const own = contents.groups.find((group) => group.kind === 'schema' && group.names.includes(schema));
  const leaves = (role: string): boolean =>
    revokes.some(
      (change) =>
        change.kind === 'revoke_privilege' &&
        change.role === role &&
        !change.optionOnly &&
        change.on.object === 'schema' &&
        change.on.names.includes(schema) &&
        change.privileges.includes('CREATE'),
    );
  const creators = new Set([
    ...(own?.entries ?? []).flatMap((entry) => (entry.privilege === 'CREATE' ? [entry.grantee] : [])),
    ...(contents.creators.get(schema) ?? []).filter((role) => role !== own?.owner),
  ]);
  const makers = new Set(contents.groups.flatMap((group) => (group.schema === schema && group.kind !== 'schema' ? [group.owner] : [])));
  return [
    ...(own === undefined || isTrusted(own.owner) ? [] : [{ words: `${own.owner} owns schema ${schema}`, leaves: false }]),
    ...[...creators]
      .filter((role) => !isTrusted(role))
      .map((role) => ({ words: `${role === PUBLIC ? 'everybody' : role} may create objects in schema ${schema}`, leaves: leaves(role) })),
    ...[...makers].filter((role) => !isTrusted(role)).map((role) => ({ words: `${role} has objects in schema ${schema}`, leaves: false })),
  ];
}
