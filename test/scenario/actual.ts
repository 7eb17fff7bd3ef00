// What a server of the scenario is, read for tests alone: roles, memberships and objects that documents are about, and a line for everything of somebody else.
import { nameOf, type ObjectWithAcl, readObjects } from '../privileges/acl.ts';
import type { Postgres } from '../support/postgres.ts';
import { DATABASES, IS_OURS } from './company.ts';

export interface Actual {
  readonly roles: ReadonlyMap<string, { readonly login: boolean; readonly limit: number }>;
  /** `member in role`, of members that are documents'. */
  readonly memberships: readonly string[];
  readonly objects: readonly ObjectWithAcl[];
  readonly others: readonly string[];
}

/** Nobody's of the scenario: what pgsteward makes for itself. */
const IS_INTERNAL = /^(?:pg_|pgsteward_heir_|steward$)/;
const isOthers = (role: string): boolean => !IS_OURS.test(role) && !IS_INTERNAL.test(role);

interface Shared {
  readonly roles: readonly { name: string; login: boolean; limit: number; all: string }[];
  readonly members: readonly { role: string; member: string; line: string }[];
  readonly settings: readonly { role: string; line: string }[];
}

const SHARED = `SELECT
  (SELECT json_agg(json_build_object('name', rolname, 'login', rolcanlogin, 'limit', rolconnlimit, 'all', concat(to_jsonb(a) - 'oid', shobj_description(oid, 'pg_authid')))) FROM pg_authid a) AS roles,
  (SELECT json_agg(json_build_object('role', r.rolname, 'member', m.rolname, 'line', concat('by ', g.rolname, ' ', to_jsonb(a) - '{oid,roleid,member,grantor}'::text[])))
     FROM pg_auth_members a JOIN pg_roles r ON r.oid = a.roleid JOIN pg_roles m ON m.oid = a.member JOIN pg_roles g ON g.oid = a.grantor) AS members,
  (SELECT json_agg(json_build_object('role', coalesce(r.rolname, '*'), 'line', concat(d.datname, ' ', s.setconfig::text)))
     FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole LEFT JOIN pg_database d ON d.oid = s.setdatabase) AS settings`;

/** Default privileges of somebody else's for somebody else. */
const DEFAULTS = `SELECT format('default %s %s %s %s', defaclrole::regrole, defaclnamespace::regnamespace, defaclobjtype, item) AS line
  FROM pg_default_acl, unnest(defaclacl) item, aclexplode(ARRAY[item]) x JOIN pg_roles r ON r.oid = x.grantee WHERE r.rolname ~ '^x_' AND x.grantee <> defaclrole`;

export async function readActual(server: Postgres): Promise<Actual> {
  const others: string[] = [];
  const objects: ObjectWithAcl[] = [];
  for (const database of DATABASES) {
    const client = await server.client(database);
    try {
      const here = (await readObjects(client, server.major)).filter(({ kind, name }) => kind !== 'database' || name === database);
      objects.push(...here);
      others.push(...(await client.query<{ line: string }>(DEFAULTS)).rows.map(({ line }) => `${database}: ${line}`), ...here.flatMap(linesOf));
    } finally {
      await client.end();
    }
  }
  const [shared] = await server.query<Shared & { [key: string]: unknown }>(SHARED);
  if (shared === undefined) throw new Error('no answer');
  for (const { name, all } of shared.roles) if (isOthers(name)) others.push(`role ${all}`);
  for (const { role, member, line } of shared.members) if (isOthers(member)) others.push(`${member} in ${role} ${line}`);
  for (const { role, line } of shared.settings) if (isOthers(role)) others.push(`setting ${role} ${line}`);
  return {
    roles: new Map(shared.roles.filter(({ name }) => IS_OURS.test(name)).map(({ name, login, limit }) => [name, { login, limit }])),
    memberships: shared.members.filter(({ member }) => IS_OURS.test(member)).map(({ role, member }) => `${member} in ${role}`),
    objects,
    others: others.toSorted(),
  };
}

/** Owner, and what everybody has whom no document names. */
const linesOf = (object: ObjectWithAcl): string[] => [
  `${nameOf(object)} of ${object.owner}`,
  ...object.acl
    .filter(({ grantee }) => isOthers(grantee))
    .map(({ grantee, grantor, privilege, grantable }) => `${nameOf(object)}: ${grantee} has ${privilege} ${grantable} by ${grantor}`),
];
