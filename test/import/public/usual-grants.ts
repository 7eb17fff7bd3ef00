// Roles and grants as the database of an application has them after some years: by hand, by scripts, and by those who left.

/** Made once for a server. */
export const rolesSql = `
  CREATE ROLE app_owner LOGIN; CREATE ROLE app_rw; CREATE ROLE app_ro; CREATE ROLE app_ops; CREATE ROLE auditors; CREATE ROLE former_owner;
  CREATE ROLE web LOGIN IN ROLE app_rw; CREATE ROLE worker LOGIN CONNECTION LIMIT 20 IN ROLE app_rw; CREATE ROLE migrator LOGIN;
  CREATE ROLE reporting LOGIN VALID UNTIL '2031-01-01' IN ROLE app_ro; CREATE ROLE amy LOGIN NOINHERIT IN ROLE app_ro, app_ops; CREATE ROLE bob LOGIN;
  CREATE ROLE metrics LOGIN IN ROLE pg_monitor; CREATE ROLE dumper LOGIN IN ROLE pg_read_all_data; CREATE ROLE legacy LOGIN; CREATE ROLE ci LOGIN CREATEDB;
  CREATE ROLE auditor LOGIN IN ROLE auditors; CREATE ROLE contractor LOGIN VALID UNTIL '2024-06-30';
  GRANT app_ops TO bob WITH ADMIN OPTION; GRANT app_owner TO migrator; GRANT app_rw TO app_ops;
  ALTER ROLE reporting SET statement_timeout = '5min'; ALTER ROLE web SET search_path = public, extensions; COMMENT ON ROLE legacy IS 'the importer of 2019';`;

const IN_SCHEMAS = `n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`;

/** For each schema of the application; %I is its name. */
const each = (sql: string): string => `
  DO $do$ DECLARE s text; BEGIN FOR s IN SELECT n.nspname FROM pg_namespace n WHERE ${IN_SCHEMAS} LOOP EXECUTE replace($sql$${sql}$sql$, '%I', quote_ident(s)); END LOOP; END $do$;`;

/** For each so many-th table of the application; %T is its name, %C its first column. */
const some = (every: number, sql: string): string => `
  DO $do$ DECLARE t text; c text; BEGIN FOR t, c IN
    SELECT format('%I.%I', n.nspname, o.relname), (SELECT quote_ident(attname) FROM pg_attribute a WHERE a.attrelid = o.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum LIMIT 1)
    FROM (SELECT *, row_number() OVER (ORDER BY relname) AS place FROM pg_class WHERE relkind IN ('r', 'p', 'v')) o JOIN pg_namespace n ON n.oid = o.relnamespace
    WHERE ${IN_SCHEMAS} AND o.place % ${every} = 0
  LOOP CONTINUE WHEN c IS NULL; EXECUTE replace(replace($sql$${sql}$sql$, '%T', t), '%C', c); END LOOP; END $do$;`;

/** The grants in one database. In every other one somebody makes objects who gives nothing by default. */
export const grantsSql = (database: string): string => `
  REVOKE ALL ON DATABASE "${database}" FROM PUBLIC; GRANT CONNECT ON DATABASE "${database}" TO app_rw, app_ro, app_ops, metrics, dumper, legacy, auditor;
  GRANT TEMPORARY ON DATABASE "${database}" TO app_ro; GRANT CONNECT, CREATE ON DATABASE "${database}" TO ci;
  ${each('GRANT USAGE ON SCHEMA %I TO app_rw, app_ro, app_ops, legacy; REVOKE CREATE ON SCHEMA %I FROM PUBLIC')}
  ${database.length % 2 === 0 ? each('GRANT USAGE, CREATE ON SCHEMA %I TO migrator') : ''}
  ${each('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO app_rw; GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA %I TO app_rw; GRANT SELECT ON ALL TABLES IN SCHEMA %I TO app_ro; GRANT SELECT ON ALL SEQUENCES IN SCHEMA %I TO app_ro; GRANT ALL ON ALL TABLES IN SCHEMA %I TO app_ops; GRANT USAGE ON SCHEMA %I TO app_rw, app_ro, app_ops')}
  ${each('ALTER DEFAULT PRIVILEGES FOR ROLE app_owner IN SCHEMA %I GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO app_rw; ALTER DEFAULT PRIVILEGES FOR ROLE app_owner IN SCHEMA %I GRANT USAGE, SELECT ON SEQUENCES TO app_rw; ALTER DEFAULT PRIVILEGES FOR ROLE app_owner IN SCHEMA %I GRANT SELECT ON TABLES TO app_ro; ALTER DEFAULT PRIVILEGES FOR ROLE app_owner IN SCHEMA %I GRANT SELECT ON SEQUENCES TO app_ro')}
  ALTER DEFAULT PRIVILEGES FOR ROLE app_owner GRANT ALL ON TABLES TO app_ops;
  ${some(7, 'REVOKE ALL ON %T FROM app_ro')}
  ${some(11, 'GRANT SELECT (%C), UPDATE (%C) ON %T TO auditors')}
  ${some(13, 'GRANT SELECT, REFERENCES ON %T TO legacy WITH GRANT OPTION; SET ROLE legacy; GRANT SELECT ON %T TO bob, contractor; RESET ROLE')}
  ${some(17, 'GRANT SELECT ON %T TO PUBLIC')}
  ${some(19, 'GRANT INSERT, SELECT ON %T TO ci')}
  DO $do$ DECLARE f regprocedure; BEGIN FOR f IN SELECT p.oid FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE ${IN_SCHEMAS} AND p.prokind = 'f' AND length(p.proname) % 5 = 0 LOOP
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC; GRANT EXECUTE ON FUNCTION %s TO app_rw, auditors', f, f); END LOOP; END $do$;`;
