// Advice: SQL that somebody with more rights runs for us, as psql takes it. The one place where SQL of a notice is made.
import type { Catalog, ServerFacts } from '../model/catalog.ts';
import { type Change, databaseOf } from './change.ts';
import { type AdvisedKind, CHANGE_KINDS, definitionOf, isAdvised } from './table.ts';
import { reachOf } from '../model/reach.ts';
import { identifier, literal, respelled, type Sql, sql } from '../sql/sql-text.ts';
import { showChange } from './shown.ts';

/** Advices that are no change that somebody else makes. */
const OTHERS = [
  'createrole',
  'administer',
  'act_as',
  'allow_connections',
  'revoke_dependents',
  'revoke_demoted',
  'list_owned',
  'keep_privileges',
  'keep_memberships',
] as const;

export type AdviceKind = AdvisedKind | (typeof OTHERS)[number];

/** What an advice is for; each has a test that runs it. */
export const ADVICE_KINDS: readonly AdviceKind[] = [...CHANGE_KINDS.filter(isAdvised), ...OTHERS];

declare const made: unique symbol;

export interface Advice {
  readonly kind: AdviceKind;
  /** Statements with their semicolons: what works in a transaction only brings its own. */
  readonly sql: string;
  /** Where it has to be run; empty where any database will do. */
  readonly database: string;
  readonly as: 'superuser' | 'anybody';
  /** Nothing but the functions here makes one. */
  readonly [made]: true;
}

/** The change as a superuser makes it; undefined where that is not advised. */
export function adviceFor(change: Change, { major, admin }: Pick<ServerFacts, 'major' | 'admin'>): Advice | undefined {
  if (!isAdvised(change.kind)) return undefined;
  // Without a grantor of its own: what it revokes is somebody else's, and is said to be. In our own schemas it finds what we put there.
  const statements = showChange(asSuperuser(change), { major, grantor: '', trusted: admin });
  return statements.length === 0 ? undefined : advice(change.kind, statements, databaseOf(change));
}

const asSuperuser = (change: Change): Change => definitionOf(change).asSuperuser?.(change) ?? change;

/** Everything that others hold from the role, for all that they passed on themselves goes with it. */
export function revokeDependents(change: Change & { kind: 'revoke_privilege' }, major: number): Advice {
  const theirs = { ...change, dependents: [], optionOnly: false, cascade: true, grantor: change.role, as: change.role };
  return advice(
    'revoke_dependents',
    change.dependents.flatMap((role) => showChange({ ...theirs, role }, { major, grantor: '' })),
    databaseOf(change),
  );
}

/** What a role granted before it became a superuser: a superuser's REVOKE is that of the owner. By another one. */
export function revokeDemoted(change: Change & { kind: 'revoke_privilege' }, major: number): Advice {
  const name = identifier(change.grantor);
  const statements = showChange(asSuperuser(change), { major, grantor: '' });
  return advice('revoke_demoted', [sql`ALTER ROLE ${name} NOSUPERUSER`, ...statements, sql`ALTER ROLE ${name} SUPERUSER`], databaseOf(change));
}

export const giveCreaterole = (admin: string): Advice => advice('createrole', [sql`ALTER ROLE ${identifier(admin)} CREATEROLE`]);

export const allowConnections = (database: string): Advice => advice('allow_connections', [sql`ALTER DATABASE ${identifier(database)} ALLOW_CONNECTIONS true`]);

/** The right to say who is in a role, and nothing of the role's own rights. */
export const administer = (role: string, catalog: Catalog): Advice | undefined => membership('administer', role, catalog, { admin: true });

/** The right to become a role; nothing of its rights before that. */
export const actAs = (role: string, catalog: Catalog): Advice | undefined => membership('act_as', role, catalog, { set: true });

interface Options {
  readonly admin?: boolean;
  readonly set?: boolean;
}

/** A GRANT changes the options that the grantor's earlier one gave: each that our admin has already is named. Undefined where the server refuses a circle. */
function membership(kind: AdviceKind, role: string, { server, cluster }: Catalog, wanted: Options): Advice | undefined {
  if (reachOf(cluster.memberships, role).has(server.admin)) return undefined;
  const has = cluster.memberships.filter((row) => row.role === role && row.member === server.admin && row.grantor !== server.admin);
  const word = (yes: boolean): Sql => (yes ? sql`TRUE` : sql`FALSE`);
  const admin = wanted.admin === true || has.some((row) => row.admin);
  const options = sql` WITH ADMIN ${word(admin)}, INHERIT ${word(has.some((row) => row.inherit))}, SET ${word(wanted.set === true || has.some((row) => row.set))}`;
  return advice(kind, [sql`GRANT ${identifier(role)} TO ${identifier(server.admin)}${server.major < 16 ? sql`` : options}`]);
}

/** GRANTs as the server spells them: what somebody has by a role that goes, by the owners as well. */
export const keepPrivileges = (statements: readonly string[], database: string): Advice => advice('keep_privileges', statements.map(respelled), database);

/** The same for memberships. */
export const keepMemberships = (statements: readonly string[]): Advice => advice('keep_memberships', statements);

/** What a role owns in a database. */
export function listOwned(role: string, database: string): Advice {
  const list = sql`SELECT pg_catalog.pg_describe_object(classid, objid, objsubid) FROM pg_catalog.pg_shdepend WHERE deptype = 'o' AND refobjid = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = ${literal(role)}) AND dbid IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))`;
  return { ...advice('list_owned', [list], database), as: 'anybody' };
}

/**
 * One statement stands alone, as some cannot be in a transaction. Several are done together or not at all: psql goes on after one that failed, and DROP
 * OWNED after a REASSIGN that failed would drop everything. Nor is anything found by the search_path or the role that somebody set on the database.
 */
function advice(kind: AdviceKind, statements: readonly string[], database = ''): Advice {
  const [first = ''] = statements;
  const all =
    statements.length === 1 && !first.startsWith('DO ') && !first.startsWith('SELECT ')
      ? statements
      : ['BEGIN', 'SET LOCAL ROLE NONE', 'SET LOCAL search_path = pg_catalog, pg_temp', ...statements, 'COMMIT'];
  return { kind, sql: `${all.join('; ')};`, database, as: 'superuser' } as Advice;
}
