// Changes of databases, and of the schemas and extensions in them.
import { extensionGuard, isGuards } from '../sql/extension-guard.ts';
import { identifier, sql } from '../sql/sql-text.ts';
import { actedAs, type ActedAs, actors, asNobodyElse } from './acted-as.ts';
import { type Advised, driftByEntry, type Need } from './definition.ts';
import { inDatabase, ownedBy } from './words.ts';

interface InDatabase {
  readonly database: string;
}

type CreateDatabase = InDatabase & { readonly kind: 'create_database'; readonly owner: string | undefined };
type AlterDatabaseOwner = InDatabase & { readonly kind: 'alter_database_owner'; readonly owner: string; readonly from: string };

interface OfSchema extends InDatabase {
  readonly schema: string;
}

type CreateSchema = OfSchema & { readonly kind: 'create_schema'; readonly owner: string | undefined };
type AlterSchemaOwner = OfSchema & ActedAs & { readonly kind: 'alter_schema_owner'; readonly owner: string; readonly from: string };

interface CreateExtension extends InDatabase {
  readonly kind: 'create_extension';
  readonly extension: string;
  readonly schema: string | undefined;
  readonly guarded: boolean;
}

export type DatabaseChange = CreateDatabase | AlterDatabaseOwner | CreateSchema | AlterSchemaOwner | CreateExtension;

const OF_DATABASES = { isDrift: driftByEntry, isAdvised: true, isOfNoUser: true } as const;

const DATABASE = {
  ...OF_DATABASES,
  key: ({ database }: InDatabase) => [database],
  object: ({ database }: InDatabase) => `database ${database}`,
};

const SCHEMA = {
  ...OF_DATABASES,
  key: ({ database, schema }: OfSchema) => [database, schema],
  object: ({ database, schema }: OfSchema) => `schema ${schema}${inDatabase(database)}`,
  database: ({ database }: InDatabase) => database,
};

const actAs = (role: string | undefined): Need => ({ what: 'act as', role });
const own = (database: string): Need => ({ what: 'own', database });
const CREATE_DATABASES: Need = { what: 'create databases' };

/** It runs outside of any transaction. */
export const createDatabase: Advised<CreateDatabase> = {
  ...DATABASE,
  subject: ({ owner }) => owner ?? '',
  sentence: ({ database, owner }) => `create database: ${database}${ownedBy(owner)}`,
  statements: ({ database, owner }) => [`CREATE DATABASE ${identifier(database)}${owner === undefined ? '' : ` OWNER ${identifier(owner)}`}`],
  needs: ({ owner }) => [CREATE_DATABASES, actAs(owner)],
  newOwner: ({ owner }) => owner,
  runs: 'apart',
};

export const alterDatabaseOwner: Advised<AlterDatabaseOwner> = {
  ...DATABASE,
  subject: ({ owner }) => owner,
  neededDatabase: ({ database }) => database,
  sentence: ({ database, owner, from }) => `give database ${database} to: ${owner} (now owned by ${from})`,
  statements: ({ database, owner }) => [`ALTER DATABASE ${identifier(database)} OWNER TO ${identifier(owner)}`],
  needs: ({ database, owner }) => [CREATE_DATABASES, own(database), actAs(owner)],
  newOwner: ({ owner }) => owner,
  loses: () => 'rights',
  rights: ({ from }) => [from],
};

export const createSchema: Advised<CreateSchema> = {
  ...SCHEMA,
  subject: ({ owner }) => owner ?? '',
  sentence: ({ database, schema, owner }) => `create schema: ${schema}${inDatabase(database)}${ownedBy(owner)}`,
  statements: ({ schema, owner }) => [`CREATE SCHEMA ${identifier(schema)}${owner === undefined ? '' : ` AUTHORIZATION ${identifier(owner)}`}`],
  needs: ({ database, owner }) => [own(database), actAs(owner)],
  newOwner: ({ owner }) => owner,
  rights: ({ database }, ownerOf) => [ownerOf(database)],
  names: ({ owner }, lent) => [owner ?? '', ...lent],
};

export const alterSchemaOwner: Advised<AlterSchemaOwner> = {
  ...SCHEMA,
  subject: ({ owner }) => owner,
  sentence: ({ database, schema, owner, from }) => `give schema ${schema}${inDatabase(database)} to: ${owner} (now owned by ${from})`,
  statements: ({ schema, owner, as }) => actedAs(as, [sql`ALTER SCHEMA ${identifier(schema)} OWNER TO ${identifier(owner)}`]),
  needs: ({ owner, as }) => [actAs(as), actAs(owner)],
  newOwner: ({ owner }) => owner,
  loses: () => 'rights',
  actors,
  rights: ({ database, from }, ownerOf) => [from === 'pg_database_owner' ? ownerOf(database) : from, ownerOf(database)],
  names: ({ owner, from, as }, lent) => [owner, ...(lent.length === 0 ? [] : [from]), ...lent, ...actors({ as })],
  asSuperuser: asNobodyElse,
};

export const createExtension: Advised<CreateExtension> = {
  ...OF_DATABASES,
  subject: () => '',
  key: ({ database, extension }) => [database, extension],
  object: ({ database, extension }) => `extension ${extension}${inDatabase(database)}`,
  database: ({ database }) => database,
  sentence: ({ database, extension, schema }) => `create extension: ${extension}${inDatabase(database)}${schema === undefined ? '' : ` in schema ${schema}`}`,
  statements: ({ extension, schema, guarded }, { trusted }) => {
    const guard = guarded ? [extensionGuard(extension, schema, trusted)] : [];
    if (schema !== undefined) return [...guard, `CREATE EXTENSION ${identifier(extension)} SCHEMA ${identifier(schema)}`];
    // It goes into the first schema of the search_path, and ours begins with pg_catalog. One that has a schema of its own takes that.
    return [...guard, 'SET LOCAL search_path = public, pg_temp', `CREATE EXTENSION ${identifier(extension)}`, 'SET LOCAL search_path = pg_catalog, pg_temp'];
  },
  needs: ({ database }) => [own(database)],
  rights: ({ database }, ownerOf) => [ownerOf(database)],
  names: (_, lent) => lent,
  isInVain: ({ extension }, message) => isGuards(extension, message),
};
