// The short way of the event trigger: what was settled beforehand for new relations that nobody was granted anything on yet.
import { RELATIONS, TRIGGER_SCHEMA } from '../model/trigger-names.ts';
import { isNewTag, tagIs } from './trigger-tags.ts';
import { notSystem } from './stored.ts';

const rulesAt = (...path: readonly string[]): string => `${TRIGGER_SCHEMA}.rules(${path.join(', ')})`;
const settledAt = (schema: string): string => rulesAt(`'settled'`, 'pg_catalog.current_database()', 'made.kind', schema);

/** A view may be put in the place of one that an extension made. */
const TAGS = RELATIONS.filter((tag) => isNewTag(tag) && tag !== 'CREATE VIEW');

/**
 * Whatever stands in the rules, only a GRANT of words to quoted names is run: anything else is no statement, which the long way follows. Of words alone, and with one
 * object, there is no other GRANT. JSON without a backslash quotes its texts as SQL does names. An expression like those of patterns takes longer than all else here.
 */
const COMMAND = `CASE WHEN pg_catalog.starts_with(command, 'GRANT ') AND pg_catalog.translate(command, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ, ', '') = '%s%s'
            AND pg_catalog.substr(command, pg_catalog.strpos(command, ' ON ')) IN (${['TABLE', 'SEQUENCE'].flatMap((word) => ['', ' WITH GRANT OPTION'].map((option) => `' ON ${word} %s TO %s${option}'`)).join(', ')}) AND grantees IS NOT NULL
          THEN pg_catalog.format(command, made.identity, pg_catalog.substr(grantees, 3)) END`;
const NAME = `(?:PUBLIC|(?:U&)?"(?:[^"]|"")+")`;
const GRANTEES = `CASE WHEN settled -> number ? 'to' THEN CASE WHEN settled -> number ->> 'to' ~ '^${NAME}(?:, ${NAME})*$' THEN settled -> number ->> 'to' END
            WHEN pg_catalog.strpos(settled -> number ->> 'roles', pg_catalog.chr(92)) = 0 THEN pg_catalog.btrim(settled -> number ->> 'roles', '[]') END`;

/** Runs what is in `statements`. */
export const RUN_STATEMENTS = `IF statements IS NOT NULL THEN
      FOREACH statement IN ARRAY statements LOOP
        EXECUTE statement;
      END LOOP;
    END IF;`;

/** What it needs of variables. */
export const SETTLED_VARIABLES = `
  made record;
  settled jsonb;
  held jsonb;
  command text;
  grantees text;
  waited boolean := false;`;

/**
 * What our roles were given by default privileges, as \`held\`: who, by the GRANT that would have given it; and what others than the owner granted as what no GRANT of ours is.
 * Whoever is in no rule is nobody of ours, and keeps what he has.
 */
const HELD = `SELECT pg_catalog.jsonb_object_agg(h.given, h.roles) INTO held
        FROM (SELECT g.given, pg_catalog.jsonb_agg(g.role) AS roles
          FROM (SELECT e.role, pg_catalog.concat(CASE WHEN pg_catalog.bool_and(e.grantor = made.owner_id) THEN 'GRANT ' END, pg_catalog.string_agg(e.privilege, ', ' ORDER BY e.privilege COLLATE "C"),
                ' ON ', pg_catalog.upper(made.kind COLLATE "C"), ' %s TO %s', CASE WHEN e.option THEN ' WITH GRANT OPTION' END) AS given
            FROM (SELECT CASE WHEN x.grantee = 0 THEN 'public' ELSE pg_catalog.pg_get_userbyid(x.grantee)::text END AS role, x.privilege_type AS privilege, x.is_grantable AS option, x.grantor
              FROM pg_catalog.aclexplode(made.acl) x WHERE x.grantee <> made.owner_id) e
            GROUP BY e.role, e.option HAVING ${rulesAt(`'role'`, 'e.role')} IS NOT NULL) g
          GROUP BY g.given) h;`;

