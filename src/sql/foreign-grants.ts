// What DROP OWNED leaves of a role's privileges, so that DROP ROLE would fail: what others than the owners granted to it, what it granted without a
// grant option of its own, and what owners granted whom our admin is not. Each is revoked as its grantor, as the server knows no other way.
import { BY_HASH, objectsNaming } from './acl-sources.ts';
import { literal } from './sql-text.ts';

/**
 * A row for each object, grantor, and whether that has the grant option still (`lapsed`: it was a membership by which it granted, or it came to an end
 * in a way that leaves its grants) and the privilege itself from the owner (`holds`).
 */
const leftOf = (role: string, major: number): string => `SELECT i.what, i.owner, i.grantor, i.is_super, i.lapsed, i.holds,
      pg_catalog.string_agg(DISTINCT i.privilege, ', ') AS privileges, pg_catalog.string_agg(DISTINCT i.grantee, ', ') AS grantees
    FROM (SELECT pg_catalog.concat_ws(' ', nullif(o.kind, ''), o.name) AS what, w.rolname AS owner, CASE WHEN g.oid = o.owner THEN w.rolname ELSE g.rolname END AS grantor, g.rolsuper AND g.oid <> o.owner AS is_super,
        CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(x.grantee)) END AS grantee,
        CASE WHEN o.col IS NULL THEN x.privilege_type ELSE pg_catalog.format('%s (%I)', x.privilege_type, o.col) END AS privilege,
        g.oid <> o.owner AND NOT EXISTS (SELECT FROM pg_catalog.aclexplode(o.acl || o.around) y
          WHERE y.grantee = x.grantor AND y.privilege_type = x.privilege_type AND y.is_grantable) AS lapsed,
        EXISTS (SELECT FROM pg_catalog.aclexplode(o.acl) y WHERE y.grantee = x.grantor AND y.grantor = o.owner AND y.privilege_type = x.privilege_type) AS holds
      FROM (${objectsNaming((column) => `${column} IN (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = ${literal(role)})`, major)}) o
      CROSS JOIN LATERAL pg_catalog.aclexplode(o.acl) x
      JOIN pg_catalog.pg_roles g ON g.oid = x.grantor
      JOIN pg_catalog.pg_roles p ON p.oid = o.owner
      JOIN pg_catalog.pg_roles w ON w.oid = CASE p.rolname WHEN 'pg_database_owner'
        THEN (SELECT d.datdba FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()) ELSE o.owner END
      WHERE o.role IN (x.grantee, x.grantor) AND o.owner <> o.role) i
    GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY i.grantor = ${literal(role)} DESC`;

/** What only other statements than the release itself can do. */
const BY_HAND = '; run there as another superuser: ';

/** Whether the message says by which statements somebody has to go about it. */
export const saysWhatToRun = (message: string): boolean => message.includes(BY_HAND);

/**
 * One DO statement that ends these grants in the database that runs it. A REVOKE by a grantor without the option does nothing, so the owner lends it
 * the option meanwhile. It acts as each grantor, and as owners where they lend: it needs a superuser, or an admin that may SET ROLE to them, and
 * raises where that is not enough, with the SQL for what a superuser cannot do by it either. A superuser's REVOKE is its owner's, whoever granted.
 */
