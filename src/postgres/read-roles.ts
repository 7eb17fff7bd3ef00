// Rows of roles, memberships and settings → the model's own.
import { onceFor } from '../model/once-for.ts';
import { LIMITS } from '../model/limits.ts';
import { ALL_DATABASES, type Membership, type Role, type SettingMap } from '../model/cluster.ts';
import { columns } from './columns.ts';
import { writtenSql } from './digest.ts';
import { type Kept, partOfOids, partSql } from './kept-rows.ts';
import type { Row } from './query.ts';

export interface RoleRow extends Omit<Role, 'settings'> {
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
export const rolesQuery = (readsVerifiers: boolean, condition = 'true'): string =>
  `SELECT ${roleColumns(readsVerifiers ? VERIFIER : 'NULL').list} FROM pg_catalog.${readsVerifiers ? 'pg_authid' : 'pg_roles'} a
  ${COMMENTS} WHERE ${condition}`;

const COMMENTS = `LEFT JOIN pg_catalog.pg_shdescription d ON d.objoid = a.oid AND d.classoid = 'pg_catalog.pg_authid'::regclass`;
const written = (by: string): string => `pg_catalog.sum(${writtenSql('a.oid::bigint', `${by}.xmin`)})`;

/** A view has no transactions that wrote its rows: where pg_authid cannot be read, none is kept. */
export const keptRoles = (readsVerifiers: boolean): Kept<RoleRow> => ({
  digests: readsVerifiers
    ? `SELECT ${partSql('a.oid::bigint')}, pg_catalog.concat(pg_catalog.count(*), ':', ${written('a')}, ':', ${written('d')}) FROM pg_catalog.pg_authid a ${COMMENTS} GROUP BY 1`
    : undefined,
  rows: (condition) => rolesQuery(readsVerifiers, condition),
  part: partSql('a.oid::bigint'),
  read: roleRows,
  partOf: ({ oid }) => partOfOids(oid),
});

export const roleRows = (rows: readonly Row[]): readonly RoleRow[] => rows.map(roleColumns('').row);

/** Its names and verifiers by what tells a role. */
export const namesOfRoles = onceFor((rows: readonly RoleRow[]) => ({
  nameOf: new Map(rows.map(({ oid, name }) => [oid, name])),
  oids: new Map(rows.map(({ name, oid }) => [name, oid])),
  verifiers: new Map(rows.map(({ name, verifier }) => [name, verifier])),
}));

const NO_SETTINGS: Role['settings'] = new Map();
const OF_NOBODY: ReadonlyMap<string, Role['settings']> = new Map();

/** @param settings as settingsOf returns them. */
export const rolesOf = (rows: readonly RoleRow[], settings: ReadonlyMap<string, Role['settings']>): ReadonlyMap<string, Role> =>
  mapOfRoles(rows, settings.size === 0 ? OF_NOBODY : settings);

const mapOfRoles = onceFor((rows: readonly RoleRow[], settings: ReadonlyMap<string, Role['settings']>): ReadonlyMap<string, Role> => {
  const roles = new Map<string, Role>();
  for (const row of rows) roles.set(row.name, roleOf(row, settings.get(row.name) ?? NO_SETTINGS));
  return roles;
});

const roleOf = onceFor(({ oid: _oid, verifier: _verifier, ...role }: RoleRow, settings: Role['settings']): Role => ({ ...role, settings }));

export interface MembershipRow extends Pick<Membership, 'admin' | 'inherit' | 'set'> {
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

export const membershipsQuery = (major: number, condition = 'true'): string =>
  `SELECT ${membershipColumns(major).list} FROM pg_catalog.pg_auth_members WHERE ${condition}`;

export const membershipRows = (rows: readonly Row[]): readonly MembershipRow[] => rows.map(membershipColumns(0).row);

const MEMBERSHIP_PART = partSql('roleid::bigint + member::bigint');

export const keptMemberships = (major: number): Kept<MembershipRow> => ({
  digests: `SELECT ${MEMBERSHIP_PART}, pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.sum(
    ${writtenSql('((roleid::bigint << 32) # member::bigint) # (grantor::bigint << 16)')})) FROM pg_catalog.pg_auth_members GROUP BY 1`,
  rows: (condition) => membershipsQuery(major, condition),
  part: MEMBERSHIP_PART,
  read: membershipRows,
  partOf: ({ role, member }) => partOfOids(role + member),
});

/** Rows whose role or member is gone are left out: the server can leave such orphans behind. */
export const membershipsOf = onceFor((rows: readonly MembershipRow[], nameOf: ReadonlyMap<number, string>): readonly Membership[] => {
  const memberships: Membership[] = [];
  for (const row of rows) {
    const [role, member] = [nameOf.get(row.role), nameOf.get(row.member)];
    if (role !== undefined && member !== undefined) memberships.push(membershipOf(row, role, member, nameOf.get(row.grantor) ?? ''));
  }
  return memberships;
});

const membershipOf = onceFor(({ admin, inherit, set }: MembershipRow, role: string, member: string, grantor: string): Membership => ({
  role,
  member,
  grantor,
  admin,
  inherit,
  set,
}));

/** The longest name of a parameter, the equals sign, and one character that tells a text that was cut. */
const SETTING_NAME = LIMITS.parameterName + 2;
const SETTING = LIMITS.settingLength + SETTING_NAME;

export interface SettingRow {
  /** 0 for all. */
  readonly database: number;
  readonly role: number;
  readonly config: readonly string[] | null;
}

const SETTING_COLUMNS = columns<SettingRow>({
  database: 's.setdatabase',
  role: 's.setrole',
  config: `ARRAY(SELECT pg_catalog.left(c.entry, ${SETTING})
    FROM (SELECT u.entry, u.place, pg_catalog.sum(least(pg_catalog.length(u.entry), ${SETTING})) OVER (ORDER BY u.place) AS so_far
      FROM pg_catalog.unnest(s.setconfig) WITH ORDINALITY u (entry, place)) c WHERE c.place <= ${LIMITS.settingsOfRole} AND c.so_far <= ${LIMITS.settingsLength} ORDER BY c.place)`,
});

/** Anybody may put texts of any length on a role of its own: what is longer than a document may say is cut, and differs from whatever is declared. */
const settingsQuery = (condition: string): string =>
  `SELECT ${SETTING_COLUMNS.list} FROM pg_catalog.pg_db_role_setting s WHERE s.setrole <> 0 AND ${condition}`;

const SETTING_PART = partSql('s.setdatabase::bigint + s.setrole::bigint');

export const KEPT_SETTINGS: Kept<SettingRow> = {
  digests: `SELECT ${SETTING_PART}, pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.sum(
    ${writtenSql('(s.setdatabase::bigint << 32) # s.setrole::bigint', 's.xmin')})) FROM pg_catalog.pg_db_role_setting s WHERE s.setrole <> 0 GROUP BY 1`,
  rows: settingsQuery,
  part: SETTING_PART,
  read: (rows) => rows.map(SETTING_COLUMNS.row),
  partOf: ({ database, role }) => partOfOids(database + role),
};

/** By role, and then by database. */
export const settingsOf = onceFor(
  (
    rows: readonly SettingRow[],
    nameOf: ReadonlyMap<number, string>,
    databaseOf: ReadonlyMap<number, string>,
  ): ReadonlyMap<string, ReadonlyMap<string, SettingMap>> => {
    const settings = new Map<string, Map<string, SettingMap>>();
    for (const { database, role, config } of rows) {
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
  },
);
