-- What the version with tables of rules made in a database: SELECT on every table of schema sales for kafka.
CREATE SCHEMA pgsteward;
COMMENT ON SCHEMA pgsteward IS 'The memory of pgsteward';
REVOKE ALL ON SCHEMA pgsteward FROM PUBLIC;
DO LANGUAGE plpgsql $shape$ BEGIN IF NOT (EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass('pgsteward.trigger_subject') AND c.relkind = 'r' AND 'role text, mode text, database oid' =
    (SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum)
      FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)) AND EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass('pgsteward.trigger_rule') AND c.relkind = 'r' AND 'key text, role text, kind text, schema text, name text, second text, glob boolean, wide boolean, implied boolean, rank integer[], privileges text[], options boolean[], place text' =
    (SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum)
      FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped))) THEN DROP TABLE IF EXISTS pgsteward.trigger_subject, pgsteward.trigger_rule; END IF; END $shape$;
CREATE TABLE IF NOT EXISTS pgsteward.trigger_subject (role text COLLATE "C" PRIMARY KEY, mode text NOT NULL, database oid NOT NULL);
CREATE TABLE IF NOT EXISTS pgsteward.trigger_rule (key text PRIMARY KEY, role text COLLATE "C" NOT NULL, kind text NOT NULL, schema text NOT NULL, name text NOT NULL,
     second text, glob boolean NOT NULL, wide boolean NOT NULL, implied boolean NOT NULL, rank int[] NOT NULL, privileges text[] NOT NULL, options boolean[] NOT NULL,
     place text COLLATE "C" GENERATED ALWAYS AS (CASE WHEN wide THEN '** ' || kind WHEN glob THEN '* ' || kind || ' ' || schema ELSE kind || ' ' || schema || ' ' || name END) STORED);
CREATE INDEX IF NOT EXISTS trigger_rule_place ON pgsteward.trigger_rule (place);
CREATE INDEX IF NOT EXISTS trigger_rule_columns ON pgsteward.trigger_rule (kind) WHERE kind = 'column';
CREATE OR REPLACE FUNCTION pgsteward.refuse_others() RETURNS trigger LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS '
BEGIN
  IF NOT pg_catalog.pg_has_role(current_user, (SELECT c.relowner FROM pg_catalog.pg_class c WHERE c.oid = tg_relid), ''USAGE'') THEN
    RAISE EXCEPTION ''pgsteward.% can only be changed by its owner'', tg_table_name;
  END IF;
  RETURN NULL;
END';
CREATE OR REPLACE TRIGGER only_owner BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON pgsteward.trigger_subject FOR EACH STATEMENT EXECUTE FUNCTION pgsteward.refuse_others();
CREATE OR REPLACE TRIGGER only_owner BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON pgsteward.trigger_rule FOR EACH STATEMENT EXECUTE FUNCTION pgsteward.refuse_others();
CREATE OR REPLACE FUNCTION pgsteward.apply_rules() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET client_min_messages = error SET quote_all_identifiers = off SET lock_timeout = 250 SET plan_cache_mode = force_generic_plan SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off AS '
DECLARE
  statements text[];
  statement text;
  by_column boolean;
  rest boolean := false;
  earlier text;
