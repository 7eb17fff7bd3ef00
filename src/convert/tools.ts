// What the converters of all tools share: what they are told, and what becomes of default privileges.
import type { Draft } from './draft.ts';
import { EVERY, grant, type Grants, type SchemaKind } from './grants.ts';

export interface Context {
  /** The database that a tool of one database is about; undefined: the one that `DB_NAME` says. */
  readonly database: string | undefined;
}

const KINDS: Readonly<Record<string, SchemaKind>> = {
  table: 'tables',
  tables: 'tables',
  view: 'tables',
  materialized_view: 'tables',
  sequence: 'sequences',
  sequences: 'sequences',
  function: 'functions',
  functions: 'functions',
  procedure: 'functions',
  procedures: 'functions',
  routine: 'functions',
  routines: 'functions',
  type: 'types',
  types: 'types',
};

/** The kind that a tool's word means, in any case. */
export const kindOf = (word: string): SchemaKind | undefined => (Object.hasOwn(KINDS, word.toLowerCase()) ? KINDS[word.toLowerCase()] : undefined);

export interface DefaultPrivilege {
  readonly subject: string;
  /** Whose they are; undefined for everybody's. */
  readonly role: string | undefined;
  readonly grants: Grants;
  readonly database: string | undefined;
  /** undefined: in every schema. */
  readonly schema: string | undefined;
  /** Who makes the objects. */
  readonly owner: string | undefined;
  readonly type: string;
  readonly privileges: readonly string[];
  readonly isGrantable?: boolean;
}

/** Default privileges become a grant on `'*'`, which means what is there as well, and its owner somebody who creates objects there. */
export function toCome(draft: Draft, { subject, role, grants, database, schema, owner, type, privileges, isGrantable = false }: DefaultPrivilege): void {
  const kind = kindOf(type);
  if (kind === undefined)
    return draft.leave(role ?? '', `default privileges on ${type === '' ? 'nothing' : type} have no like here; name the schemas in the document`, subject);
  if (privileges.length === 0) return draft.remark(subject, 'left out: it takes default privileges away; what a document does not give, its roles do not have');
  grant(grants, database, { kind, schema: schema ?? EVERY, pattern: EVERY }, privileges, isGrantable);
  if (owner === undefined) return;
  if (database === undefined)
    draft.remark(subject, `${owner} creates objects there: write it into \`createdBy\` of the database's entry, or give the database with --database`);
  else draft.database(database).createdBy.add(owner);
}