export function revokeForeignGrants(role: string, major: number): string {
  return `DO LANGUAGE plpgsql ${literal(`
DECLARE item record; step record; problem pg_catalog.text; is_shared pg_catalog.bool;
  lender pg_catalog.text; lend pg_catalog.text; take pg_catalog.text; give_back pg_catalog.text; advice pg_catalog.text;
  is_super CONSTANT pg_catalog.bool := (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user);
BEGIN
  ${BY_HASH};
  FOR item IN ${leftOf(role, major)}
  LOOP
    lender := CASE WHEN is_super THEN 'none' ELSE item.owner END;
    take := pg_catalog.format('REVOKE %s ON %s FROM %s CASCADE', CASE WHEN item.lapsed THEN item.privileges ELSE 'ALL' END, item.what, item.grantees);
    lend := CASE WHEN item.lapsed THEN pg_catalog.format('GRANT %s ON %s TO %I WITH GRANT OPTION', item.privileges, item.what, item.grantor) END;
    give_back := CASE WHEN item.lapsed THEN pg_catalog.format('REVOKE %s%s ON %s FROM %I', CASE WHEN item.holds THEN 'GRANT OPTION FOR ' END, item.privileges, item.what, item.grantor) END;
    is_shared := false;
    problem := CASE WHEN item.is_super THEN pg_catalog.format('%I is a superuser, whose REVOKE takes what the owner granted', item.grantor) END;
    IF problem IS NULL THEN
      BEGIN
        FOR step IN SELECT * FROM (VALUES (1, lender, lend), (2, item.grantor::pg_catalog.text, take), (3, lender, give_back)) s(place, actor, statement) WHERE statement IS NOT NULL ORDER BY place
        LOOP
          PERFORM pg_catalog.set_config('role', step.actor, true);
          EXECUTE step.statement;
          SET LOCAL ROLE NONE;
        END LOOP;
      EXCEPTION
        WHEN insufficient_privilege THEN problem := pg_catalog.format('pgsteward cannot act as %I (%s)', step.actor, SQLERRM);
        WHEN dependent_objects_still_exist THEN is_shared := true; problem := pg_catalog.format('%I granted some of it to others as well without having the grant option, which it needs for a REVOKE', item.grantor);
      END;
    END IF;
    IF problem IS NOT NULL THEN
      -- Elsewhere a superuser that runs this very release does what is needed, and is told so.
      advice := CASE WHEN is_shared THEN lend WHEN item.is_super THEN pg_catalog.concat_ws('; ', 'BEGIN', pg_catalog.format('ALTER ROLE %I NOSUPERUSER', item.grantor), lend,
        pg_catalog.format('SET LOCAL ROLE %I', item.grantor), take, 'SET LOCAL ROLE NONE', give_back, pg_catalog.format('ALTER ROLE %I SUPERUSER', item.grantor), 'COMMIT') END;
      RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = pg_catalog.format('%I granted privileges on %s to %s in database %I, and %s', item.grantor, item.what, item.grantees, pg_catalog.current_database(), problem)
        || coalesce(${literal(BY_HAND)} || advice || ';', '');
    END IF;
  END LOOP;
  SET LOCAL enable_nestloop = on;
END`)}`;
}

/** One DO statement that takes what default privileges give the role on objects to come, in the database that runs it: as whoever makes them. */
export const revokeDefaults = (role: string): string =>
  `DO LANGUAGE plpgsql ${literal(`
DECLARE item record; statement pg_catalog.text;
  is_super CONSTANT pg_catalog.bool := (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user);
BEGIN
  FOR item IN
    SELECT DISTINCT c.rolname AS creator, n.nspname AS place,
      CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'ROUTINES' WHEN 'T' THEN 'TYPES' WHEN 'n' THEN 'SCHEMAS' WHEN 'L' THEN 'LARGE OBJECTS' END AS what
    FROM pg_catalog.pg_default_acl d JOIN pg_catalog.pg_roles c ON c.oid = d.defaclrole LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace
    CROSS JOIN LATERAL pg_catalog.aclexplode(d.defaclacl || '{}'::pg_catalog.aclitem[]) x JOIN pg_catalog.pg_roles g ON g.oid = x.grantee AND g.rolname = ${literal(role)} AND g.oid <> c.oid
  LOOP
    statement := pg_catalog.format('ALTER DEFAULT PRIVILEGES FOR ROLE %I%s REVOKE ALL ON %s FROM %I', item.creator,
      CASE WHEN item.place IS NOT NULL THEN pg_catalog.format(' IN SCHEMA %I', item.place) END, item.what, ${literal(role)});
    BEGIN
      PERFORM pg_catalog.set_config('role', CASE WHEN is_super THEN 'none' ELSE item.creator END, true);
      EXECUTE statement;
      SET LOCAL ROLE NONE;
    EXCEPTION WHEN insufficient_privilege THEN
      RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = pg_catalog.format('pgsteward cannot act as %I (%s); run in database %I as a superuser: %s', item.creator, SQLERRM, pg_catalog.current_database(), statement);
    END;
  END LOOP;
END`)}`;
