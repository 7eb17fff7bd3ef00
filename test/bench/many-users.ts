// The users of the benchmarks: any number of them in roles of twenty, as a document, as the least SQL, and gone again.
import type { Postgres } from '../support/postgres.ts';

export const nameOf = (index: number): string => `user-${String(index).padStart(5, '0')}`;
const roleOf = (index: number, roles: number): string => `role-${String(index % roles).padStart(4, '0')}`;
/** So many roles that users are members of. */
export const rolesOf = (count: number): number => Math.max(1, Math.floor(count / 20));

export const passwordsOf = (count: number): Map<string, string> => new Map(Array.from({ length: count }, (_, index) => [nameOf(index), `password ${index}`]));

/** @param roles stays the same where users are added to the same document. */
export const usersDocument = (count: number, login: boolean, roles = rolesOf(count)): string =>
  `users:\n${Array.from({ length: count }, (_, index) => `- {username: ${nameOf(index)}, roles: [${roleOf(index, roles)}]${login ? '' : ', login: false'}}`).join('\n')}\n`;

/** The least SQL that has the same effect: one transaction, memberships and CONNECT with all grantees in one statement each. */
export function minimalSql(verifiers: ReadonlyMap<string, string> | undefined, count: number): string {
  const users = Array.from({ length: count }, (_, index) => index);
  const members = Map.groupBy(users, (index) => roleOf(index, rolesOf(count)));
  return [
    'BEGIN',
    ...[...members.keys()].map((role) => `CREATE ROLE "${role}"`),
    ...users.map((index) => `CREATE ROLE "${nameOf(index)}" LOGIN${verifiers === undefined ? '' : ` PASSWORD '${verifiers.get(nameOf(index))}'`}`),
    ...[...members].map(([role, list]) => `GRANT "${role}" TO ${list.map((index) => `"${nameOf(index)}"`).join(', ')}`),
    `GRANT CONNECT ON DATABASE postgres TO ${users.map((index) => `"${nameOf(index)}"`).join(', ')}`,
    'COMMIT;\n',
  ].join(';\n');
}

/** More a document of 1 MiB has no room for, with one more now and then. */
export const MOST_DECLARED = 14_900;

/** Users of somebody else, in roles of twenty as ours are: what a server has beside what a document can say. */
export async function others(server: Postgres, count: number): Promise<void> {
  const numbered = (from: number, until: number, sql: (index: number) => string): string =>
    Array.from({ length: until - from }, (_, index) => sql(from + index)).join('; ');
  for (let from = 0; from < count; from += 1000) {
    const until = Math.min(count, from + 1000);
    await server.query(numbered(Math.ceil(from / 20), Math.ceil(until / 20), (index) => `CREATE ROLE "others-${index}"`));
    await server.query(numbered(from, until, (index) => `CREATE ROLE "other-${index}" IN ROLE "others-${Math.floor(index / 20)}"`));
  }
}

/** Everything gone, quickly: the catalogs are cut to what initdb made. */
export async function reset(server: Postgres): Promise<void> {
  await server.query('DROP SCHEMA IF EXISTS pgsteward CASCADE');
  const rows = await server.query<{ list: string }>(
    `SELECT string_agg(quote_ident(rolname), ', ') AS list FROM pg_roles WHERE rolname ~ '^(user|role|others?)-'`,
  );
  const list = rows[0]?.list;
  if (list) {
    await server.query(`REVOKE CONNECT ON DATABASE postgres FROM ${list}`);
    const names = list.split(', ');
    for (let start = 0; start < names.length; start += 1000) await server.query(`DROP ROLE ${names.slice(start, start + 1000).join(', ')}`);
  }
  await server.query('VACUUM FULL pg_authid; ').catch(() => undefined);
  await server.query('VACUUM pg_auth_members').catch(() => undefined);
}
