// What a server of the scenario should be by the documents in force on it, evaluated by the tests' own evaluator, and where it differs.
import { holdsOn, nameOf } from '../privileges/acl.ts';
import { expectedOf, modeOf, type PlainDocument } from '../privileges/evaluator.ts';
import type { Actual } from './actual.ts';
import { IS_OURS } from './company.ts';
import type { Said } from './documents.ts';

const HOME = 'postgres';

export interface InForce {
  /** Undefined: the operator. */
  readonly team: string | undefined;
  readonly said: Said;
}

const text = (held: ReadonlyMap<string, boolean>): string =>
  [...held]
    .map(([privilege, grantable]) => privilege + (grantable ? '*' : ''))
    .toSorted()
    .join(' ');

/** Memberships: in roles of one's own, of the operator's that are lent, and of others' that are shared with the team. */
function memberships(all: readonly InForce[]): readonly string[] {
  const owner = new Map(all.flatMap(({ team, said }) => said.roles.map((role) => [role.name, { team, sharedWith: role.sharedWith ?? [] }] as const)));
  const allowed = (team: string | undefined, role: string): boolean => {
    const of = owner.get(role);
    return of !== undefined && (of.team === team || role === 'op_lent' || (team !== undefined && of.sharedWith.includes(team)));
  };
  return all.flatMap(({ team, said }) =>
    [
      ...said.users.map(({ username, roles }) => ({ member: username, roles: roles ?? [] })),
      ...said.roles.map(({ name, memberOf }) => ({ member: name, roles: memberOf ?? [] })),
    ].flatMap(({ member, roles }) => roles.filter((role) => allowed(team, role)).map((role) => `${member} in ${role}`)),
  );
}

const missing = (from: readonly string[], within: readonly string[], what: string): string[] => {
  const there = new Set(within);
  return from.filter((line) => !there.has(line)).map((line) => `${what}: ${line}`);
};

/** Everything that is not as it should be, a line each. */
export function differences(all: readonly InForce[], actual: Actual, major: number): readonly string[] {
  const document: PlainDocument = {
    permissions: all.flatMap(({ said }) => said.permissions ?? []),
    roles: all.flatMap(({ said }) => said.roles),
    users: all.flatMap(({ said }) => said.users),
  };
  const users = all.flatMap(({ said }) => said.users);
  const names = [...(document.roles ?? []).map(({ name }) => name), ...users.map(({ username }) => username)];
  const wanted = memberships(all);
  const attributes = users.flatMap(({ username, login = true, connectionLimit = -1 }) => {
    const found = actual.roles.get(username);
    return found === undefined || (found.login === login && found.limit === connectionLimit)
      ? []
      : [`${username} has login ${found.login}, limit ${found.limit}; should have ${login}, ${connectionLimit}`];
  });
  const privileges = names.flatMap((role) =>
    actual.objects.flatMap((object) => {
      const user = users.find(({ username }) => username === role);
      const connects = object.kind === 'database' && user !== undefined && (user.database ?? HOME) === object.database;
      const alone = modeOf(document, role, HOME) === 'alone';
      const should = alone
        ? new Map(connects ? [['CONNECT', false] as const] : [])
        : (expectedOf(document, role, object, HOME, major) ?? new Map<string, boolean>());
      const held = holdsOn(object, role);
      return text(held) === text(should) ? [] : [`${role} on ${nameOf(object)} holds [${text(held)}], should hold [${text(should)}]`];
    }),
  );
  const strangers = actual.objects.flatMap((object) => (IS_OURS.test(object.owner) ? [`${nameOf(object)} belongs to ${object.owner}`] : []));
  return [
    ...missing(names, [...actual.roles.keys()], 'missing role'),
    ...missing([...actual.roles.keys()], names, 'role too many'),
    ...missing(wanted, actual.memberships, 'missing membership'),
    ...missing(actual.memberships, wanted, 'membership too many'),
    ...attributes,
    ...privileges,
    ...strangers,
  ];
}
