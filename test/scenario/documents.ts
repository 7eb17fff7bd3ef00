// Documents of the scenario's operator and teams: what they may say, drawn by a seed, and entries beyond it that must have no effect.
import type { Random } from '../hostile/random.ts';
import type { Block, PlainDocument, PlainRole, PlainUser, Wish } from '../privileges/evaluator.ts';
import { TEAMS, type Team } from './company.ts';

export interface Role extends PlainRole {
  readonly sharedWith?: readonly string[];
}
export interface User extends PlainUser {
  readonly connectionLimit?: number;
  readonly passwordSecretRef?: { readonly name: string };
}
export interface Said extends PlainDocument {
  readonly roles: readonly Role[];
  readonly users: readonly User[];
}
/** Entries that are wrong, or beyond a scope. */
export interface Refused {
  readonly roles: readonly object[];
  readonly users: readonly object[];
}
export const NOTHING_REFUSED: Refused = { roles: [], users: [] };

/** A document as it stands in its ConfigMap. */
export const textOf = (said: Said, refused: Refused): object => ({
  ...said,
  roles: [...refused.roles, ...said.roles],
  users: [...said.users, ...refused.users],
});

const some = <T>(random: Random, items: readonly T[], least = 0): T[] => {
  const found = items.filter(() => random.oneIn(2));
  return found.length >= least ? found : [random.pick(items)];
};

const wishes = (random: Random, known: readonly string[]): readonly Wish[] => (random.oneIn(6) ? ['ALL'] : random.oneIn(8) ? [] : some(random, known, 1));

