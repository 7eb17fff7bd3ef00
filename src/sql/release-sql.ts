// The SQL that releases a role in one database: what it owns goes to its heir, and its privileges are taken, in one transaction.
import { revokeDefaults, revokeForeignGrants } from './foreign-grants.ts';
import { passedOnToNobodyElse } from './passed-on-sql.ts';
import { identifier, literal, saidName } from './sql-text.ts';

/** What is released of a role in a database, and how. */
export interface Release {
  readonly role: string;
  /** Undefined where the role owns nothing, and holds privileges only. */
  readonly heir: string | undefined;
  readonly join: readonly string[];
  readonly leave: readonly string[];
  /** The heir was made for this role alone (plan/removal/release.ts). */
  readonly fresh: boolean;
  /** Meanwhile the heir has the role's rights. */
  readonly lend: boolean;
  /** It only moves what the role owns: its privileges are taken by a later step. */
  readonly moves: boolean;
  /** The role stays, and so does what it owns: what was granted to it is taken. */
  readonly stays: boolean;
  /** OIDs of those that hold something from the role and may lose it (plan/removal/passed-on.ts); 0 is PUBLIC. */
  readonly holders: readonly number[];
}

/** The statements, in order: DROP OWNED after a failed REASSIGN would drop the objects themselves. */
export function releaseSql({ role, heir, join, leave, fresh, lend, moves, stays, holders }: Release, major: number): readonly string[] {
  const options = major >= 16 ? ' WITH INHERIT TRUE, SET TRUE' : '';
  const lent = heir !== undefined && lend;
  if (stays) return [passedOnToNobodyElse(role, holders, major), revokeForeignGrants(role, major), revokeDefaults(role)];
  return [
    ...join.map((one) => `GRANT ${identifier(one)} TO CURRENT_USER${options}`),
    // A new owner needs CREATE on the schemas of functions and the like, unless a superuser moves them. Nobody sees this before it is over.
    ...(lent ? [`GRANT ${identifier(role)} TO ${identifier(heir)}${major >= 16 ? ' WITH INHERIT TRUE, SET FALSE' : ''}`] : []),
    ...(heir === undefined ? [] : [moves ? reassignWithCreate(role, heir) : `REASSIGN OWNED BY ${identifier(role)} TO ${identifier(heir)}`]),
    ...(lent ? [`REVOKE ${identifier(role)} FROM ${identifier(heir)}`] : []),
    ...(heir === undefined || !fresh ? [] : [keepUsage(role, heir)]),
    ...(moves ? [] : [ownsNothing(role), passedOnToNobodyElse(role, holders, major), `DROP OWNED BY ${identifier(role)}`, revokeForeignGrants(role, major)]),
    ...leave.map((one) => `REVOKE ${identifier(one)} FROM CURRENT_USER`),
    ...(major >= 16 ? join.filter((one) => !leave.includes(one)) : []).map((one) => `REVOKE INHERIT OPTION FOR ${identifier(one)} FROM CURRENT_USER`),
  ];
}

/**
 * A role may have lost CREATE where it made something, and the server asks whoever moves it, or gets it, for CREATE on the schema or database. So the heir has
 * it for this one statement, where we may grant it as the owner, or with a grant option; where we may not, the SQL for a superuser is said, who needs no CREATE.
 */
const reassignWithCreate = (role: string, heir: string): string =>
  `DO LANGUAGE plpgsql ${literal(`
