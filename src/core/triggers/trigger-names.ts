// What the event triggers' functions and those who install them have to agree on: the parameter, the notification, and tags of commands.

/** Set to `on` by our own sessions and by the trigger itself: what they change is no drift. */
export const APPLYING = 'pgsteward.applying';
/** Listeners hear on it that there is something to look at; it carries nothing else, as anybody may listen. */
export const CHANNEL = 'pgsteward';

/** A transaction with a notification cannot be prepared for two-phase commit, and one more in a full queue fails: then nobody is told. */
export const NOTIFY = `IF pg_catalog.current_setting('max_prepared_transactions') = '0' AND pg_catalog.pg_notification_queue_usage() < 0.5 THEN
      PERFORM pg_catalog.pg_notify('${CHANNEL}', '');
    END IF;`;

const both = (...kinds: readonly string[]): readonly string[] => kinds.flatMap((kind) => [`CREATE ${kind}`, `ALTER ${kind}`]);

/** Commands that make or alter relations and nothing else that has privileges. */
export const RELATIONS: readonly string[] = [...both('TABLE', 'VIEW', 'MATERIALIZED VIEW', 'FOREIGN TABLE', 'SEQUENCE'), 'CREATE TABLE AS', 'SELECT INTO'];
/** The same for functions. */
export const ROUTINES: readonly string[] = [...both('FUNCTION', 'PROCEDURE', 'AGGREGATE'), 'ALTER ROUTINE'];
/** `CREATE SCHEMA … CREATE TABLE` and IMPORT FOREIGN SCHEMA are one event with a tag of their own, whatever they create. */
export const OTHERS: readonly string[] = [...both('TYPE', 'DOMAIN', 'SCHEMA', 'LANGUAGE', 'FOREIGN DATA WRAPPER', 'SERVER'), 'IMPORT FOREIGN SCHEMA'];
