// What a privilege needs besides, before it is of any use: a login, a way into the database and the schema, and rows that are not hidden.
import { PUBLIC } from '../model/contents.ts';
import { mayWith } from './holders.ts';
import { rightsOf } from './links.ts';
import { saidAs } from './said-name.ts';
import type { Policy, Realm, Securable, Surroundings } from './securable.ts';

/** One thing that is needed besides. `unmet` keeps it from being of use; `limits` lets it do so in part or for some. */
export interface Need {
  readonly what: 'login' | 'validUntil' | 'connections' | 'connect' | 'usage' | 'rowSecurity';
  readonly state: 'met' | 'unmet' | 'limits';
  readonly said: string;
}

/**
 * @param role who logs in.
 * @param actor as whom it acts then: itself, or whom it has become by SET ROLE.
 */
export function needsOf(realm: Realm, object: Securable, privilege: string, around: Surroundings, role: string, actor: string): readonly Need[] {
  return [...loginNeeds(realm, role), ...placeNeeds(realm, object, around, role, actor), ...rowNeeds(realm, object, privilege, around, actor)];
}

function loginNeeds({ roles, now }: Realm, name: string): readonly Need[] {
  const role = roles.get(name);
  if (role === undefined) return [];
  const ended = role.validUntil !== null && (role.validUntil === '-infinity' || Date.parse(role.validUntil) <= now);
  return [
    {
      what: 'login',
      state: role.login ? 'met' : 'limits',
      said: role.login ? 'it may log in' : 'it may not log in itself (NOLOGIN): only its members can use what it may',
    },
    ...(role.validUntil === null ? [] : [validity(role.validUntil, ended)]),
    ...(role.connectionLimit === 0 && !role.superuser ? [{ what: 'connections', state: 'unmet', said: 'its CONNECTION LIMIT is 0' } as const] : []),
  ];
}

const validity = (until: string, ended: boolean): Need =>
  ended
    ? { what: 'validUntil', state: 'limits', said: `its password is valid until ${until}, which is over: only a login without password still works` }
    : { what: 'validUntil', state: 'met', said: `its password is valid until ${until}` };

/** Ways in. Who already has them because of the object's own kind is not asked again. */
function placeNeeds(realm: Realm, object: Securable, { database, schema }: Surroundings, role: string, actor: string): readonly Need[] {
  const may = (what: Securable, privilege: string, who: string): boolean => mayWith(realm, what, privilege, who, rightsOf(realm, who));
  const needs: Need[] = [];
  if (!database.allowsConnections) needs.push({ what: 'connect', state: 'unmet', said: `the database ${database.name} takes no connections (datallowconn)` });
  else if (object.kind !== 'database' && realm.roles.has(role))
    needs.push(way('connect', may(database, 'CONNECT', role), `CONNECT on the database ${database.name}`));
  if (schema !== undefined && object.kind !== 'schema')
    needs.push(way('usage', may(schema, 'USAGE', actor), `USAGE on the schema ${schema.name}${actor === role ? '' : `, as ${saidAs(actor)}`}`));
  return needs;
}

const way = (what: 'connect' | 'usage', met: boolean, said: string): Need => ({
  what,
  state: met ? 'met' : 'unmet',
  said: met ? `it has ${said}` : `it lacks ${said}`,
});

/** Privileges that policies are about, as pg_policy calls their commands. */
const COMMANDS: Readonly<Record<string, string>> = { SELECT: 'r', INSERT: 'a', UPDATE: 'w', DELETE: 'd' };

/** So many policies are named. */
const NAMED = 10;

function rowNeeds(realm: Realm, object: Securable, privilege: string, { rowSecurity }: Surroundings, actor: string): readonly Need[] {
  const command = COMMANDS[privilege];
  if (rowSecurity === undefined || command === undefined) return [];
  const need = (state: Need['state'], said: string): readonly Need[] => [{ what: 'rowSecurity', state, said }];
  const role = realm.roles.get(actor);
  if (role?.superuser === true || role?.bypassrls === true)
    return need('met', `row level security does not hold for it (${role.superuser ? 'superuser' : 'BYPASSRLS'})`);
  const rights = rightsOf(realm, actor);
  if (!rowSecurity.forced && rights.has(object.owner)) return need('met', 'row level security does not hold for its owner');
  const applies = ({ command: of, roles }: Policy): boolean => (of === '*' || of === command) && roles.some((one) => one === PUBLIC || rights.has(one));
  const policies = rowSecurity.policies.filter(applies);
  if (!policies.some(({ permissive }) => permissive)) return need('unmet', `row level security hides every row: no policy allows it ${privilege}`);
  const names = policies.slice(0, NAMED).map(({ name }) => saidAs(name));
  return need(
    'limits',
    `row level security leaves only the rows of ${policies.length === 1 ? 'the policy' : 'the policies'} ${names.join(', ')}${policies.length > NAMED ? ', …' : ''}`,
  );
}