/**
 * A block of its own, which returns where everything is done. Nothing is done in it where anything is not as usual: another command, an ACL that is not what default privileges of ours give, a name that a rule
 * says, an owner who would be granted something, a schema that was not settled. What fails in it is undone, and the long way goes round roles that are not there any longer;
 * only for a lock nobody waits twice. One short query and few expressions, as a session prepares each of them anew in each transaction: a query that finds all takes twice as long.
 */
export const applySettled = (): string => `
  <<short>>
  BEGIN
    IF NOT (${tagIs(TAGS)}) THEN EXIT short; END IF;
    FOR made IN
      SELECT c.object_identity AS identity, c.schema_name AS schema, o.relname::text AS name, CASE o.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END AS kind,
          o.relacl AS acl, o.relowner AS owner_id, pg_catalog.pg_get_userbyid(o.relowner)::text AS owner
        FROM pg_catalog.pg_event_trigger_ddl_commands() c JOIN pg_catalog.pg_class o ON o.oid = c.objid
        -- Temporary objects are nobody else's business, and what is altered within the command was made by it.
        WHERE c.command_tag NOT LIKE 'ALTER %' AND c.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND NOT c.in_extension AND c.schema_name IS DISTINCT FROM 'pg_temp'
          AND o.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND ${notSystem('c.schema_name')}
    LOOP
      settled := coalesce(${settledAt('made.schema')}, ${settledAt(`'*'`)});
      IF settled IS NULL OR settled ? 'unusual' OR settled ? 'named'
          AND (${rulesAt(`'exact'`, 'made.kind', 'made.schema', 'made.name')} IS NOT NULL OR ${rulesAt(`'exact'`, 'made.kind', `'*'`, 'made.name')} IS NOT NULL) THEN
        EXIT short;
      END IF;
      settled := settled -> 'rest' || coalesce(settled #> ARRAY['at', pg_catalog.left(made.name, 1)], '[]');
      command := NULL;
      IF made.acl IS NOT NULL THEN
        ${HELD}
      END IF;
      FOR number IN 0 .. pg_catalog.jsonb_array_length(settled) - 1 LOOP
        CONTINUE WHEN made.name NOT LIKE (settled -> number ->> 'name');
        IF settled -> number ? 'unless' OR settled -> number -> 'roles' ? made.owner OR held IS NOT NULL THEN
          CONTINUE WHEN made.name LIKE ANY (ARRAY(SELECT pg_catalog.jsonb_array_elements_text(settled -> number -> 'unless')));
          IF settled -> number -> 'roles' ? made.owner THEN
            EXIT short;
          END IF;
          IF held -> (settled -> number ->> 'grant') @> (settled -> number -> 'roles') THEN
            held := CASE pg_catalog.jsonb_array_length(held -> (settled -> number ->> 'grant')) WHEN pg_catalog.jsonb_array_length(settled -> number -> 'roles')
              THEN held - (settled -> number ->> 'grant')
              ELSE pg_catalog.jsonb_set(held, ARRAY[settled -> number ->> 'grant'], (held -> (settled -> number ->> 'grant'))
                - ARRAY(SELECT pg_catalog.jsonb_array_elements_text(settled -> number -> 'roles'))) END;
            CONTINUE;
          END IF;
        END IF;
        IF settled -> number ->> 'grant' IS DISTINCT FROM command THEN
          IF command IS NOT NULL THEN
            statements := statements || ${COMMAND};
          END IF;
          command := settled -> number ->> 'grant';
          grantees := '';
        END IF;
        -- None of them where one is not as it should be.
        grantees := grantees || ', ' || ${GRANTEES};
      END LOOP;
      -- Something that is not settled. An empty one is as good as none for the next object.
      IF held <> '{}' THEN
        EXIT short;
      END IF;
      IF command IS NOT NULL THEN
        statements := statements || ${COMMAND};
      END IF;
    END LOOP;
    ${RUN_STATEMENTS}
    RETURN;
  EXCEPTION
    WHEN lock_not_available THEN waited := true;
    WHEN OTHERS THEN NULL;
  END short;
  statements := NULL;`;
