// Closing our schema: what SQL runs after anything is made in it, so that nobody but us can change it.
import { createHash } from 'node:crypto';
import { literal } from './sql-text.ts';

/** The guard of a table: pg_write_all_data lets its holders write to every table, and what is written in ours is done with our rights. */
const GUARD_BODY = `
BEGIN
  IF NOT pg_catalog.pg_has_role(current_user, (SELECT c.relowner FROM pg_catalog.pg_class c WHERE c.oid = tg_relid), 'USAGE') THEN
    RAISE EXCEPTION 'pgsteward.% can only be changed by its owner', tg_table_name;
  END IF;
  RETURN NULL;
END`;

/** The guard's function, and a trigger that calls it on each of these tables. */
export const guardSql = (tables: readonly string[]): readonly string[] => [
  `CREATE OR REPLACE FUNCTION pgsteward.refuse_others() RETURNS trigger LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS ${literal(GUARD_BODY)}`,
  ...tables.map(
    (table) =>
      `CREATE OR REPLACE TRIGGER only_owner BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON pgsteward.${table} FOR EACH STATEMENT EXECUTE FUNCTION pgsteward.refuse_others()`,
  ),
];

/** SQL that is true where these tables are there and guarded. */
export const isGuarded = (tables: readonly string[]): string =>
  `(SELECT pg_catalog.count(*) = ${tables.length} FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
    WHERE t.tgname = 'only_owner' AND t.tgenabled = 'O' AND t.tgrelid IN (${tables.map((table) => `pg_catalog.to_regclass('pgsteward.${table}')`).join(', ')})
      AND pg_catalog.md5(pg_catalog.convert_to(p.prosrc, 'UTF8')) = '${createHash('md5').update(GUARD_BODY).digest('hex')}')`;

/** Default privileges of our own role may have given others something on what was just made: whoever may put a trigger there runs as us. */
export const CLOSE_SCHEMA = `DO LANGUAGE plpgsql $close$
DECLARE item record;
BEGIN
  FOR item IN
    SELECT DISTINCT o.kind, o.name, CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(x.grantee)) END AS grantee
    FROM (SELECT 'SCHEMA', 'pgsteward', nspowner, nspacl FROM pg_catalog.pg_namespace WHERE nspname = 'pgsteward'
      UNION ALL SELECT 'TABLE', pg_catalog.format('pgsteward.%I', relname), relowner, relacl FROM pg_catalog.pg_class
        WHERE relnamespace = 'pgsteward'::pg_catalog.regnamespace AND relkind = 'r'
      UNION ALL SELECT 'FUNCTION', oid::pg_catalog.regprocedure::text, proowner, proacl FROM pg_catalog.pg_proc WHERE pronamespace = 'pgsteward'::pg_catalog.regnamespace
    ) o(kind, name, owner, acl) CROSS JOIN LATERAL pg_catalog.aclexplode(o.acl) x WHERE x.grantee <> o.owner
  LOOP
    EXECUTE pg_catalog.format('REVOKE ALL ON %s %s FROM %s CASCADE', item.kind, item.name, item.grantee);
  END LOOP;
END $close$`;
