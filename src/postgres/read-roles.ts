// Rows of roles, memberships and settings → the model's own.
import { LIMITS } from '../model/limits.ts';
import { ALL_DATABASES, type Membership, type Role, type SettingMap } from '../model/cluster.ts';
import { columns } from './columns.ts';
import type { Row } from './query.ts';

interface RoleRow extends Omit<Role, 'settings'> {
  readonly oid: number;
  readonly verifier: string | null;
}

/** Up to PostgreSQL 17 everybody may give its own role one of hundreds of megabytes. What is cut is no verifier, and never ours. */
const VERIFIER = `pg_catalog.left(a.rolpassword, ${LIMITS.verifierLength + 1})`;

const roleColumns = (verifier: string) =>
  columns<RoleRow>({
    oid: 'a.oid',
    name: 'a.rolname',
    login: 'a.rolcanlogin',
    inherit: 'a.rolinherit',
    superuser: 'a.rolsuper',
    createdb: 'a.rolcreatedb',
    createrole: 'a.rolcreaterole',
    replication: 'a.rolreplication',
    bypassrls: 'a.rolbypassrls',
    connectionLimit: 'a.rolconnlimit',
    validUntil: `CASE WHEN a.rolvaliduntil = '-infinity' THEN '-infinity' WHEN isfinite(a.rolvaliduntil)
  THEN to_char(a.rolvaliduntil AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') END`,
    // One that is longer than a document may say differs from whatever is declared.
    comment: `pg_catalog.left(d.description, ${LIMITS.comment + 1})`,
    verifier,
  });

/** @param readsVerifiers whether pg_authid can be read; others see the view without the passwords. */
export const rolesQuery = (readsVerifiers: boolean): string =>
  `SELECT ${roleColumns(readsVerifiers ? VERIFIER : 'NULL').list} FROM pg_catalog.${readsVerifiers ? 'pg_authid' : 'pg_roles'} a
  LEFT JOIN pg_catalog.pg_shdescription d ON d.objoid = a.oid AND d.classoid = 'pg_catalog.pg_authid'::regclass`;

export const roleRows = (rows: readonly Row[]): readonly RoleRow[] => rows.map(roleColumns('').row);

const NO_SETTINGS: Role['settings'] = new Map();

export const rolesOf = (rows: readonly RoleRow[], settings: ReadonlyMap<string, Role['settings']>): Map<string, Role> =>
  new Map(rows.map(({ oid: _oid, verifier: _verifier, ...role }) => [role.name, { ...role, settings: settings.get(role.name) ?? NO_SETTINGS }]));

interface MembershipRow extends Pick<Membership, 'admin' | 'inherit' | 'set'> {
  readonly role: number;
  readonly member: number;
  readonly grantor: number;
}

const membershipColumns = (major: number) =>
  columns<MembershipRow>({
    role: 'roleid',
    member: 'member',
    grantor: 'grantor',
    admin: 'admin_option',
    inherit: major >= 16 ? 'inherit_option' : 'true',
    set: major >= 16 ? 'set_option' : 'true',
  });

export const membershipsQuery = (major: number): string => `SELECT ${membershipColumns(major).list} FROM pg_catalog.pg_auth_members`;

/** Rows whose role or member is gone are left out: the server can leave such orphans behind. */
export function membershipsOf(rows: readonly Row[], major: number, nameOf: ReadonlyMap<number, string>): Membership[] {
  const { row } = membershipColumns(major);
  return rows.flatMap((values) => {
    const found = row(values);
    const [role, member] = [nameOf.get(found.role), nameOf.get(found.member)];
    return role === undefined || member === undefined ? [] : [{ ...found, role, member, grantor: nameOf.get(found.grantor) ?? '' }];
  });
}

/** The longest name of a parameter, the equals sign, and one character that tells a text that was cut. */
const SETTING_NAME = LIMITS.parameterName + 2;
const SETTING = LIMITS.settingLength + SETTING_NAME;

const SETTING_COLUMNS = columns<{ readonly database: number; readonly role: number; readonly config: readonly string[] | null }>({
  database: 's.setdatabase',
  role: 's.setrole',
  config: `ARRAY(SELECT pg_catalog.left(c.entry, ${SETTING})
    FROM (SELECT u.entry, u.place, pg_catalog.sum(least(pg_catalog.length(u.entry), ${SETTING})) OVER (ORDER BY u.place) AS so_far
      FROM pg_catalog.unnest(s.setconfig) WITH ORDINALITY u (entry, place)) c WHERE c.place <= ${LIMITS.settingsOfRole} AND c.so_far <= ${LIMITS.settingsLength} ORDER BY c.place)`,
});

/** Anybody may put texts of any length on a role of its own: what is longer than a document may say is cut, and differs from whatever is declared. */
export const SETTINGS_QUERY = `SELECT ${SETTING_COLUMNS.list} FROM pg_catalog.pg_db_role_setting s WHERE s.setrole <> 0`;

/** By role, and then by database. */
export function settingsOf(
  rows: readonly Row[],
  nameOf: ReadonlyMap<number, string>,
  databaseOf: ReadonlyMap<number, string>,
): Map<string, Map<string, SettingMap>> {
  const settings = new Map<string, Map<string, SettingMap>>();
  for (const { database, role, config } of rows.map(SETTING_COLUMNS.row)) {
    const name = nameOf.get(role);
    const where = database === 0 ? ALL_DATABASES : databaseOf.get(database);
    if (name === undefined || where === undefined || config === null) continue;
    const entries = config.map((entry): [string, string] => {
      const split = entry.indexOf('=');
      return [entry.slice(0, split).toLowerCase(), entry.slice(split + 1)];
    });
    const ofRole = settings.get(name) ?? new Map<string, SettingMap>();
    settings.set(name, ofRole.set(where, new Map(entries)));
  }
  return settings;
}
