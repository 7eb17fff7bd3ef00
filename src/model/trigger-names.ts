// What the event triggers' functions and those who install them have to agree on: the schema, the parameter, the notification, and tags of commands.
import { KINDS, OBJECT_KINDS, type ObjectKind } from './kinds.ts';

/** Where the functions live, in each database that has the event trigger. The ledger's schema is another: what it holds belongs into a dump. */
export const TRIGGER_SCHEMA = 'pgsteward_trigger';

/** The event triggers themselves. */
export const OBJECTS_TRIGGER = 'pgsteward_objects';
export const DRIFT_TRIGGER = 'pgsteward_drift';
export const TRIGGER_NAMES: readonly string[] = [OBJECTS_TRIGGER, DRIFT_TRIGGER];

/** Set to `on` by our own sessions and by the trigger itself: what they change is no drift. */
export const APPLYING = 'pgsteward.applying';
/** Listeners hear on it that there is something to look at; it carries nothing else, as anybody may listen. */
export const CHANNEL = 'pgsteward';

/** A transaction with a notification cannot be prepared for two-phase commit, and one more in a full queue fails: then nobody is told. */
export const NOTIFY = `IF pg_catalog.current_setting('max_prepared_transactions') = '0' AND pg_catalog.pg_notification_queue_usage() < 0.5 THEN
      PERFORM pg_catalog.pg_notify('${CHANNEL}', '');
    END IF;`;

const both = (...kinds: readonly ObjectKind[]): readonly string[] =>
  kinds.flatMap((kind) => KINDS[kind].commands ?? []).flatMap((name) => [`CREATE ${name}`, `ALTER ${name}`]);
const rest = (inSchema: boolean): readonly ObjectKind[] =>
  OBJECT_KINDS.filter((kind) => !['table', 'sequence', 'function'].includes(kind) && (KINDS[kind].scope === 'schema') === inSchema);

/** Commands that make or alter relations and nothing else that has privileges. */
export const RELATIONS: readonly string[] = [...both('table', 'sequence'), 'CREATE TABLE AS', 'SELECT INTO'];
/** The same for functions. */
export const ROUTINES: readonly string[] = [...both('function'), 'ALTER ROUTINE'];
/** `CREATE SCHEMA … CREATE TABLE` and IMPORT FOREIGN SCHEMA are one event with a tag of their own, whatever they create. */
export const OTHERS: readonly string[] = [...both(...rest(true), ...rest(false)), 'IMPORT FOREIGN SCHEMA'];
