// Privileges that a third role granted: DROP OWNED leaves them and DROP ROLE then fails, so they are revoked as their grantors.
import { literal } from './sql-text.ts';

/** Each kind of object with an ACL: how REVOKE names it, and where its ACL is. Columns are reached by their table. */
const SOURCES: readonly string[] = [
  `SELECT 'TABLE', pg_catalog.format('%I.%I', n.nspname, c.relname), c.relowner, c.relacl FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace`,
  `SELECT 'TABLE', pg_catalog.format('%I.%I', n.nspname, c.relname), c.relowner, a.attacl FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace`,
  `SELECT 'ROUTINE', p.oid::pg_catalog.regprocedure::text, p.proowner, p.proacl FROM pg_catalog.pg_proc p`,
  `SELECT 'SCHEMA', pg_catalog.quote_ident(nspname), nspowner, nspacl FROM pg_catalog.pg_namespace`,
  `SELECT 'TYPE', pg_catalog.format('%I.%I', n.nspname, t.typname), t.typowner, t.typacl FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace`,
  `SELECT 'LANGUAGE', pg_catalog.quote_ident(lanname), lanowner, lanacl FROM pg_catalog.pg_language`,
  `SELECT 'FOREIGN DATA WRAPPER', pg_catalog.quote_ident(fdwname), fdwowner, fdwacl FROM pg_catalog.pg_foreign_data_wrapper`,
  `SELECT 'FOREIGN SERVER', pg_catalog.quote_ident(srvname), srvowner, srvacl FROM pg_catalog.pg_foreign_server`,
  `SELECT 'LARGE OBJECT', oid::text, lomowner, lomacl FROM pg_catalog.pg_largeobject_metadata`,
  `SELECT 'DATABASE', pg_catalog.quote_ident(datname), datdba, datacl FROM pg_catalog.pg_database`,
  `SELECT 'TABLESPACE', pg_catalog.quote_ident(spcname), spcowner, spcacl FROM pg_catalog.pg_tablespace`,
];

/** Parameter ACLs exist from 15 on and have no owner. */
const PARAMETERS = `SELECT 'PARAMETER', pg_catalog.quote_ident(parname), 10::oid, paracl FROM pg_catalog.pg_parameter_acl`;

/**
 * One DO statement that revokes everything that other grantors than the owner gave to the role, in the database that runs it.
 * It acts as each grantor in turn, and so needs a superuser or an admin that may SET ROLE to them.
 */
export function revokeForeignGrants(role: string, major: number): string {
  const sources = major >= 15 ? [...SOURCES, PARAMETERS] : SOURCES;
  return `DO LANGUAGE plpgsql ${literal(`
DECLARE item record;
BEGIN
  FOR item IN
    SELECT DISTINCT o.kind, o.name, g.rolname AS grantor
    FROM (${sources.join('\n      UNION ALL ')}) o(kind, name, owner, acl)
    CROSS JOIN LATERAL pg_catalog.aclexplode(o.acl) x
    JOIN pg_catalog.pg_roles r ON r.oid = x.grantee AND r.rolname = ${literal(role)}
    JOIN pg_catalog.pg_roles g ON g.oid = x.grantor
  LOOP
    EXECUTE pg_catalog.format('SET LOCAL ROLE %I', item.grantor);
    EXECUTE pg_catalog.format('REVOKE ALL ON %s %s FROM %I CASCADE', item.kind, item.name, ${literal(role)});
    RESET ROLE;
  END LOOP;
END`)}`;
}
