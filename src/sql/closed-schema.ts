// Closing a schema of ours: what SQL runs after anything is made in it, so that nobody but us can change it.
import { literal } from './sql-text.ts';

/** The guard of a table: pg_write_all_data lets its holders write to every table, and what is written in ours is done with our rights. */
export const GUARD_BODY = `
BEGIN
  IF NOT pg_catalog.pg_has_role(current_user, (SELECT c.relowner FROM pg_catalog.pg_class c WHERE c.oid = tg_relid), 'USAGE') THEN
    RAISE EXCEPTION 'pgsteward.% can only be changed by its owner', tg_table_name;
  END IF;
  RETURN NULL;
END`;

/** The body of the function that keeps the audit log as it is. */
export const APPEND_ONLY_BODY = ` BEGIN RAISE EXCEPTION 'pgsteward.audit_log is append-only'; END `;

/** The guard's function, and a trigger that calls it on each of these tables. */
export const guardSql = (tables: readonly string[]): readonly string[] => [
  `CREATE OR REPLACE FUNCTION pgsteward.refuse_others() RETURNS trigger LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS ${literal(GUARD_BODY)}`,
  ...tables.map(
    (table) =>
      `CREATE OR REPLACE TRIGGER only_owner BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON pgsteward.${table} FOR EACH STATEMENT EXECUTE FUNCTION pgsteward.refuse_others()`,
  ),
];

/** Default privileges of our own role may have given others something on what was just made: whoever may put a trigger there runs as us. */
export const closeSchema = (schema: string): string => `DO LANGUAGE plpgsql $close$
DECLARE item record;
BEGIN
  FOR item IN
    SELECT DISTINCT o.kind, o.name, CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(x.grantee)) END AS grantee
    FROM (SELECT 'SCHEMA', '${schema}', nspowner, nspacl FROM pg_catalog.pg_namespace WHERE nspname = '${schema}'
      UNION ALL SELECT 'TABLE', pg_catalog.format('${schema}.%I', relname), relowner, relacl FROM pg_catalog.pg_class
        WHERE relnamespace = '${schema}'::pg_catalog.regnamespace AND relkind = 'r'
      UNION ALL SELECT 'FUNCTION', oid::pg_catalog.regprocedure::text, proowner, proacl FROM pg_catalog.pg_proc WHERE pronamespace = '${schema}'::pg_catalog.regnamespace
    ) o(kind, name, owner, acl) CROSS JOIN LATERAL pg_catalog.aclexplode(o.acl) x WHERE x.grantee <> o.owner
  LOOP
    EXECUTE pg_catalog.format('REVOKE ALL ON %s %s FROM %s CASCADE', item.kind, item.name, item.grantee);
  END LOOP;
END $close$`;
