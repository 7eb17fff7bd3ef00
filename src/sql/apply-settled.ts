// The short way of the event trigger: what was settled beforehand for new relations that nobody was granted anything on yet.
import { APPLYING, RELATIONS, TRIGGER_SCHEMA } from '../model/trigger-names.ts';
import { isNewTag, tagIs } from './trigger-tags.ts';
import { notSystem } from './stored.ts';

const rulesAt = (...path: readonly string[]): string => `${TRIGGER_SCHEMA}.rules(${path.join(', ')})`;
const settledAt = (schema: string): string => rulesAt(`'settled'`, 'pg_catalog.current_database()', 'made.kind', schema);

/** A view may be put in the place of one that an extension made. */
const TAGS = RELATIONS.filter((tag) => isNewTag(tag) && tag !== 'CREATE VIEW');

/** Whatever stands in the rules, only a GRANT of words to quoted names is run: anything else is no statement, which the long way follows. */
const NAME = `(?:PUBLIC|(?:U&)?"(?:[^"]|"")+")`;
const COMMAND = `CASE WHEN command ~ '^GRANT [A-Z]+(?:, [A-Z]+)* ON (?:TABLE|SEQUENCE) %s TO %s(?: WITH GRANT OPTION)?$' AND grantees ~ '^${NAME}(?:, ${NAME})*$'
          THEN pg_catalog.format(command, made.identity, grantees) END`;

/** Runs what is in `statements`, by which the trigger hears nothing of itself. */
export const RUN_STATEMENTS = `IF statements IS NOT NULL THEN
      earlier := pg_catalog.current_setting('${APPLYING}', true);
      PERFORM pg_catalog.set_config('${APPLYING}', 'on', true);
      FOREACH statement IN ARRAY statements LOOP
        EXECUTE statement;
      END LOOP;
      PERFORM pg_catalog.set_config('${APPLYING}', coalesce(earlier, ''), true);
    END IF;`;

/** What it needs of variables. */
export const SETTLED_VARIABLES = `
  made record;
  seen text[];
  settled jsonb;
  command text;
  grantees text;
  waited boolean := false;`;

/**
 * A block of its own, which returns where everything is done. Nothing is done in it where anything is not as usual: another command, an object with an ACL, a name that a rule
 * says, an owner who would be granted something, a schema that was not settled. What fails in it is undone, and the long way goes round roles that are not there any longer;
 * only for a lock nobody waits twice. One short query and few expressions, as a session prepares each of them anew in each transaction: a query that finds all takes twice as long.
 */
export const applySettled = (): string => `
  <<short>>
  BEGIN
    IF NOT (${tagIs(TAGS)}) THEN EXIT short; END IF;
    FOR made IN
      SELECT c.object_identity AS identity, c.schema_name AS schema, o.relname::text AS name, CASE o.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END AS kind,
          o.relacl IS NULL AS fresh, pg_catalog.pg_get_userbyid(o.relowner)::text AS owner
        FROM pg_catalog.pg_event_trigger_ddl_commands() c JOIN pg_catalog.pg_class o ON o.oid = c.objid
        -- Temporary objects are nobody else's business.
        WHERE c.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND NOT c.in_extension AND c.schema_name IS DISTINCT FROM 'pg_temp'
          AND o.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND ${notSystem('c.schema_name')}
    LOOP
      CONTINUE WHEN made.identity = ANY (seen);
      seen := seen || made.identity;
      settled := coalesce(${settledAt('made.schema')}, ${settledAt(`'*'`)});
      IF NOT made.fresh OR settled IS NULL OR settled ? 'unusual'
          OR ${rulesAt(`'exact'`, 'made.kind', 'made.schema', 'made.name')} IS NOT NULL OR ${rulesAt(`'exact'`, 'made.kind', `'*'`, 'made.name')} IS NOT NULL THEN
        EXIT short;
      END IF;
      settled := settled -> 'rest' || coalesce(settled #> ARRAY['at', pg_catalog.left(made.name, 1)], '[]');
      command := NULL;
      FOR number IN 0 .. pg_catalog.jsonb_array_length(settled) - 1 LOOP
        CONTINUE WHEN made.name NOT LIKE (settled -> number ->> 'name');
        IF settled -> number ? 'unless' OR settled -> number -> 'roles' ? made.owner THEN
          CONTINUE WHEN made.name LIKE ANY (ARRAY(SELECT pg_catalog.jsonb_array_elements_text(settled -> number -> 'unless')));
          IF settled -> number -> 'roles' ? made.owner THEN
            EXIT short;
          END IF;
        END IF;
        IF settled -> number ->> 'grant' = command THEN
          grantees := grantees || ', ' || (settled -> number ->> 'to');
        ELSE
          IF command IS NOT NULL THEN
            statements := statements || ${COMMAND};
          END IF;
          command := settled -> number ->> 'grant';
          grantees := settled -> number ->> 'to';
        END IF;
      END LOOP;
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