function block(random: Random, database: string, schemas: readonly string[]): Block {
  const tables = some(random, ['*', 'ev*', 'orders', 'items', 'absent', 'made_*'], 1);
  return {
    database,
    schemas: some(random, schemas, 1).slice(0, 2),
    tables: Object.fromEntries(tables.map((pattern) => [pattern, wishes(random, ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'])])),
    ...(random.oneIn(3) ? { sequences: { '*': wishes(random, ['USAGE', 'SELECT']) } } : {}),
    ...(random.oneIn(3) ? { functions: { [random.pick(['*', 'f_one', 'f_one(integer)'])]: ['EXECUTE'] } } : {}),
    ...(random.oneIn(4) ? { types: { '*': ['USAGE'] } } : {}),
    ...(random.oneIn(4) ? { columns: { orders: { email: wishes(random, ['SELECT', 'UPDATE']) } } } : {}),
    ...(random.oneIn(5) ? { databasePrivileges: some(random, ['CONNECT', 'TEMPORARY'], 1) } : {}),
  };
}

/** Whether a user of this name has grants of its own, now and ever: one that has none is left alone. */
const hasGrants = (username: string): boolean => /u[23]$/.test(username);

function user(random: Random, username: string, server: string, roles: readonly string[], grants: () => readonly Block[]): User {
  return {
    username,
    database: 'app',
    ...(username.endsWith('_app') || random.oneIn(2) ? { passwordSecretRef: { name: secretOf(server, username) } } : { login: false }),
    ...(random.oneIn(3) ? { connectionLimit: 1 + random.below(9) } : {}),
    roles,
    ...(hasGrants(username) ? { grants: grants() } : {}),
  };
}

export const secretOf = (server: string, username: string): string => `${server}-${username.replaceAll('_', '-')}`;

/** @param mark a number that tells one edit from another on the server. */
export function operatorsDocument(random: Random, server: string, mark: number): Said {
  const grants = (): Block[] => [
    block(random, 'app', ['*', 't*', 'shared', 't1', 't5']),
    ...(random.oneIn(2) ? [block(random, random.pick(['extra', 'ex*']), ['keep', '*'])] : []),
  ];
  const optional = some(random, ['op_r0', 'op_r1', 'op_r2']);
  const roles: Role[] = [
    { name: 'op_lent', grants: [{ database: 'extra', schemas: ['keep'], tables: { notes: ['SELECT'] } }], memberOf: [] },
    { name: 'op_all', grants: grants(), memberOf: random.oneIn(2) ? ['op_lent'] : [] },
    ...optional.map((name) => ({
      name,
      grants: grants(),
      memberOf: some(random, ['op_lent', 'op_all']),
      ...(random.oneIn(3) ? { permissions: ['op read'] } : {}),
    })),
  ];
  const names = roles.map(({ name }) => name);
  return {
    permissions: [{ name: 'op read', database: 'app', schemas: ['public'], tables: ['*'], actions: ['SELECT'] }],
    roles,
    users: [
      { username: 'op_mark', database: 'postgres', login: false, connectionLimit: mark, roles: [] },
      ...['op_app', ...some(random, ['op_u0', 'op_u1', 'op_u2', 'op_u3'])].map((name) => user(random, name, server, some(random, names), grants)),
    ],
  };
}

/** What a team shares, and of whom its users are members; both stay where one of the two could not be heard. */
export interface Across {
  readonly sharedWith: readonly string[];
  readonly joins: readonly Team[];
}
export const across = (random: Random, team: Team, others: readonly Team[]): Across => ({
  sharedWith: some(
    random,
    others.filter((other) => other !== team),
  ),
  joins: some(
    random,
    others.filter((other) => other !== team),
  ),
});

export function teamsDocument(random: Random, server: string, team: Team, { sharedWith, joins }: Across): Said {
  const schemas = [team, `${team}*`, 'shared'];
  const roles: Role[] = [
    { name: `${team}_reader`, grants: [block(random, 'app', schemas)], sharedWith, memberOf: [] },
    ...some(random, [`${team}_r0`, `${team}_r1`, `${team}_r2`]).map((name) => ({
      name,
      grants: random.oneIn(6) ? [] : [block(random, 'app', schemas)],
      // The operator shares only one of them.
      memberOf: some(random, [`${team}_reader`, 'op_lent', 'op_all']),
    })),
  ];
  const names = [...roles.map(({ name }) => name), 'op_lent'];
  const grants = (): Block[] => [block(random, 'app', schemas)];
  const app = user(random, `${team}_app`, server, [...some(random, names), ...joins.map((other) => `${other}_reader`)], grants);
  const optional = some(
    random,
    ['u0', 'u1', 'u2', 'u3'].map((suffix) => `${team}_${suffix}`),
  );
  return { roles, users: [app, ...optional.map((name) => user(random, name, server, some(random, names), grants))] };
}

/** One or two entries that are none of a team's business, or the operator's mistakes. */
export function refusedEntries(random: Random, team: Team | undefined): Refused {
  if (team === undefined)
    return {
      roles: [],
      users: [
        random.pick([
          { username: 'op_bad', databse: 'app' },
          { username: 'op_bad', connectionLimit: 'many' },
        ]),
      ],
    };
  const other = random.pick(TEAMS.filter((one) => one !== team));
  const tables = { tables: { '*': ['SELECT'] } };
  const roles = [
    { name: 'x_evil', grants: [] },
    { name: `${other}_evil`, grants: [] },
    { name: `${team}_bad`, grants: [{ database: 'extra', schemas: ['keep'], ...tables }] },
    { name: `${team}_bad`, grants: [{ database: 'app', schemas: ['*'], ...tables }] },
    { name: 'op_lent', grants: [], memberOf: [`${team}_reader`] },
    { name: `${team}_bad`, grants: [{ database: 'app', schemas: [other], ...tables }] },
  ];
  const users = [
    { username: 'x_guest', database: 'app', login: false, roles: [] },
    { username: 'postgres', database: 'app', roles: [] },
    { username: `${team}_worse`, database: 'extra', login: false },
    { username: `${team}_worse`, database: 'app', login: false, grants: [{ database: 'app', schemas: ['pg_catalog'], ...tables }] },
    { username: `${other}_app`, database: 'app', passwordSecretRef: { name: 'own' } },
  ];
  return { roles: some(random, [random.pick(roles)]), users: [random.pick(users)] };
}

/** A document that has all entries of others as well. */
export function withAll(said: Said, ...others: readonly Said[]): Said {
  const roles = [...said.roles];
  const users = [...said.users];
  for (const other of others) {
    roles.push(...other.roles.filter(({ name }) => !roles.some((role) => role.name === name)));
    users.push(...other.users.filter(({ username }) => !users.some((user) => user.username === username)));
  }
  return { ...said, roles, users };
}
