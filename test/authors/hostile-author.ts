// A hostile author: documents at random that ask for what is not its own, in every key that a document has.
import { createRandom, type Random } from '../hostile/random.ts';

const NAMES = [
  'shop_a',
  'shop_b',
  'shop_owner',
  'shop_',
  'shop_*',
  'shop_dba',
  'Shop_a',
  'shop_"; DROP ROLE bill_app; --',
  'shop_\u0430pp',
  'shop_a\nbill_app',
  'shop_a\u001fbill_app',
  'bill_app',
  'bill_reader',
  'bill_secret',
  'operator_user',
  'reporting',
  'lent',
  'dba',
  'postgres',
  'pg_monitor',
  'pg_read_server_files',
  'pg_database_owner',
  'PUBLIC',
  'none',
  '*',
  `shop_${'x'.repeat(58)}`,
  `shop_${'x'.repeat(60)}`,
  'pgsteward_heir_1',
  'bill_\u0430pp',
  ' bill_app',
  'bill_app ',
];
const DATABASES = ['shop', 'shop', 'shop', 'bill', 'postgres', 'template1', 'new', 'shop_new', '*', 'sho*', '*hop', 'shop*', 'Shop', '', 'b*'];
const SCHEMAS = ['app', 'app_new', 'private', 'public', '*', 'app*', 'a*', 'pg_catalog', 'information_schema', 'pgsteward', 'pg_*', '**'];
const SETTINGS = ['work_mem', 'search_path', 'role', 'session_preload_libraries', 'log_statement', 'statement_timeout', 'session_authorization'];

interface Pick {
  readonly one: <T>(items: readonly T[]) => T;
  readonly some: <T>(items: readonly T[], most?: number) => T[];
  readonly chance: (share: number) => boolean;
}

const pickFrom = (random: Random): Pick => {
  const one = <T>(items: readonly T[]): T => items[random.below(items.length)] as T;
  return {
    one,
    some: (items, most = 3) => Array.from({ length: random.below(most) + 1 }, () => one(items)),
    chance: (share) => random.below(1000) < share * 1000,
  };
};

/** Mostly its own names, so that entries come far enough to be judged further. */
const name = ({ chance, one }: Pick): string => (chance(0.6) ? one(NAMES.slice(0, 3)) : one(NAMES));
const database = ({ chance, one }: Pick): string => (chance(0.6) ? 'shop' : one(DATABASES));
const KINDS: Readonly<Record<string, readonly string[]>> = {
  tables: ['SELECT', 'INSERT', 'TRIGGER', 'ALL'],
  sequences: ['USAGE', 'ALL'],
  functions: ['EXECUTE'],
  types: ['USAGE'],
  languages: ['USAGE'],
  foreignServers: ['USAGE'],
  foreignDataWrappers: ['USAGE'],
  largeObjects: ['SELECT'],
  tablespaces: ['CREATE'],
  parameters: ['SET', 'ALTER SYSTEM'],
};

const grant = (pick: Pick, privileges: readonly string[]): unknown[] =>
  pick.some(privileges, 2).map((privilege) => (pick.chance(0.1) ? { privilege, grantable: true } : privilege));

function block(pick: Pick): object {
  const schemas = pick.some(pick.chance(0.6) ? SCHEMAS.slice(0, 2) : SCHEMAS, 2);
  const [kind, privileges] = pick.one(Object.entries(KINDS));
  const inSchemas = ['tables', 'sequences', 'functions', 'types'].includes(kind) || pick.chance(0.2);
  return {
    ...(pick.chance(0.9) ? { database: database(pick) } : {}),
    ...(pick.chance(0.2) ? { databasePrivileges: grant(pick, ['CREATE', 'CONNECT', 'TEMPORARY', 'ALL']) } : {}),
    ...(inSchemas ? { schemas: Object.fromEntries(schemas.map((schema) => [schema, grant(pick, ['USAGE', 'CREATE'])])) } : {}),
    [kind]: { [pick.one(['*', 't', 'secret', 'pg_read_file', 'work_mem', 'plpgsql', 'pg_*', '123'])]: grant(pick, privileges) },
    ...(inSchemas && pick.chance(0.2) ? { columns: { t: { '*': grant(pick, ['SELECT', 'UPDATE']) } } } : {}),
  };
}

const membership = (pick: Pick): unknown =>
  pick.chance(0.7) ? name(pick) : { name: pick.one(NAMES), admin: pick.chance(0.5), inherit: pick.chance(0.5), set: pick.chance(0.5) };

