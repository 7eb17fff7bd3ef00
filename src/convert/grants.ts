// Grants that are gathered one by one → blocks of grants: one for each database, and one for each of its schemas.
import type { Written } from '../document/write-yaml.ts';

/** Kinds within a schema. */
export type SchemaKind = 'tables' | 'sequences' | 'functions' | 'types';
/** Kinds that belong to the database. */
export type DatabaseKind = 'languages' | 'foreignDataWrappers' | 'foreignServers';

/** What a grant is on. */
export type On =
  | { readonly kind: 'database' }
  | { readonly kind: 'schema'; readonly schema: string }
  | { readonly kind: SchemaKind; readonly schema: string; readonly pattern: string }
  | { readonly kind: 'column'; readonly schema: string; readonly table: string; readonly column: string }
  | { readonly kind: DatabaseKind; readonly pattern: string };

type Privileges = Map<string, boolean>;
/** Kind → pattern → privileges; of columns the patterns are tables, and columns stand within. */
interface Block {
  readonly database: Privileges;
  readonly schema: Privileges;
  readonly kinds: Map<SchemaKind | DatabaseKind, Map<string, Privileges>>;
  readonly columns: Map<string, Map<string, Privileges>>;
}

/** Database (undefined: `DB_NAME`) → schema (undefined: of the database itself) → what is granted. */
export type Grants = Map<string | undefined, Map<string | undefined, Block>>;

export const createGrants = (): Grants => new Map();

/** Adds a grant. @param database undefined: the one that `DB_NAME` says. @param privileges in any case; none: that there is nothing. */
export function grant(grants: Grants, database: string | undefined, on: On, privileges: readonly string[], isGrantable = false): void {
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

const blockOf = (grants: Grants, database: string | undefined, schema: string | undefined): Block =>
  inside(
    inside(grants, database, () => new Map<string | undefined, Block>()),
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
        inside(block.kinds, on.kind, () => new Map<string, Privileges>()),
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

/** The blocks, as a document has them. */
export const blocksOf = (grants: Grants): readonly ReadonlyMap<string, Written>[] =>
  [...grants].flatMap(([database, schemas]) => [...schemas].map(([schema, block]) => written(database, schema, block)));

function written(
  database: string | undefined,
  schema: string | undefined,
  { database: own, schema: onSchema, kinds, columns }: Block,
): ReadonlyMap<string, Written> {
  const block = new Map<string, Written>();
  if (database !== undefined) block.set('database', database);
  if (own.size > 0) block.set('databasePrivileges', wordsOf(own));
  if (schema !== undefined) block.set('schemas', onSchema.size > 0 ? new Map([[schema, wordsOf(onSchema)]]) : [schema]);
  for (const [kind, patterns] of kinds) block.set(kind, new Map([...patterns].map(([pattern, privileges]) => [pattern, wordsOf(privileges)])));
  if (columns.size > 0)
    block.set(
      'columns',
      new Map([...columns].map(([table, list]) => [table, new Map([...list].map(([column, privileges]) => [column, wordsOf(privileges)]))])),
    );
  return block;
}
