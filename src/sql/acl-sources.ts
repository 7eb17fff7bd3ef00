// Every kind of object with an ACL: how GRANT names it, whose it is and what it gives, as rows of one query.
import { IN_DATABASES, quotedName, rowsOf, schemaOf, sharedKinds, type StoredKind, wordOf } from './stored.ts';

/** @param column of an ACL of its own, with its table's around it. */
const source = (stored: StoredKind, rows: string, column?: { readonly name: string; readonly acl: string }): string =>
  `SELECT 'pg_catalog.${stored.catalog}'::pg_catalog.regclass, o.oid, ${wordOf(stored)}, ${quotedName(stored)}, ${column?.name ?? 'NULL::pg_catalog.name'}, ${stored.owner}, ${column?.acl ?? stored.acl}, ${column === undefined ? 'NULL::pg_catalog.aclitem[]' : stored.acl} FROM ${rows}`;

const sourceOf = (stored: StoredKind): string =>
  stored.kind === 'column'
    ? source(stored, `pg_catalog.pg_attribute a JOIN pg_catalog.pg_class o ON o.oid = a.attrelid ${schemaOf(stored)} WHERE a.attacl IS NOT NULL`, {
        name: 'a.attname',
        acl: 'a.attacl',
      })
    : source(stored, rowsOf(stored));

/**
 * A SELECT of the objects, in this database and of those that all share, in whose ACLs certain roles stand: `role` (its OID), `kind` and `name` as
 * GRANT says them, `col` for the ACL of a column and `around` for that of its table, `owner`, `acl`. pg_shdepend has a row for each role that an ACL names, as grantee or as grantor.
 * @param roles a condition on the OID of a role.
 */
export const objectsNaming = (roles: (column: string) => string, major: number): string =>
  `SELECT s.refobjid AS role, o.kind, o.name, o.col, o.owner, o.acl || '{}'::pg_catalog.aclitem[] AS acl, o.around
    FROM (SELECT DISTINCT d.refobjid, d.classid, d.objid FROM pg_catalog.pg_shdepend d
      WHERE d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND d.deptype = 'a' AND ${roles('d.refobjid')}
        AND d.dbid IN (0, (SELECT h.oid FROM pg_catalog.pg_database h WHERE h.datname = pg_catalog.current_database()))) s
    JOIN (${[...IN_DATABASES, ...sharedKinds(major)].map(sourceOf).join('\n      UNION ALL ')}) o(class, object, kind, name, col, owner, acl, around)
      ON o.class = s.classid AND o.object = s.objid
    WHERE o.acl IS NOT NULL`;

/** A SELECT of the OIDs of all who granted something, in this database and on what all share, that is not theirs. */
export const grantorsSql = (major: number): string =>
  `SELECT DISTINCT x.grantor FROM (${[...IN_DATABASES, ...sharedKinds(major)].map(sourceOf).join('\n      UNION ALL ')}) o(class, object, kind, name, col, owner, acl, around)
    CROSS JOIN LATERAL pg_catalog.aclexplode(o.acl || '{}'::pg_catalog.aclitem[]) x WHERE o.acl IS NOT NULL AND x.grantor <> o.owner`;

/** Before a statement that has this query: the server guesses at a handful of objects and entries, and would go through all catalogs for each object, and through all objects for each entry. */
export const BY_HASH = 'SET LOCAL enable_nestloop = off';