const shared = (pick: Pick): object => ({
  ...(pick.chance(0.3) ? { grants: [block(pick)] } : {}),
  ...(pick.chance(0.1) ? { renamedFrom: pick.one(NAMES) } : {}),
  ...(pick.chance(0.1) ? { grantsMode: pick.one(['additive', 'authoritative']) } : {}),
  ...(pick.chance(0.1) ? { deletionPolicy: pick.one(['drop', 'retain', 'disable']) } : {}),
  ...(pick.chance(0.1) ? { movedTo: pick.one(['bill', 'shop', 'operator']) } : {}),
  ...(pick.chance(0.1) ? { comment: pick.one(['x', "'; DROP ROLE bill_app; --", 'logs in for bill_app']) } : {}),
});

const user = (pick: Pick): object => ({
  username: name(pick),
  ...(pick.chance(0.9) ? { database: database(pick) } : {}),
  ...(pick.chance(0.2) ? { databases: pick.some(DATABASES) } : {}),
  login: pick.chance(0.3),
  ...(pick.chance(0.5) ? { roles: Array.from({ length: 2 }, () => membership(pick)) } : {}),
  ...(pick.chance(0.1) ? { assumeRole: pick.one(NAMES) } : {}),
  ...(pick.chance(0.1) ? { privileges: { [pick.one(['t', 'private.secret', 'pg_catalog.pg_authid'])]: ['SELECT'] } } : {}),
  ...(pick.chance(0.2) ? { passwordSecretRef: { name: pick.one(['user-operator-user-secret', '../postgres/x', 'user-shop-a-secret']) } } : {}),
  ...(pick.chance(0.1) ? { connectionSecret: { name: 'x', namespace: pick.one(['postgres', 'bill', 'kube-system']) } } : {}),
  ...(pick.chance(0.2) ? { settings: { [pick.one(SETTINGS)]: pick.one(['1', 'bill_app', 'private, pg_catalog']) } } : {}),
  ...(pick.chance(0.1) ? { databaseSettings: { [database(pick)]: { [pick.one(SETTINGS)]: '1' } } } : {}),
  ...(pick.chance(0.1) ? { connectionLimit: pick.one([-1, 0, 1000]) } : {}),
  ...shared(pick),
});

const role = (pick: Pick): object => ({
  name: name(pick),
  ...(pick.chance(0.5) ? { memberOf: Array.from({ length: 2 }, () => membership(pick)) } : {}),
  ...(pick.chance(0.3) ? { sharedWith: pick.some(['bill', 'shop', 'operator']) } : {}),
  ...shared(pick),
});

const databaseEntry = (pick: Pick): object => ({
  name: database(pick),
  ...(pick.chance(0.6) ? { owner: name(pick) } : {}),
  ...(pick.chance(0.3) ? { create: true } : {}),
  ...(pick.chance(0.3) ? { public: pick.chance(0.5) ? 'revoked' : block(pick) } : {}),
  ...(pick.chance(0.4) ? { schemas: pick.some(SCHEMAS).map((schema) => ({ name: schema, owner: name(pick) })) } : {}),
  ...(pick.chance(0.2) ? { extensions: pick.some(['hstore', 'dblink', 'file_fdw', 'plpgsql', 'adminpack']) } : {}),
  ...(pick.chance(0.2) ? { createdBy: pick.some(NAMES) } : {}),
});

/** Names that stand twice are refused, and tell nothing else; now and then they do. */
const distinct = (items: readonly object[], key: string): readonly object[] =>
  items.filter((item, index) => index % 5 === 4 || items.findIndex((other) => valueOf(other, key) === valueOf(item, key)) === index);

const valueOf = (item: object, key: string): unknown => (item as Record<string, unknown>)[key];

/** One of them. */
export function hostileDocument(seed: number): object {
  const random = createRandom(seed);
  const pick = pickFrom(random);
  const list = (most: number, item: (pick: Pick) => object): object[] => Array.from({ length: random.below(most) }, () => item(pick));
  return {
    users: distinct(list(5, user), 'username'),
    allowEmpty: true,
    roles: distinct(list(6, role), 'name'),
    databases: distinct(list(3, databaseEntry), 'name'),
    ...(pick.chance(0.1) ? { guardrails: [{ name: 'x', never: 'ALL', on: { database: pick.one(DATABASES), schema: '*' }, by: '*' }] } : {}),
    ...(pick.chance(0.1) ? { permissions: [{ name: 'p', ...block(pick) }] } : {}),
  };
}
