// Who gains and loses access by a plan, as its outputs show it: logins alone, and each only what it could not before.
import { type AccessDifference, accessDifference, type AccessLine } from '../access/difference.ts';
import type { Change } from '../changes/change.ts';
import { definitionOf } from '../changes/table.ts';
import { pathWords } from '../explain/say.ts';
import { PUBLIC } from '../model/contents.ts';
import type { ObjectKind } from '../model/kinds.ts';
import type { DatabaseFacts } from '../model/catalog.ts';
import type { MoreAccess, ReadAccess } from '../steward/read-access.ts';

/** Where access is read, whole databases that are wanted; undefined where nothing can be known of it. */
export type AccessReader = (isWanted: (database: Pick<DatabaseFacts, 'name'>) => boolean, more?: MoreAccess) => Promise<ReadAccess | undefined>;

export interface ShownAccessLine {
  /** PUBLIC for everybody. */
  readonly role: string;
  /** null for what is in none. */
  readonly database: string | null;
  readonly kind: ObjectKind;
  readonly schema: string;
  readonly privileges: readonly string[];
  /** The first of them by name. */
  readonly names: readonly string[];
  readonly count: number;
  /** They are all of their kind in the schema. */
  readonly all: boolean;
  /** By which path it will have it, or had it, in words. */
  readonly by: string;
  readonly chain: readonly string[];
}

export interface ShownAccess {
  readonly gained: readonly ShownAccessLine[];
  readonly lost: readonly ShownAccessLine[];
  /** What is not known, or was not compared: a sentence each. */
  readonly unknown: readonly string[];
}

export const OLDER_SNAPSHOT = 'an older pgsteward took the snapshot, which does not tell of access: take another one';

/** So many names of one line are held. */
const NAMES = 100;

/** Kinds by which roles themselves change, which may show anywhere. */
const OF_ROLES: ReadonlySet<Change['kind']> = new Set<Change['kind']>([
  'create_role',
  'alter_role',
  'drop_role',
  'disable_role',
  'grant_membership',
  'revoke_membership',
  'alter_database_owner',
]);

/** Compares before and after; reads no more of the server than the changes may show in. */
export async function accessOf(changes: readonly Change[], read: AccessReader): Promise<ShownAccess> {
  if (changes.every((change) => definitionOf(change).isMemory === true || definitionOf(change).inKubernetes === true))
    return { gained: [], lost: [], unknown: [] };
  const isAnywhere = changes.some((change) => OF_ROLES.has(change.kind) || (change.kind === 'set_password' && change.opens !== undefined));
  const named = new Set(
    changes.flatMap((change) => [definitionOf(change).database?.(change) ?? '', ...(change.kind === 'create_database' ? ['template1'] : [])]),
  );
  const found = await read(({ name }) => isAnywhere || named.has(name));
  if (found === undefined) return { gained: [], lost: [], unknown: [OLDER_SNAPSHOT] };
  const unread = [...found.unread].map(([name, reason]) => `database ${name} was not read: ${reason}`);
  return shown(accessDifference(found.state, changes), unread);
}

const shown = ({ gained, lost, more, unknown }: AccessDifference, unread: readonly string[]): ShownAccess => ({
  gained: gained.map(shownLine),
  lost: lost.map(shownLine),
  unknown: [...unread, ...unknown, ...(more ? ['there is more than was compared'] : [])],
});

export const shownLine = ({ role, database, kind, schema, privileges, names, all, path }: AccessLine): ShownAccessLine => ({
  role: role === PUBLIC ? 'PUBLIC' : role,
  database: database ?? null,
  kind,
  schema,
  privileges,
  names: names.slice(0, NAMES),
  count: names.length,
  all,
  by: pathWords(path),
  chain: path.chain.map((one) => (one === PUBLIC ? 'PUBLIC' : one)),
});
