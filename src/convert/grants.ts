// Grants that are gathered one by one → blocks of grants: one for each database, and one for each of its schemas.
import type { Written } from '../document/write-yaml.ts';
import { isGlob } from '../model/pattern.ts';

/** Everything there is. A name that has a star in it is another thing: in a document it would be a pattern, and give more than the tool does. */
export const EVERY = Symbol('every one');
export type Name = string | typeof EVERY;

/** Kinds within a schema. */
export type SchemaKind = 'tables' | 'sequences' | 'functions' | 'types';
/** Kinds that belong to the database. */
export type DatabaseKind = 'languages' | 'foreignDataWrappers' | 'foreignServers';

/** What a grant is on. */
export type On =
  | { readonly kind: 'database' }
  | { readonly kind: 'schema'; readonly schema: Name }
  | { readonly kind: SchemaKind; readonly schema: Name; readonly pattern: Name }
  | { readonly kind: 'column'; readonly schema: Name; readonly table: string; readonly column: string }
  | { readonly kind: DatabaseKind; readonly pattern: Name };

type Privileges = Map<string, boolean>;
/** Kind → pattern → privileges; of columns the patterns are tables, and columns stand within. */
interface Block {
  readonly database: Privileges;
  readonly schema: Privileges;
  readonly kinds: Map<SchemaKind | DatabaseKind, Map<Name, Privileges>>;
  readonly columns: Map<string, Map<string, Privileges>>;
}

/** Database (undefined: `DB_NAME`) → schema (undefined: of the database itself) → what is granted. */
export interface Grants {
  readonly blocks: Map<Name | undefined, Map<Name | undefined, Block>>;
  readonly room: Room;
}

/** How many grants there may still be in the whole draft: a few names times names times names are more than any document. */
export interface Room {
  left: number;
}

export const createRoom = (): Room => ({ left: MOST_GRANTS });
export const createGrants = (room: Room): Grants => ({ blocks: new Map(), room });
const MOST_GRANTS = 200_000;

/** The files say more than a document may. */
export class TooMuch extends Error {
  override readonly name = 'TooMuch';
}

/** Adds a grant. @param database undefined: the one that `DB_NAME` says. @param privileges in any case; none: that there is nothing. */
export function grant(grants: Grants, database: Name | undefined, on: On, privileges: readonly string[], isGrantable = false): void {
  grants.room.left -= 1 + privileges.length;
  if (grants.room.left < 0)
    throw new TooMuch(`these files come to more than ${MOST_GRANTS} grants, which is more than a document may say; convert them in parts`);
  const block = blockOf(grants, database, 'schema' in on ? on.schema : undefined);
  const target = targetOf(block, on);
  for (const privilege of privileges) {
    const word = wordOf(privilege);
    target.set(word, isGrantable || target.get(word) === true);
  }
}

const wordOf = (privilege: string): string => {
  const word = privilege.trim().toUpperCase();
  return word === 'TEMP' ? 'TEMPORARY' : word === 'ALL PRIVILEGES' ? 'ALL' : word;
};

function inside<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const there = map.get(key) ?? make();
  map.set(key, there);
  return there;
}

const blockOf = (grants: Grants, database: Name | undefined, schema: Name | undefined): Block =>
  inside(
    inside(grants.blocks, database, () => new Map<Name | undefined, Block>()),
    schema,
    () => ({ database: new Map(), schema: new Map(), kinds: new Map(), columns: new Map() }),
  );

function targetOf(block: Block, on: On): Privileges {
  switch (on.kind) {
    case 'database':
      return block.database;
    case 'schema':
      return block.schema;
    case 'column':
      return inside(
        inside(block.columns, on.table, () => new Map<string, Privileges>()),
        on.column,
        () => new Map(),
      );
    default:
      return inside(
        inside(block.kinds, on.kind, () => new Map<Name, Privileges>()),
        on.pattern,
        () => new Map(),
      );
  }
}

const wordsOf = (privileges: Privileges): Written =>
  [...privileges].map(([privilege, isGrantable]) =>
    isGrantable
      ? new Map<string, Written>([
          ['privilege', privilege],
          ['grantable', true],
        ])
      : privilege,
  );

/** The blocks, as a document has them. @param unsaid told each name that a document would read as a pattern: what is granted there is left out. */
export const blocksOf = (grants: Grants, unsaid: (name: string) => void): readonly ReadonlyMap<string, Written>[] => {
  const said = <T>(map: ReadonlyMap<Name | undefined, T>): readonly (readonly [name: string | undefined, of: T])[] =>
    [...map].flatMap(([name, of]) => {
      if (typeof name !== 'string' || !isGlob(name)) return [[name === EVERY ? '*' : name, of] as const];
      unsaid(name);
      return [];
    });
  const named = (map: ReadonlyMap<Name, Privileges>): ReadonlyMap<string, Written> =>
    new Map(said(map).map(([name = '', privileges]) => [name, wordsOf(privileges)]));
  return said(grants.blocks).flatMap(([database, schemas]) =>
    said(schemas).flatMap(([schema, block]) => written(database, schema, block, { said, named }) ?? []),
  );
};

interface Saying {
  readonly said: <T>(map: ReadonlyMap<Name | undefined, T>) => readonly (readonly [name: string | undefined, of: T])[];
  readonly named: (map: ReadonlyMap<Name, Privileges>) => ReadonlyMap<string, Written>;
}

function written(
  database: string | undefined,
  schema: string | undefined,
  { database: own, schema: onSchema, kinds, columns }: Block,
  { said, named }: Saying,
): ReadonlyMap<string, Written> | undefined {
  const block = new Map<string, Written>();
  if (database !== undefined) block.set('database', database);
  if (own.size > 0) block.set('databasePrivileges', wordsOf(own));
  if (schema !== undefined) block.set('schemas', onSchema.size > 0 ? new Map([[schema, wordsOf(onSchema)]]) : [schema]);
  const within = [
    ...[...kinds].map(([kind, patterns]) => [kind, named(patterns)] as const),
    ['columns', new Map(said(columns).map(([table = '', list]) => [table, named(list)]))] as const,
  ];
  for (const [kind, patterns] of within) if (patterns.size > 0) block.set(kind, patterns);
  const isEmpty = own.size + onSchema.size === 0 && within.every(([, patterns]) => patterns.size === 0);
  return isEmpty ? undefined : block;
}
