// The guard of CREATE EXTENSION: its script runs with our rights and finds by name what stands in the schemas of its search_path, so nobody
// else may have a hand in those. Checked on the server in the transaction that installs.
import { literal } from './sql-text.ts';

/** pg_database_owner, whose one member is whoever owns the database. */
const DATABASE_OWNER = 6171;

/** What is in a schema, but nothing that a script could find there by its name. */
const NOT_NAMED = `('pg_catalog.pg_extension'::pg_catalog.regclass, 'pg_catalog.pg_default_acl'::pg_catalog.regclass)`;

/** Superusers and our own login; whoever is a member of these has our rights already. */
const isTrustedBy = (also: string | undefined, role: string): string =>
  `EXISTS (SELECT FROM pg_catalog.pg_roles t WHERE (t.rolsuper OR t.rolname = session_user${also === undefined ? '' : ` OR t.rolname = ${literal(also)}`}) AND t.oid = CASE WHEN ${role} = ${DATABASE_OWNER}
      THEN (SELECT datdba FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) ELSE ${role} END)`;

const refusal = (extension: string): string => `extension ${extension} is not installed: `;

/** Whether it was the guard that refused: it does so whoever runs it, until nobody else has a hand in the schema. */
export const isGuards = (extension: string, message: string): boolean => message.startsWith(refusal(extension));

/**
 * One DO statement that fails with 42501 where somebody else may put objects into a schema that the script searches, or has some there.
 * A schema that is missing is made here, before anybody else makes it. Whoever began before is waited for: a function made by a transaction that is still open is not seen yet, and would be by the script.
 * @param trusted one more that is trusted.
 * @param schema where the extension goes; undefined: where its control file says, or else public.
 */
export const extensionGuard = (extension: string, schema: string | undefined, trusted?: string): string => {
  const isTrusted = (role: string): string => isTrustedBy(trusted, role);
  const name = literal(extension);
  const text = `
DECLARE
  places pg_catalog.name[] := ARRAY(
    SELECT coalesce(${schema === undefined ? 'NULL' : literal(schema)}, (SELECT pg_catalog.max(v.schema::pg_catalog.text) FROM pg_catalog.pg_available_extension_versions() v WHERE v.name = ${name}), 'public')::pg_catalog.name
    UNION SELECT v.schema FROM pg_catalog.pg_available_extension_versions() v WHERE v.name = ${name} AND v.schema IS NOT NULL
    UNION SELECT n.nspname FROM pg_catalog.pg_available_extension_versions() v JOIN pg_catalog.pg_extension e ON e.extname = ANY (v.requires)
      JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE v.name = ${name});
  hand pg_catalog.record;
  earlier pg_catalog.text[];
  who pg_catalog.text;
  place pg_catalog.name;
  patience pg_catalog.timestamptz := pg_catalog.clock_timestamp() + greatest(pg_catalog.current_setting('lock_timeout')::pg_catalog.interval, '1 second');
BEGIN
  FOR place IN SELECT p FROM pg_catalog.unnest(places) p WHERE p <> 'public' AND pg_catalog.to_regnamespace(pg_catalog.quote_ident(p)) IS NULL LOOP
    EXECUTE pg_catalog.format('CREATE SCHEMA %I', place);
  END LOOP;
  SELECT h.schema, h.role, h.what INTO hand FROM (
    SELECT n.nspname AS schema, n.nspowner AS role, 'owns' AS what FROM pg_catalog.pg_namespace n WHERE n.nspname = ANY (places)
    UNION ALL SELECT n.nspname, x.grantee, 'may create objects in' FROM pg_catalog.pg_namespace n
      CROSS JOIN LATERAL pg_catalog.aclexplode(n.nspacl) x WHERE n.nspname = ANY (places) AND x.privilege_type = 'CREATE') h
  WHERE NOT ${isTrusted('h.role')} LIMIT 1;
  IF NOT FOUND THEN
    PERFORM pg_catalog.pg_stat_clear_snapshot();
    earlier := ARRAY(SELECT l.virtualtransaction FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
      JOIN pg_catalog.pg_database d ON d.oid = a.datid AND d.datname = pg_catalog.current_database()
      WHERE l.locktype = 'virtualxid' AND l.pid <> pg_catalog.pg_backend_pid() AND a.usesysid IS NOT NULL AND NOT ${isTrusted('a.usesysid')});
    LOOP
      SELECT w.who INTO who FROM (
        SELECT pg_catalog.format('the session %s of %I', a.pid, a.usename) AS who FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
          WHERE l.locktype = 'virtualxid' AND l.virtualtransaction = ANY (earlier)
        UNION ALL SELECT pg_catalog.format('the prepared transaction %L of %I', p.gid, p.owner) FROM pg_catalog.pg_prepared_xacts p JOIN pg_catalog.pg_roles r ON r.rolname = p.owner
          WHERE p.database = pg_catalog.current_database() AND NOT ${isTrusted('r.oid')}) w LIMIT 1;
      EXIT WHEN NOT FOUND;
      IF pg_catalog.clock_timestamp() > patience THEN
        RAISE EXCEPTION USING ERRCODE = '55P03', MESSAGE = pg_catalog.format('extension %s is not installed yet: %s began before, and may still put something into schema %s', ${name}, who, places[1]);
      END IF;
      PERFORM pg_catalog.pg_sleep(0.02);
    END LOOP;
    SELECT n.nspname AS schema, s.refobjid AS role, 'has objects in' AS what INTO hand FROM pg_catalog.pg_namespace n
      JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND d.refobjid = n.oid AND d.classid NOT IN ${NOT_NAMED}
      JOIN pg_catalog.pg_shdepend s ON s.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) AND s.classid = d.classid AND s.objid = d.objid
        AND s.deptype = 'o' AND s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
    WHERE n.nspname = ANY (places) AND NOT ${isTrusted('s.refobjid')} LIMIT 1;
  END IF;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = pg_catalog.format('%s%s %s schema %s, and its script would use with our rights what it finds there',
      ${literal(refusal(extension))}, CASE WHEN hand.role = 0 THEN 'everybody' ELSE pg_catalog.pg_get_userbyid(hand.role) END, hand.what, hand.schema);
  END IF;
END`;
  return `DO LANGUAGE plpgsql ${literal(text)}`;
};
