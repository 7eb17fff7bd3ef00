// Changes of who may not log in any longer, or goes: the login, the sessions, what it owns and holds, and the role itself.
import { saysWhatToRun } from '../sql/foreign-grants.ts';
import type { Entity } from '../model/cluster.ts';
import { type Release, releaseSql } from '../sql/release-sql.ts';
import { identifier, literal } from '../sql/sql-text.ts';
import { type Advised, type Definition, neverDrift, OF_ROLE } from './definition.ts';
import { inDatabase } from './words.ts';

type DisableRole = { readonly kind: 'disable_role'; readonly role: string; readonly keep: boolean };
type EndSessions = { readonly kind: 'end_sessions'; readonly role: string; readonly sessions: number };

/** Of one that holds a lock which another change waits for. It stands beside the plan: it is known only then. */
type RollbackPrepared = { readonly kind: 'rollback_prepared'; readonly role: string; readonly database: string; readonly gid: string };
type ReleaseOwned = Release & { readonly kind: 'release_owned'; readonly database: string; readonly objects: number };
type DropRole = { readonly kind: 'drop_role'; readonly role: string; readonly entity: Entity };

export type LeavingChange = DisableRole | EndSessions | RollbackPrepared | ReleaseOwned | DropRole;

const LEAVING = { ...OF_ROLE, isDrift: neverDrift, isAdvised: true } as const;

export const disableRole: Advised<DisableRole> = {
  ...LEAVING,
  sentence: ({ role, keep }) => `disable user: ${role}${keep ? '' : ' before it is dropped'}`,
  statements: ({ role }) => [`ALTER ROLE ${identifier(role)} NOLOGIN`],
  endsHolders: 'any',
  removes: 'in turn',
  remembers: ({ keep }) => ({ what: 'status', status: keep ? 'disabled' : 'removing' }),
  login: () => false,
};

/** Ends the role's sessions and waits up to five seconds for each, so that none still holds a lock or runs DDL. */
const terminate = (role: string): string =>
  `SELECT pg_catalog.pg_terminate_backend(pid, 5000) FROM pg_catalog.pg_stat_activity WHERE usename = ${literal(role)} AND pid <> pg_catalog.pg_backend_pid()`;

export const endSessions: Advised<EndSessions> = {
  ...LEAVING,
  sentence: ({ role, sessions }) => `end ${sessions} session(s) of user: ${role}`,
  statements: ({ role }) => [terminate(role)],
  // pg_terminate_backend asks for the rights of whom the session belongs to.
  rights: ({ role }) => [role],
  runs: 'apart',
  removes: 'at once',
  loses: () => 'sessions',
  counted: ['sessions'],
};

export const rollbackPrepared: Definition<RollbackPrepared> = {
  ...OF_ROLE,
  key: ({ role, database, gid }) => [role, database, gid],
  object: ({ role, database, gid }) => `${gid} of ${role}${inDatabase(database)}`,
  database: ({ database }) => database,
  sentence: ({ role, database, gid }) => `roll back the prepared transaction ${gid} of user: ${role}${inDatabase(database)}`,
  statements: ({ gid }) => [`ROLLBACK PREPARED ${literal(gid)}`],
  loses: () => 'sessions',
  isDrift: neverDrift,
};

export const releaseOwned: Advised<ReleaseOwned> = {
  ...LEAVING,
  key: ({ role, database, moves }) => [role, database, ...(moves ? ['moves'] : [])],
  object: ({ role, database }) => `${role} in ${database}`,
  database: ({ database }) => database,
  roles: ({ role, heir }) => (heir === undefined ? [role] : [role, heir]),
  sentence: ({ role, database, heir, moves, objects }) =>
    heir === undefined
      ? `take from ${role} its privileges in database ${database} (${objects} dependencies)`
      : `reassign what ${role} owns in database ${database} to ${heir}${moves ? '' : ' and drop its privileges there'} (${objects} dependencies)`,
  statements: (change, { major }) => releaseSql(change, major),
  needs: (change) =>
    change.join.map((role) => ({
      what: 'join',
      role,
      notSuperuser: `what ${change.role} owns in ${change.database} would go to the superuser ${role}; set REASSIGN_TO to a role that pgsteward is a member of`,
    })),
  names: ({ role, heir, join, leave }) => [role, heir ?? '', ...join, ...leave],
  asSuperuser: (change) => ({ ...change, join: [], leave: [], lend: false }),
  isInVain: (_, message) => saysWhatToRun(message),
  runs: 'last',
  endsHolders: 'leaving',
  removes: 'in turn',
  counts: 'revokes',
  counted: ['objects'],
};

export const dropRole: Advised<DropRole> = {
  ...LEAVING,
  sentence: ({ entity, role }) => `drop ${entity}: ${role}`,
  // A session may have begun after the snapshot; it would outlive its role.
  statements: ({ entity, role }) => [...(entity === 'user' ? [terminate(role)] : []), `DROP ROLE ${identifier(role)}`],
  rights: ({ entity, role }) => (entity === 'user' ? [role] : []),
  runs: 'last',
  endsHolders: 'any',
  removes: 'in turn',
  remembers: () => ({ what: 'no longer ours' }),
  loses: () => 'role',
};
