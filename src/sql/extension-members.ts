// Out of the way of dumps: what the event trigger needs is a member of the extension plpgsql, and pg_dump says nothing of members.
import { TRIGGER_NAMES, TRIGGER_SCHEMA } from '../model/trigger-names.ts';

/**
 * The objects, and which of them are members. Only members without an ACL count: pg_dump writes down a member's ACL where it differs from the one
 * that it had at first, and pg_upgrade writes down every one, for objects that it leaves out. Then the upgrade would fail.
 */
export const MEMBERS = `(SELECT o.word, o.classid, o.objid, o.name, o.acl IS NOT NULL AS closed, e.extname AS member
    FROM (SELECT 1 AS rank, 'SCHEMA' AS word, n.tableoid AS classid, n.oid AS objid, pg_catalog.quote_ident(n.nspname) AS name, n.nspacl AS acl
        FROM pg_catalog.pg_namespace n WHERE n.nspname = '${TRIGGER_SCHEMA}'
      UNION ALL SELECT 2, 'FUNCTION', p.tableoid, p.oid, p.oid::pg_catalog.regprocedure::text, p.proacl
        FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = '${TRIGGER_SCHEMA}'
      UNION ALL SELECT 3, 'EVENT TRIGGER', t.tableoid, t.oid, pg_catalog.quote_ident(t.evtname), NULL
        FROM pg_catalog.pg_event_trigger t WHERE t.evtname IN (${TRIGGER_NAMES.map((name) => `'${name}'`).join(', ')})) o
    LEFT JOIN pg_catalog.pg_depend d ON d.classid = o.classid AND d.objid = o.objid AND d.deptype = 'e'
    LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid ORDER BY o.rank)`;

/** Whether all of them can be members: only a superuser may add to plpgsql, and an ACL that our default privileges left behind cannot be undone. */
export const MAY_JOIN = `(SELECT r.rolsuper AND EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'plpgsql') AND NOT EXISTS (SELECT FROM ${MEMBERS} m WHERE m.closed)
  FROM pg_catalog.pg_roles r WHERE r.rolname = current_user)`;

/** Adds what is no member yet, where that can be. */
export const JOIN_EXTENSION = `DO LANGUAGE plpgsql $join$
DECLARE item record;
BEGIN
  IF ${MAY_JOIN} THEN
    FOR item IN SELECT * FROM ${MEMBERS} m WHERE m.member IS NULL LOOP
      EXECUTE pg_catalog.format('ALTER EXTENSION plpgsql ADD %s %s', item.word, item.name);
    END LOOP;
  END IF;
END $join$`;

/** Takes them out again: the server drops no member. */
export const LEAVE_EXTENSION = (part: 'trigger' | 'all'): string => `DO LANGUAGE plpgsql $leave$
DECLARE item record;
BEGIN
  FOR item IN SELECT * FROM ${MEMBERS} m WHERE m.member IS NOT NULL${part === 'all' ? '' : ` AND m.word = 'EVENT TRIGGER'`} LOOP
    EXECUTE pg_catalog.format('ALTER EXTENSION %I DROP %s %s', item.member, item.word, item.name);
  END LOOP;
END $leave$`;