DECLARE place record; lent record; places pg_catalog.text[] := '{}'; owners pg_catalog.text[] := '{}';
BEGIN
  FOR place IN
    WITH here AS (SELECT d.oid, d.datname, d.datdba FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()),
      owned AS (SELECT s.classid, s.objid FROM pg_catalog.pg_shdepend s JOIN here ON s.dbid = here.oid JOIN pg_catalog.pg_roles r ON r.oid = s.refobjid AND r.rolname = ${literal(role)}
        WHERE s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND s.deptype = 'o' AND s.classid NOT IN ${NOT_OWNED})
    SELECT pg_catalog.format('SCHEMA %I', n.nspname) AS name, pg_catalog.pg_get_userbyid(o.owner) AS owner,
      pg_catalog.pg_has_role(o.owner, 'USAGE') OR pg_catalog.has_schema_privilege(n.oid, 'CREATE WITH GRANT OPTION') AS direct,
      pg_catalog.pg_get_userbyid(n.nspowner) = ${literal(role)} AS moves
    FROM pg_catalog.pg_namespace n CROSS JOIN here CROSS JOIN LATERAL (SELECT CASE WHEN pg_catalog.pg_get_userbyid(n.nspowner) = 'pg_database_owner' THEN here.datdba ELSE n.nspowner END) o(owner)
    WHERE NOT pg_catalog.has_schema_privilege(${literal(heir)}, n.oid, 'CREATE') AND EXISTS (SELECT FROM owned JOIN pg_catalog.pg_depend p ON p.classid = owned.classid AND p.objid = owned.objid
      AND p.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND p.refobjid = n.oid)
    UNION ALL SELECT pg_catalog.format('DATABASE %I', datname), pg_catalog.pg_get_userbyid(datdba),
      pg_catalog.pg_has_role(datdba, 'USAGE') OR pg_catalog.has_database_privilege(here.oid, 'CREATE WITH GRANT OPTION'), pg_catalog.pg_get_userbyid(datdba) = ${literal(role)}
    FROM here WHERE NOT pg_catalog.has_database_privilege(${literal(heir)}, here.oid, 'CREATE') AND EXISTS (SELECT FROM owned)
  LOOP
    BEGIN
      IF NOT place.direct THEN EXECUTE pg_catalog.format('SET LOCAL ROLE %I', place.owner); END IF;
      EXECUTE pg_catalog.format('GRANT CREATE ON %s TO %I', place.name, ${literal(heir)});
      SET LOCAL ROLE NONE;
      -- What the role owns is the heir's after this, and an owner can be deprived of its own CREATE.
      IF NOT place.moves THEN
        places := places || place.name;
        owners := owners || CASE WHEN place.direct THEN 'none' ELSE place.owner::pg_catalog.text END;
      END IF;
    EXCEPTION WHEN insufficient_privilege THEN NULL;
    END;
  END LOOP;
  BEGIN
    EXECUTE pg_catalog.format('REASSIGN OWNED BY %I TO %I', ${literal(role)}, ${literal(heir)});
  EXCEPTION WHEN insufficient_privilege THEN
    RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = pg_catalog.format('%s, on which %I has no CREATE, and pgsteward may not lend it; run in database %I as a superuser: %s',
      SQLERRM, ${literal(heir)}, pg_catalog.current_database(), ${literal(`REASSIGN OWNED BY ${saidName(role)} TO ${saidName(heir)}`)});
  END;
  FOR lent IN SELECT * FROM ROWS FROM (pg_catalog.unnest(places), pg_catalog.unnest(owners)) AS l(name, owner) LOOP
    PERFORM pg_catalog.set_config('role', lent.owner, true);
    EXECUTE pg_catalog.format('REVOKE CREATE ON %s FROM %I', lent.name, ${literal(heir)});
    SET LOCAL ROLE NONE;
  END LOOP;
END`)}`;

/**
 * The heir sees the schemas that its tables are in, where the role saw them: foreign keys are checked with the rights of their tables' owners,
 * and without USAGE nobody could write to such a table. Where we may not grant it, it is left out.
 */
const keepUsage = (role: string, heir: string): string =>
  `DO LANGUAGE plpgsql ${literal(`
DECLARE place pg_catalog.name;
BEGIN
  FOR place IN SELECT n.nspname FROM pg_catalog.pg_namespace n
    WHERE pg_catalog.has_schema_privilege(${literal(role)}, n.oid, 'USAGE') AND NOT pg_catalog.has_schema_privilege(${literal(heir)}, n.oid, 'USAGE')
      AND (pg_catalog.pg_has_role(n.nspowner, 'USAGE') OR pg_catalog.has_schema_privilege(n.oid, 'USAGE WITH GRANT OPTION'))
      AND EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_roles h ON h.oid = c.relowner AND h.rolname = ${literal(heir)} WHERE c.relnamespace = n.oid)
  LOOP
    EXECUTE pg_catalog.format('GRANT USAGE ON SCHEMA %I TO %I', place, ${literal(heir)});
  END LOOP;
END`)}`;

/** Default privileges and user mappings belong to their role and go with it. */
export const NOT_OWNED = `('pg_catalog.pg_default_acl'::pg_catalog.regclass, 'pg_catalog.pg_user_mapping'::pg_catalog.regclass)`;

/** DROP OWNED drops what is still owned: something made since the catalogs were read would be lost. */
const ownsNothing = (role: string): string =>
  `DO LANGUAGE plpgsql ${literal(`
BEGIN
  IF EXISTS (SELECT FROM pg_catalog.pg_shdepend s JOIN pg_catalog.pg_roles r ON r.oid = s.refobjid AND r.rolname = ${literal(role)}
    WHERE s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND s.deptype = 'o' AND s.classid NOT IN ${NOT_OWNED}
      AND s.dbid IN (0, (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()))) THEN
    RAISE EXCEPTION USING ERRCODE = '2BP01', MESSAGE = pg_catalog.format('%I owns something in database %I that it did not own when the catalogs were read', ${literal(role)}, pg_catalog.current_database());
  END IF;
END`)}`;