BEGIN
  by_column := EXISTS (SELECT FROM pgsteward.trigger_rule WHERE kind = ''column'');
  IF tg_tag IN (''CREATE TABLE'', ''CREATE VIEW'', ''CREATE MATERIALIZED VIEW'', ''CREATE FOREIGN TABLE'', ''CREATE SEQUENCE'', ''CREATE TABLE AS'', ''SELECT INTO'') AND NOT by_column THEN
    
    WITH command AS MATERIALIZED (
      SELECT DISTINCT c.classid, c.objid FROM pg_catalog.pg_event_trigger_ddl_commands() c
        WHERE NOT c.in_extension AND c.objid IS NOT NULL AND c.schema_name IS DISTINCT FROM ''pg_temp''), touched AS (
      SELECT * FROM command
    ), whole AS (
      SELECT CASE WHEN o.relkind = ''S'' THEN ''sequence'' ELSE ''table'' END AS kind, n.nspname::text AS schema, o.relname::text AS name, NULL::text AS second,
          o.relowner AS owner, coalesce(o.relacl, pg_catalog.acldefault(CASE WHEN o.relkind = ''S'' THEN ''s'' ELSE ''r'' END::"char", o.relowner)) AS acl, pg_catalog.format(''%s %I.%I'', CASE WHEN o.relkind = ''S'' THEN ''SEQUENCE'' ELSE ''TABLE'' END, n.nspname, o.relname) AS target, '''' AS part, o.oid
        FROM touched t JOIN pg_catalog.pg_class o ON o.oid = t.objid JOIN pg_catalog.pg_namespace n ON n.oid = o.relnamespace
        WHERE t.classid = ''pg_catalog.pg_class''::pg_catalog.regclass AND o.relkind IN (''r'', ''p'', ''v'', ''m'', ''f'', ''S'') AND NOT pg_catalog.starts_with(n.nspname::text, ''pg_'') AND n.nspname NOT IN (''information_schema'', ''pgsteward'')
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = ''pg_catalog.pg_class''::pg_catalog.regclass AND e.objid = o.oid AND e.objsubid = 0
            AND e.refclassid = ''pg_catalog.pg_extension''::pg_catalog.regclass AND e.deptype = ''e'')
    ), object AS MATERIALIZED (
      SELECT w.*, pg_catalog.row_number() OVER () AS id FROM whole w
    ), best AS (
      SELECT o.id, r.*, r.implied OR r.rank = pg_catalog.max(r.rank) FILTER (WHERE NOT r.implied) OVER (PARTITION BY o.id, r.role) AS counts,
        pg_catalog.bool_or(NOT r.implied) OVER (PARTITION BY o.id, r.role) AS named
      FROM object o CROSS JOIN LATERAL (SELECT r.role, r.implied, r.rank, r.privileges, r.options FROM pgsteward.trigger_rule r
        WHERE r.place = ANY (ARRAY[o.kind || '' '' || o.schema || '' '' || o.name, o.kind || '' '' || o.schema || '' *'', o.kind || '' * '' || o.name, o.kind || '' * *'',
            ''* '' || o.kind || '' '' || o.schema, ''* '' || o.kind || '' *'', ''** '' || o.kind])
          AND r.kind = o.kind AND CASE WHEN r.wide THEN o.schema LIKE r.schema ELSE r.schema IN (o.schema, ''*'') END
          AND CASE WHEN r.glob OR r.wide THEN o.name LIKE r.name ELSE r.name IN (o.name, ''*'') END
          AND (r.second IS NULL OR CASE WHEN r.kind = ''column'' AND (r.glob OR r.wide) THEN o.second LIKE r.second ELSE o.second = r.second END)) r
    ), entry AS (
      -- A rule that gives nothing still names the object.
      SELECT b.id, b.role, p.privilege, CASE WHEN b.counts THEN coalesce(p.option, false) END AS wanted, NULL::boolean AS held, NULL::boolean AS by_owner, b.named
      FROM best b LEFT JOIN LATERAL ROWS FROM (pg_catalog.unnest(b.privileges), pg_catalog.unnest(b.options)) AS p(privilege, option) ON true
      UNION ALL SELECT o.id, CASE WHEN x.grantee = 0 THEN ''public'' ELSE pg_catalog.pg_get_userbyid(x.grantee)::text END, x.privilege_type,
        NULL, x.is_grantable, x.grantor = o.owner, NULL
      FROM object o CROSS JOIN LATERAL pg_catalog.aclexplode(o.acl) x WHERE x.grantee <> o.owner
    ), difference AS MATERIALIZED (
      SELECT f.*, f.held IS NOT NULL AND (f.wanted IS NULL OR f.held AND NOT f.wanted) AND (f.mode = ''exact'' OR f.mode = ''named'' AND f.named) AS extra
      -- A lookup for each row: as a join, all else was done again for each role. A copy of the database has rules that were meant for another.
      FROM (SELECT a.id, a.role, a.privilege, pg_catalog.bool_or(a.wanted) AS wanted, pg_catalog.bool_or(a.held) AS held, pg_catalog.bool_and(a.by_owner) AS by_owner,
            pg_catalog.bool_or(pg_catalog.bool_or(a.named)) OVER (PARTITION BY a.id, a.role) AS named,
            (SELECT s.mode FROM pgsteward.trigger_subject s WHERE s.role = a.role
              AND s.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())) AS mode
          FROM entry a GROUP BY a.id, a.role, a.privilege) f
      WHERE f.mode IS NOT NULL AND f.privilege IN (''CREATE'', ''CONNECT'', ''TEMPORARY'', ''USAGE'', ''SELECT'', ''INSERT'', ''UPDATE'', ''DELETE'', ''TRUNCATE'', ''REFERENCES'', ''TRIGGER'', ''MAINTAIN'', ''EXECUTE'', ''SET'', ''ALTER SYSTEM'')
    ), change AS (
      SELECT o.target, o.part <> '''' AS columns, d.role, d.wanted AS option, pg_catalog.string_agg(d.privilege || o.part, '', '' ORDER BY o.part, d.privilege) AS privileges
      FROM difference d JOIN object o ON o.id = d.id
      WHERE CASE WHEN d.wanted IS NULL THEN d.extra AND d.by_owner AND NOT d.held
        ELSE (d.held IS NULL OR d.wanted AND NOT d.held)
          AND (d.role = ''public'' OR EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = d.role AND r.oid <> o.owner)) END
      GROUP BY 1, 2, 3, 4
    )
    SELECT pg_catalog.array_agg(CASE WHEN g.option IS NULL THEN pg_catalog.format(''REVOKE %s ON %s FROM %s'', g.privileges, g.target, g.roles)
          ELSE pg_catalog.format(''GRANT %s ON %s TO %s%s'', g.privileges, g.target, g.roles, CASE WHEN g.option THEN '' WITH GRANT OPTION'' ELSE '''' END) END
          ORDER BY CASE WHEN g.option IS NULL THEN CASE WHEN g.columns THEN 2 ELSE 3 END WHEN g.columns THEN 4 ELSE 1 END),
        EXISTS (SELECT FROM difference d WHERE d.extra AND (NOT d.by_owner OR d.held))
      INTO statements, rest
      FROM (SELECT c.target, c.columns, c.option, c.privileges,
            pg_catalog.string_agg(CASE WHEN c.role = ''public'' THEN ''PUBLIC'' ELSE pg_catalog.quote_ident(c.role) END, '', '' ORDER BY c.role) AS roles
          FROM change c GROUP BY 1, 2, 3, 4) g;
  ELSIF tg_tag IN (''CREATE TABLE'', ''ALTER TABLE'', ''CREATE VIEW'', ''ALTER VIEW'', ''CREATE MATERIALIZED VIEW'', ''ALTER MATERIALIZED VIEW'', ''CREATE FOREIGN TABLE'', ''ALTER FOREIGN TABLE'', ''CREATE SEQUENCE'', ''ALTER SEQUENCE'', ''CREATE TABLE AS'', ''SELECT INTO'') AND NOT by_column THEN
    
    WITH command AS MATERIALIZED (
      SELECT DISTINCT c.classid, c.objid FROM pg_catalog.pg_event_trigger_ddl_commands() c
        WHERE NOT c.in_extension AND c.objid IS NOT NULL AND c.schema_name IS DISTINCT FROM ''pg_temp''), touched AS (
      SELECT * FROM command
      UNION SELECT d.classid, d.objid FROM command c JOIN pg_catalog.pg_depend d ON d.refclassid = ''pg_catalog.pg_class''::pg_catalog.regclass AND d.refobjid = c.objid
        AND d.classid = ''pg_catalog.pg_class''::pg_catalog.regclass AND d.deptype IN (''a'', ''i'') JOIN pg_catalog.pg_class q ON q.oid = d.objid AND q.relkind = ''S''
        WHERE tg_tag IN (''ALTER TABLE'', ''ALTER FOREIGN TABLE'') AND c.classid = ''pg_catalog.pg_class''::pg_catalog.regclass
    ), whole AS (
      SELECT CASE WHEN o.relkind = ''S'' THEN ''sequence'' ELSE ''table'' END AS kind, n.nspname::text AS schema, o.relname::text AS name, NULL::text AS second,
          o.relowner AS owner, coalesce(o.relacl, pg_catalog.acldefault(CASE WHEN o.relkind = ''S'' THEN ''s'' ELSE ''r'' END::"char", o.relowner)) AS acl, pg_catalog.format(''%s %I.%I'', CASE WHEN o.relkind = ''S'' THEN ''SEQUENCE'' ELSE ''TABLE'' END, n.nspname, o.relname) AS target, '''' AS part, o.oid
        FROM touched t JOIN pg_catalog.pg_class o ON o.oid = t.objid JOIN pg_catalog.pg_namespace n ON n.oid = o.relnamespace
        WHERE t.classid = ''pg_catalog.pg_class''::pg_catalog.regclass AND o.relkind IN (''r'', ''p'', ''v'', ''m'', ''f'', ''S'') AND NOT pg_catalog.starts_with(n.nspname::text, ''pg_'') AND n.nspname NOT IN (''information_schema'', ''pgsteward'')
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = ''pg_catalog.pg_class''::pg_catalog.regclass AND e.objid = o.oid AND e.objsubid = 0
            AND e.refclassid = ''pg_catalog.pg_extension''::pg_catalog.regclass AND e.deptype = ''e'')
    ), object AS MATERIALIZED (
      SELECT w.*, pg_catalog.row_number() OVER () AS id FROM whole w
    ), best AS (
      SELECT o.id, r.*, r.implied OR r.rank = pg_catalog.max(r.rank) FILTER (WHERE NOT r.implied) OVER (PARTITION BY o.id, r.role) AS counts,
        pg_catalog.bool_or(NOT r.implied) OVER (PARTITION BY o.id, r.role) AS named
      FROM object o CROSS JOIN LATERAL (SELECT r.role, r.implied, r.rank, r.privileges, r.options FROM pgsteward.trigger_rule r
        WHERE r.place = ANY (ARRAY[o.kind || '' '' || o.schema || '' '' || o.name, o.kind || '' '' || o.schema || '' *'', o.kind || '' * '' || o.name, o.kind || '' * *'',
            ''* '' || o.kind || '' '' || o.schema, ''* '' || o.kind || '' *'', ''** '' || o.kind])
          AND r.kind = o.kind AND CASE WHEN r.wide THEN o.schema LIKE r.schema ELSE r.schema IN (o.schema, ''*'') END
          AND CASE WHEN r.glob OR r.wide THEN o.name LIKE r.name ELSE r.name IN (o.name, ''*'') END
          AND (r.second IS NULL OR CASE WHEN r.kind = ''column'' AND (r.glob OR r.wide) THEN o.second LIKE r.second ELSE o.second = r.second END)) r
    ), entry AS (
      -- A rule that gives nothing still names the object.
      SELECT b.id, b.role, p.privilege, CASE WHEN b.counts THEN coalesce(p.option, false) END AS wanted, NULL::boolean AS held, NULL::boolean AS by_owner, b.named
      FROM best b LEFT JOIN LATERAL ROWS FROM (pg_catalog.unnest(b.privileges), pg_catalog.unnest(b.options)) AS p(privilege, option) ON true
      UNION ALL SELECT o.id, CASE WHEN x.grantee = 0 THEN ''public'' ELSE pg_catalog.pg_get_userbyid(x.grantee)::text END, x.privilege_type,
        NULL, x.is_grantable, x.grantor = o.owner, NULL
      FROM object o CROSS JOIN LATERAL pg_catalog.aclexplode(o.acl) x WHERE x.grantee <> o.owner
    ), difference AS MATERIALIZED (
      SELECT f.*, f.held IS NOT NULL AND (f.wanted IS NULL OR f.held AND NOT f.wanted) AND (f.mode = ''exact'' OR f.mode = ''named'' AND f.named) AS extra
      -- A lookup for each row: as a join, all else was done again for each role. A copy of the database has rules that were meant for another.
      FROM (SELECT a.id, a.role, a.privilege, pg_catalog.bool_or(a.wanted) AS wanted, pg_catalog.bool_or(a.held) AS held, pg_catalog.bool_and(a.by_owner) AS by_owner,
            pg_catalog.bool_or(pg_catalog.bool_or(a.named)) OVER (PARTITION BY a.id, a.role) AS named,
            (SELECT s.mode FROM pgsteward.trigger_subject s WHERE s.role = a.role
              AND s.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())) AS mode
          FROM entry a GROUP BY a.id, a.role, a.privilege) f
      WHERE f.mode IS NOT NULL AND f.privilege IN (''CREATE'', ''CONNECT'', ''TEMPORARY'', ''USAGE'', ''SELECT'', ''INSERT'', ''UPDATE'', ''DELETE'', ''TRUNCATE'', ''REFERENCES'', ''TRIGGER'', ''MAINTAIN'', ''EXECUTE'', ''SET'', ''ALTER SYSTEM'')
    ), change AS (
      SELECT o.target, o.part <> '''' AS columns, d.role, d.wanted AS option, pg_catalog.string_agg(d.privilege || o.part, '', '' ORDER BY o.part, d.privilege) AS privileges
      FROM difference d JOIN object o ON o.id = d.id
      WHERE CASE WHEN d.wanted IS NULL THEN d.extra AND d.by_owner AND NOT d.held
        ELSE (d.held IS NULL OR d.wanted AND NOT d.held)
          AND (d.role = ''public'' OR EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = d.role AND r.oid <> o.owner)) END
      GROUP BY 1, 2, 3, 4
    )
    SELECT pg_catalog.array_agg(CASE WHEN g.option IS NULL THEN pg_catalog.format(''REVOKE %s ON %s FROM %s'', g.privileges, g.target, g.roles)
          ELSE pg_catalog.format(''GRANT %s ON %s TO %s%s'', g.privileges, g.target, g.roles, CASE WHEN g.option THEN '' WITH GRANT OPTION'' ELSE '''' END) END
          ORDER BY CASE WHEN g.option IS NULL THEN CASE WHEN g.columns THEN 2 ELSE 3 END WHEN g.columns THEN 4 ELSE 1 END),
        EXISTS (SELECT FROM difference d WHERE d.extra AND (NOT d.by_owner OR d.held))
      INTO statements, rest
      FROM (SELECT c.target, c.columns, c.option, c.privileges,
            pg_catalog.string_agg(CASE WHEN c.role = ''public'' THEN ''PUBLIC'' ELSE pg_catalog.quote_ident(c.role) END, '', '' ORDER BY c.role) AS roles
          FROM change c GROUP BY 1, 2, 3, 4) g;
  ELSIF tg_tag IN (''CREATE FUNCTION'', ''ALTER FUNCTION'', ''CREATE PROCEDURE'', ''ALTER PROCEDURE'', ''CREATE AGGREGATE'', ''ALTER AGGREGATE'', ''ALTER ROUTINE'') THEN
    
    WITH command AS MATERIALIZED (
      SELECT DISTINCT c.classid, c.objid FROM pg_catalog.pg_event_trigger_ddl_commands() c
        WHERE NOT c.in_extension AND c.objid IS NOT NULL AND c.schema_name IS DISTINCT FROM ''pg_temp''), touched AS (
      SELECT * FROM command
    ), whole AS (
      SELECT ''function'' AS kind, n.nspname::text AS schema, o.proname::text AS name, pg_catalog.oidvectortypes(o.proargtypes) AS second,
          o.proowner AS owner, coalesce(o.proacl, pg_catalog.acldefault(''f'', o.proowner)) AS acl, pg_catalog.format(''%s %s'', CASE WHEN o.prokind = ''p'' THEN ''PROCEDURE'' ELSE ''FUNCTION'' END, o.oid::pg_catalog.regprocedure) AS target, '''' AS part, o.oid
        FROM touched t JOIN pg_catalog.pg_proc o ON o.oid = t.objid JOIN pg_catalog.pg_namespace n ON n.oid = o.pronamespace
        WHERE t.classid = ''pg_catalog.pg_proc''::pg_catalog.regclass AND NOT pg_catalog.starts_with(n.nspname::text, ''pg_'') AND n.nspname NOT IN (''information_schema'', ''pgsteward'')
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = ''pg_catalog.pg_proc''::pg_catalog.regclass AND e.objid = o.oid AND e.objsubid = 0
            AND e.refclassid = ''pg_catalog.pg_extension''::pg_catalog.regclass AND e.deptype = ''e'')
    ), object AS MATERIALIZED (
      SELECT w.*, pg_catalog.row_number() OVER () AS id FROM whole w
    ), best AS (
      SELECT o.id, r.*, r.implied OR r.rank = pg_catalog.max(r.rank) FILTER (WHERE NOT r.implied) OVER (PARTITION BY o.id, r.role) AS counts,
        pg_catalog.bool_or(NOT r.implied) OVER (PARTITION BY o.id, r.role) AS named
      FROM object o CROSS JOIN LATERAL (SELECT r.role, r.implied, r.rank, r.privileges, r.options FROM pgsteward.trigger_rule r
        WHERE r.place = ANY (ARRAY[o.kind || '' '' || o.schema || '' '' || o.name, o.kind || '' '' || o.schema || '' *'', o.kind || '' * '' || o.name, o.kind || '' * *'',
            ''* '' || o.kind || '' '' || o.schema, ''* '' || o.kind || '' *'', ''** '' || o.kind])
          AND r.kind = o.kind AND CASE WHEN r.wide THEN o.schema LIKE r.schema ELSE r.schema IN (o.schema, ''*'') END
          AND CASE WHEN r.glob OR r.wide THEN o.name LIKE r.name ELSE r.name IN (o.name, ''*'') END
          AND (r.second IS NULL OR CASE WHEN r.kind = ''column'' AND (r.glob OR r.wide) THEN o.second LIKE r.second ELSE o.second = r.second END)) r
    ), entry AS (
      -- A rule that gives nothing still names the object.
      SELECT b.id, b.role, p.privilege, CASE WHEN b.counts THEN coalesce(p.option, false) END AS wanted, NULL::boolean AS held, NULL::boolean AS by_owner, b.named
      FROM best b LEFT JOIN LATERAL ROWS FROM (pg_catalog.unnest(b.privileges), pg_catalog.unnest(b.options)) AS p(privilege, option) ON true
      UNION ALL SELECT o.id, CASE WHEN x.grantee = 0 THEN ''public'' ELSE pg_catalog.pg_get_userbyid(x.grantee)::text END, x.privilege_type,
        NULL, x.is_grantable, x.grantor = o.owner, NULL
      FROM object o CROSS JOIN LATERAL pg_catalog.aclexplode(o.acl) x WHERE x.grantee <> o.owner
    ), difference AS MATERIALIZED (
      SELECT f.*, f.held IS NOT NULL AND (f.wanted IS NULL OR f.held AND NOT f.wanted) AND (f.mode = ''exact'' OR f.mode = ''named'' AND f.named) AS extra
      -- A lookup for each row: as a join, all else was done again for each role. A copy of the database has rules that were meant for another.
      FROM (SELECT a.id, a.role, a.privilege, pg_catalog.bool_or(a.wanted) AS wanted, pg_catalog.bool_or(a.held) AS held, pg_catalog.bool_and(a.by_owner) AS by_owner,
            pg_catalog.bool_or(pg_catalog.bool_or(a.named)) OVER (PARTITION BY a.id, a.role) AS named,
            (SELECT s.mode FROM pgsteward.trigger_subject s WHERE s.role = a.role
              AND s.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())) AS mode
          FROM entry a GROUP BY a.id, a.role, a.privilege) f
      WHERE f.mode IS NOT NULL AND f.privilege IN (''CREATE'', ''CONNECT'', ''TEMPORARY'', ''USAGE'', ''SELECT'', ''INSERT'', ''UPDATE'', ''DELETE'', ''TRUNCATE'', ''REFERENCES'', ''TRIGGER'', ''MAINTAIN'', ''EXECUTE'', ''SET'', ''ALTER SYSTEM'')
    ), change AS (
      SELECT o.target, o.part <> '''' AS columns, d.role, d.wanted AS option, pg_catalog.string_agg(d.privilege || o.part, '', '' ORDER BY o.part, d.privilege) AS privileges
      FROM difference d JOIN object o ON o.id = d.id
      WHERE CASE WHEN d.wanted IS NULL THEN d.extra AND d.by_owner AND NOT d.held
        ELSE (d.held IS NULL OR d.wanted AND NOT d.held)
          AND (d.role = ''public'' OR EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = d.role AND r.oid <> o.owner)) END
      GROUP BY 1, 2, 3, 4
    )
    SELECT pg_catalog.array_agg(CASE WHEN g.option IS NULL THEN pg_catalog.format(''REVOKE %s ON %s FROM %s'', g.privileges, g.target, g.roles)
          ELSE pg_catalog.format(''GRANT %s ON %s TO %s%s'', g.privileges, g.target, g.roles, CASE WHEN g.option THEN '' WITH GRANT OPTION'' ELSE '''' END) END
          ORDER BY CASE WHEN g.option IS NULL THEN CASE WHEN g.columns THEN 2 ELSE 3 END WHEN g.columns THEN 4 ELSE 1 END),
        EXISTS (SELECT FROM difference d WHERE d.extra AND (NOT d.by_owner OR d.held))
      INTO statements, rest
      FROM (SELECT c.target, c.columns, c.option, c.privileges,
            pg_catalog.string_agg(CASE WHEN c.role = ''public'' THEN ''PUBLIC'' ELSE pg_catalog.quote_ident(c.role) END, '', '' ORDER BY c.role) AS roles
          FROM change c GROUP BY 1, 2, 3, 4) g;
  ELSE
    
    WITH command AS MATERIALIZED (
      SELECT DISTINCT c.classid, c.objid FROM pg_catalog.pg_event_trigger_ddl_commands() c
        WHERE NOT c.in_extension AND c.objid IS NOT NULL AND c.schema_name IS DISTINCT FROM ''pg_temp''), touched AS (
      SELECT * FROM command
      UNION SELECT d.classid, d.objid FROM command c JOIN pg_catalog.pg_depend d ON d.refclassid = ''pg_catalog.pg_class''::pg_catalog.regclass AND d.refobjid = c.objid
        AND d.classid = ''pg_catalog.pg_class''::pg_catalog.regclass AND d.deptype IN (''a'', ''i'') JOIN pg_catalog.pg_class q ON q.oid = d.objid AND q.relkind = ''S''
        WHERE tg_tag IN (''ALTER TABLE'', ''ALTER FOREIGN TABLE'') AND c.classid = ''pg_catalog.pg_class''::pg_catalog.regclass
      UNION SELECT d.classid, d.objid FROM command c LEFT JOIN pg_catalog.pg_range g ON g.rngtypid = c.objid JOIN pg_catalog.pg_depend d
        ON d.refclassid = ''pg_catalog.pg_type''::pg_catalog.regclass AND d.refobjid IN (c.objid, g.rngmultitypid) AND d.classid = ''pg_catalog.pg_proc''::pg_catalog.regclass AND d.deptype = ''i''
        WHERE tg_tag = ''CREATE TYPE'' AND c.classid = ''pg_catalog.pg_type''::pg_catalog.regclass
      UNION SELECT ''pg_catalog.pg_class''::pg_catalog.regclass, o.oid FROM command c JOIN pg_catalog.pg_class o ON o.relnamespace = c.objid
        WHERE tg_tag = ''ALTER SCHEMA'' AND c.classid = ''pg_catalog.pg_namespace''::pg_catalog.regclass
      UNION SELECT ''pg_catalog.pg_proc''::pg_catalog.regclass, o.oid FROM command c JOIN pg_catalog.pg_proc o ON o.pronamespace = c.objid
        WHERE tg_tag = ''ALTER SCHEMA'' AND c.classid = ''pg_catalog.pg_namespace''::pg_catalog.regclass
      UNION SELECT ''pg_catalog.pg_type''::pg_catalog.regclass, o.oid FROM command c JOIN pg_catalog.pg_type o ON o.typnamespace = c.objid
        WHERE tg_tag = ''ALTER SCHEMA'' AND c.classid = ''pg_catalog.pg_namespace''::pg_catalog.regclass
    ), whole AS (
      SELECT CASE WHEN o.relkind = ''S'' THEN ''sequence'' ELSE ''table'' END AS kind, n.nspname::text AS schema, o.relname::text AS name, NULL::text AS second,
          o.relowner AS owner, coalesce(o.relacl, pg_catalog.acldefault(CASE WHEN o.relkind = ''S'' THEN ''s'' ELSE ''r'' END::"char", o.relowner)) AS acl, pg_catalog.format(''%s %I.%I'', CASE WHEN o.relkind = ''S'' THEN ''SEQUENCE'' ELSE ''TABLE'' END, n.nspname, o.relname) AS target, '''' AS part, o.oid
        FROM touched t JOIN pg_catalog.pg_class o ON o.oid = t.objid JOIN pg_catalog.pg_namespace n ON n.oid = o.relnamespace
        WHERE t.classid = ''pg_catalog.pg_class''::pg_catalog.regclass AND o.relkind IN (''r'', ''p'', ''v'', ''m'', ''f'', ''S'') AND NOT pg_catalog.starts_with(n.nspname::text, ''pg_'') AND n.nspname NOT IN (''information_schema'', ''pgsteward'')
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = ''pg_catalog.pg_class''::pg_catalog.regclass AND e.objid = o.oid AND e.objsubid = 0
            AND e.refclassid = ''pg_catalog.pg_extension''::pg_catalog.regclass AND e.deptype = ''e'')
      UNION ALL SELECT ''function'' AS kind, n.nspname::text AS schema, o.proname::text AS name, pg_catalog.oidvectortypes(o.proargtypes) AS second,
          o.proowner AS owner, coalesce(o.proacl, pg_catalog.acldefault(''f'', o.proowner)) AS acl, pg_catalog.format(''%s %s'', CASE WHEN o.prokind = ''p'' THEN ''PROCEDURE'' ELSE ''FUNCTION'' END, o.oid::pg_catalog.regprocedure) AS target, '''' AS part, o.oid
        FROM touched t JOIN pg_catalog.pg_proc o ON o.oid = t.objid JOIN pg_catalog.pg_namespace n ON n.oid = o.pronamespace
        WHERE t.classid = ''pg_catalog.pg_proc''::pg_catalog.regclass AND NOT pg_catalog.starts_with(n.nspname::text, ''pg_'') AND n.nspname NOT IN (''information_schema'', ''pgsteward'')
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = ''pg_catalog.pg_proc''::pg_catalog.regclass AND e.objid = o.oid AND e.objsubid = 0
            AND e.refclassid = ''pg_catalog.pg_extension''::pg_catalog.regclass AND e.deptype = ''e'')
      UNION ALL SELECT ''type'' AS kind, n.nspname::text AS schema, o.typname::text AS name, NULL::text AS second,
          o.typowner AS owner, coalesce(o.typacl, pg_catalog.acldefault(''T'', o.typowner)) AS acl, pg_catalog.format(''TYPE %I.%I'', n.nspname, o.typname) AS target, '''' AS part, o.oid
        FROM touched t JOIN pg_catalog.pg_type o ON o.oid = t.objid JOIN pg_catalog.pg_namespace n ON n.oid = o.typnamespace LEFT JOIN pg_catalog.pg_class k ON k.oid = o.typrelid
        WHERE t.classid = ''pg_catalog.pg_type''::pg_catalog.regclass AND o.typtype IN (''b'', ''d'', ''e'', ''r'', ''c'') AND (k.relkind IS NULL OR k.relkind = ''c'') AND NOT (o.typelem <> 0 AND o.typlen = -1) AND NOT pg_catalog.starts_with(n.nspname::text, ''pg_'') AND n.nspname NOT IN (''information_schema'', ''pgsteward'')
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = ''pg_catalog.pg_type''::pg_catalog.regclass AND e.objid = o.oid AND e.objsubid = 0
            AND e.refclassid = ''pg_catalog.pg_extension''::pg_catalog.regclass AND e.deptype = ''e'')
      UNION ALL SELECT ''schema'' AS kind, ''''::text AS schema, o.nspname::text AS name, NULL::text AS second,
          o.nspowner AS owner, coalesce(o.nspacl, pg_catalog.acldefault(''n'', o.nspowner)) AS acl, pg_catalog.format(''SCHEMA %I'', o.nspname) AS target, '''' AS part, o.oid
        FROM touched t JOIN pg_catalog.pg_namespace o ON o.oid = t.objid 
        WHERE t.classid = ''pg_catalog.pg_namespace''::pg_catalog.regclass AND NOT pg_catalog.starts_with(o.nspname::text, ''pg_'') AND o.nspname NOT IN (''information_schema'', ''pgsteward'')
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = ''pg_catalog.pg_namespace''::pg_catalog.regclass AND e.objid = o.oid AND e.objsubid = 0
            AND e.refclassid = ''pg_catalog.pg_extension''::pg_catalog.regclass AND e.deptype = ''e'')
      UNION ALL SELECT ''language'' AS kind, ''''::text AS schema, o.lanname::text AS name, NULL::text AS second,
          o.lanowner AS owner, coalesce(o.lanacl, pg_catalog.acldefault(''l'', o.lanowner)) AS acl, pg_catalog.format(''LANGUAGE %I'', o.lanname) AS target, '''' AS part, o.oid
        FROM touched t JOIN pg_catalog.pg_language o ON o.oid = t.objid 
        WHERE t.classid = ''pg_catalog.pg_language''::pg_catalog.regclass AND o.lanpltrusted
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = ''pg_catalog.pg_language''::pg_catalog.regclass AND e.objid = o.oid AND e.objsubid = 0
            AND e.refclassid = ''pg_catalog.pg_extension''::pg_catalog.regclass AND e.deptype = ''e'')
      UNION ALL SELECT ''foreign_data_wrapper'' AS kind, ''''::text AS schema, o.fdwname::text AS name, NULL::text AS second,
          o.fdwowner AS owner, coalesce(o.fdwacl, pg_catalog.acldefault(''F'', o.fdwowner)) AS acl, pg_catalog.format(''FOREIGN DATA WRAPPER %I'', o.fdwname) AS target, '''' AS part, o.oid
        FROM touched t JOIN pg_catalog.pg_foreign_data_wrapper o ON o.oid = t.objid 
        WHERE t.classid = ''pg_catalog.pg_foreign_data_wrapper''::pg_catalog.regclass AND true
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = ''pg_catalog.pg_foreign_data_wrapper''::pg_catalog.regclass AND e.objid = o.oid AND e.objsubid = 0
            AND e.refclassid = ''pg_catalog.pg_extension''::pg_catalog.regclass AND e.deptype = ''e'')
      UNION ALL SELECT ''foreign_server'' AS kind, ''''::text AS schema, o.srvname::text AS name, NULL::text AS second,
          o.srvowner AS owner, coalesce(o.srvacl, pg_catalog.acldefault(''S'', o.srvowner)) AS acl, pg_catalog.format(''FOREIGN SERVER %I'', o.srvname) AS target, '''' AS part, o.oid
        FROM touched t JOIN pg_catalog.pg_foreign_server o ON o.oid = t.objid 
        WHERE t.classid = ''pg_catalog.pg_foreign_server''::pg_catalog.regclass AND true
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = ''pg_catalog.pg_foreign_server''::pg_catalog.regclass AND e.objid = o.oid AND e.objsubid = 0
            AND e.refclassid = ''pg_catalog.pg_extension''::pg_catalog.regclass AND e.deptype = ''e'')
    ), object AS MATERIALIZED (
      SELECT w.*, pg_catalog.row_number() OVER () AS id FROM (SELECT * FROM whole UNION ALL SELECT ''column'', w.schema, w.name, a.attname::text, w.owner, coalesce(a.attacl, pg_catalog.acldefault(''c'', w.owner)), w.target, pg_catalog.format('' (%I)'', a.attname), w.oid
        FROM whole w JOIN pg_catalog.pg_attribute a ON a.attrelid = w.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE w.kind = ''table'' AND EXISTS (SELECT FROM pgsteward.trigger_rule WHERE kind = ''column'')) w
    ), best AS (
      SELECT o.id, r.*, r.implied OR r.rank = pg_catalog.max(r.rank) FILTER (WHERE NOT r.implied) OVER (PARTITION BY o.id, r.role) AS counts,
        pg_catalog.bool_or(NOT r.implied) OVER (PARTITION BY o.id, r.role) AS named
      FROM object o CROSS JOIN LATERAL (SELECT r.role, r.implied, r.rank, r.privileges, r.options FROM pgsteward.trigger_rule r
        WHERE r.place = ANY (ARRAY[o.kind || '' '' || o.schema || '' '' || o.name, o.kind || '' '' || o.schema || '' *'', o.kind || '' * '' || o.name, o.kind || '' * *'',
            ''* '' || o.kind || '' '' || o.schema, ''* '' || o.kind || '' *'', ''** '' || o.kind])
          AND r.kind = o.kind AND CASE WHEN r.wide THEN o.schema LIKE r.schema ELSE r.schema IN (o.schema, ''*'') END
          AND CASE WHEN r.glob OR r.wide THEN o.name LIKE r.name ELSE r.name IN (o.name, ''*'') END
          AND (r.second IS NULL OR CASE WHEN r.kind = ''column'' AND (r.glob OR r.wide) THEN o.second LIKE r.second ELSE o.second = r.second END)) r
    ), entry AS (
      -- A rule that gives nothing still names the object.
      SELECT b.id, b.role, p.privilege, CASE WHEN b.counts THEN coalesce(p.option, false) END AS wanted, NULL::boolean AS held, NULL::boolean AS by_owner, b.named
      FROM best b LEFT JOIN LATERAL ROWS FROM (pg_catalog.unnest(b.privileges), pg_catalog.unnest(b.options)) AS p(privilege, option) ON true
      UNION ALL SELECT o.id, CASE WHEN x.grantee = 0 THEN ''public'' ELSE pg_catalog.pg_get_userbyid(x.grantee)::text END, x.privilege_type,
        NULL, x.is_grantable, x.grantor = o.owner, NULL
      FROM object o CROSS JOIN LATERAL pg_catalog.aclexplode(o.acl) x WHERE x.grantee <> o.owner
    ), difference AS MATERIALIZED (
      SELECT f.*, f.held IS NOT NULL AND (f.wanted IS NULL OR f.held AND NOT f.wanted) AND (f.mode = ''exact'' OR f.mode = ''named'' AND f.named) AS extra
      -- A lookup for each row: as a join, all else was done again for each role. A copy of the database has rules that were meant for another.
      FROM (SELECT a.id, a.role, a.privilege, pg_catalog.bool_or(a.wanted) AS wanted, pg_catalog.bool_or(a.held) AS held, pg_catalog.bool_and(a.by_owner) AS by_owner,
            pg_catalog.bool_or(pg_catalog.bool_or(a.named)) OVER (PARTITION BY a.id, a.role) AS named,
            (SELECT s.mode FROM pgsteward.trigger_subject s WHERE s.role = a.role
              AND s.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())) AS mode
          FROM entry a GROUP BY a.id, a.role, a.privilege) f
      WHERE f.mode IS NOT NULL AND f.privilege IN (''CREATE'', ''CONNECT'', ''TEMPORARY'', ''USAGE'', ''SELECT'', ''INSERT'', ''UPDATE'', ''DELETE'', ''TRUNCATE'', ''REFERENCES'', ''TRIGGER'', ''MAINTAIN'', ''EXECUTE'', ''SET'', ''ALTER SYSTEM'')
    ), change AS (
      SELECT o.target, o.part <> '''' AS columns, d.role, d.wanted AS option, pg_catalog.string_agg(d.privilege || o.part, '', '' ORDER BY o.part, d.privilege) AS privileges
      FROM difference d JOIN object o ON o.id = d.id
      WHERE CASE WHEN d.wanted IS NULL THEN d.extra AND d.by_owner AND NOT d.held
        ELSE (d.held IS NULL OR d.wanted AND NOT d.held
          -- A REVOKE on a table takes the privileges on its columns with it.
          OR o.part <> '''' AND EXISTS (SELECT FROM difference t JOIN object w ON w.id = t.id WHERE w.part = '''' AND w.target = o.target
            AND t.role = d.role AND t.privilege = d.privilege AND t.wanted IS NULL AND t.extra AND t.by_owner AND NOT t.held))
          AND (d.role = ''public'' OR EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = d.role AND r.oid <> o.owner)) END
      GROUP BY 1, 2, 3, 4
    )
    SELECT pg_catalog.array_agg(CASE WHEN g.option IS NULL THEN pg_catalog.format(''REVOKE %s ON %s FROM %s'', g.privileges, g.target, g.roles)
          ELSE pg_catalog.format(''GRANT %s ON %s TO %s%s'', g.privileges, g.target, g.roles, CASE WHEN g.option THEN '' WITH GRANT OPTION'' ELSE '''' END) END
          ORDER BY CASE WHEN g.option IS NULL THEN CASE WHEN g.columns THEN 2 ELSE 3 END WHEN g.columns THEN 4 ELSE 1 END),
        EXISTS (SELECT FROM difference d WHERE d.extra AND (NOT d.by_owner OR d.held))
      INTO statements, rest
      FROM (SELECT c.target, c.columns, c.option, c.privileges,
            pg_catalog.string_agg(CASE WHEN c.role = ''public'' THEN ''PUBLIC'' ELSE pg_catalog.quote_ident(c.role) END, '', '' ORDER BY c.role) AS roles
          FROM change c GROUP BY 1, 2, 3, 4) g;
    -- A GRANT holds locks until the transaction ends, and the server has not many more than this.
    IF tg_tag = ''ALTER SCHEMA'' AND pg_catalog.cardinality(statements) > 1000 THEN
      statements := NULL;
      rest := true;
    END IF;
  END IF;
  IF statements IS NOT NULL THEN
    earlier := pg_catalog.current_setting(''pgsteward.applying'', true);
    PERFORM pg_catalog.set_config(''pgsteward.applying'', ''on'', true);
    FOREACH statement IN ARRAY statements LOOP
      EXECUTE statement;
    END LOOP;
    PERFORM pg_catalog.set_config(''pgsteward.applying'', coalesce(earlier, ''''), true);
  END IF;
  IF rest THEN
    IF pg_catalog.current_setting(''max_prepared_transactions'') = ''0'' AND pg_catalog.pg_notification_queue_usage() < 0.5 THEN
      PERFORM pg_catalog.pg_notify(''pgsteward'', '''');
    END IF;
  END IF;
EXCEPTION WHEN OTHERS THEN
  BEGIN
    RAISE LOG ''pgsteward: the rules of % were not applied at once: % (%)'', tg_tag, SQLERRM, SQLSTATE;
    -- All together were undone with the one that failed: each by itself, so that it stays the only one. A lock is not waited for again.
    FOREACH statement IN ARRAY CASE WHEN SQLSTATE = ''55P03'' THEN ''{}'' ELSE coalesce(statements, ''{}'') END LOOP
      BEGIN
        PERFORM pg_catalog.set_config(''pgsteward.applying'', ''on'', true);
        EXECUTE statement;
        PERFORM pg_catalog.set_config(''pgsteward.applying'', coalesce(earlier, ''''), true);
      EXCEPTION
        WHEN lock_not_available THEN EXIT;
        WHEN OTHERS THEN RAISE LOG ''pgsteward: left to the next cycle: % (%)'', SQLERRM, SQLSTATE;
      END;
    END LOOP;
    IF pg_catalog.current_setting(''max_prepared_transactions'') = ''0'' AND pg_catalog.pg_notification_queue_usage() < 0.5 THEN
      PERFORM pg_catalog.pg_notify(''pgsteward'', '''');
    END IF;
  EXCEPTION WHEN OTHERS THEN
    RAISE LOG ''pgsteward: %: % (%)'', tg_tag, SQLERRM, SQLSTATE;
  END;
END';
CREATE OR REPLACE FUNCTION pgsteward.notify_drift() RETURNS event_trigger LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp SET client_min_messages = error AS '
BEGIN
  -- Only our own admin''s word counts: nobody else can hide a change by setting the parameter.
  IF pg_catalog.current_setting(''pgsteward.applying'', true) = ''on'' AND ''postgres'' IN (current_user, session_user) THEN
    RETURN;
  END IF;
  IF pg_catalog.current_setting(''max_prepared_transactions'') = ''0'' AND pg_catalog.pg_notification_queue_usage() < 0.5 THEN
      PERFORM pg_catalog.pg_notify(''pgsteward'', '''');
    END IF;
EXCEPTION WHEN OTHERS THEN
  RAISE LOG ''pgsteward: %: % (%)'', tg_tag, SQLERRM, SQLSTATE;
END';
REVOKE ALL ON FUNCTION pgsteward.apply_rules() FROM PUBLIC;
REVOKE ALL ON FUNCTION pgsteward.notify_drift() FROM PUBLIC;
REVOKE ALL ON FUNCTION pgsteward.refuse_others() FROM PUBLIC;
DO LANGUAGE plpgsql $close$
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
END $close$;
DROP EVENT TRIGGER IF EXISTS pgsteward_objects;
CREATE EVENT TRIGGER pgsteward_objects ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'ALTER TABLE', 'CREATE VIEW', 'ALTER VIEW', 'CREATE MATERIALIZED VIEW', 'ALTER MATERIALIZED VIEW', 'CREATE FOREIGN TABLE', 'ALTER FOREIGN TABLE', 'CREATE SEQUENCE', 'ALTER SEQUENCE', 'CREATE TABLE AS', 'SELECT INTO', 'CREATE FUNCTION', 'ALTER FUNCTION', 'CREATE PROCEDURE', 'ALTER PROCEDURE', 'CREATE AGGREGATE', 'ALTER AGGREGATE', 'ALTER ROUTINE', 'CREATE TYPE', 'ALTER TYPE', 'CREATE DOMAIN', 'ALTER DOMAIN', 'CREATE SCHEMA', 'ALTER SCHEMA', 'CREATE LANGUAGE', 'ALTER LANGUAGE', 'CREATE FOREIGN DATA WRAPPER', 'ALTER FOREIGN DATA WRAPPER', 'CREATE SERVER', 'ALTER SERVER', 'IMPORT FOREIGN SCHEMA') EXECUTE FUNCTION pgsteward.apply_rules();
DROP EVENT TRIGGER IF EXISTS pgsteward_drift;
CREATE EVENT TRIGGER pgsteward_drift ON ddl_command_end WHEN TAG IN ('GRANT', 'REVOKE', 'ALTER DEFAULT PRIVILEGES', 'ALTER LARGE OBJECT', 'DROP OWNED', 'ALTER TABLE', 'ALTER VIEW', 'ALTER MATERIALIZED VIEW', 'ALTER FOREIGN TABLE', 'ALTER SEQUENCE', 'ALTER FUNCTION', 'ALTER PROCEDURE', 'ALTER AGGREGATE', 'ALTER ROUTINE', 'ALTER TYPE', 'ALTER DOMAIN', 'ALTER SCHEMA', 'ALTER LANGUAGE', 'ALTER FOREIGN DATA WRAPPER', 'ALTER SERVER') EXECUTE FUNCTION pgsteward.notify_drift();
INSERT INTO pgsteward.trigger_subject (role, mode, database) SELECT x.role, x.mode, d.oid
     FROM jsonb_to_recordset('[{"role":"kafka","mode":"exact"}]') AS x(role text, mode text)
     JOIN pg_database d ON d.datname = current_database() ON CONFLICT (role) DO UPDATE SET mode = excluded.mode, database = excluded.database;
INSERT INTO pgsteward.trigger_rule (key, role, kind, schema, name, second, glob, wide, implied, rank, privileges, options) SELECT key, role, kind, schema, name, second, glob, wide, implied, rank, privileges, options FROM jsonb_to_recordset('[{"role":"kafka","kind":"table","schema":"sales","name":"*","second":null,"glob":false,"wide":false,"implied":false,"rank":[0,1,1,1],"privileges":["SELECT"],"options":[false],"key":"HOwd38ca3Q2V3uYpJ8UcB1"}]')
     AS x(key text, role text, kind text, schema text, name text, second text, glob boolean, wide boolean, implied boolean, rank int[], privileges text[], options boolean[]);
