// Change → SQL: one rendering for execution, for the audit log and for the advice that an administrator gets.
import { type Attributes, type Change, type GrantTarget, namesKey } from './change.ts';
import { revokeForeignGrants } from './foreign-grants.ts';
import { PUBLIC, splitName } from './privileges/contents.ts';
import { KINDS } from './privileges/kinds.ts';
import { parseList } from './setting-list.ts';
import { identifier, identifiers, literal } from './sql-text.ts';
import { installSql, removeSql, syncSql } from './triggers/trigger-sql.ts';

export interface RenderOptions {
  /** The server's major version: memberships have options and grantors from 16 on. */
  readonly major: number;
  /** The role under which our own grants are recorded (ServerFacts.grantor). */
  readonly grantor: string;
  /** The verifier to set for a role; undefined renders a placeholder, for texts that people read. */
  readonly verifierOf?: (role: string) => string | undefined;
}

/** The statements of one change, in order; empty for a change that is only remembered, or made in Kubernetes. */
export function renderChange(change: Change, options: RenderOptions): readonly string[] {
  switch (change.kind) {
    case 'adopt_role':
    case 'forget_role':
    case 'forget_privileges':
    case 'create_secret':
    case 'rotate_secret':
    case 'write_connection_secret':
      return [];
    case 'create_role':
      return [`CREATE ROLE ${identifier(change.role)}${attributesSql(creationAttributes(change.attributes))}`];
    case 'alter_role':
      return [`ALTER ROLE ${identifier(change.role)}${attributesSql(change.attributes)}`];
    case 'set_comment':
      return [`COMMENT ON ROLE ${identifier(change.role)} IS ${change.comment === null ? 'NULL' : literal(change.comment)}`];
    case 'set_setting':
      return [`${alterSettings(change)} SET ${settingName(change.name)} TO ${settingValue(change.name, change.value)}`];
    case 'reset_setting':
      return [`${alterSettings(change)} RESET ${settingName(change.name)}`];
    case 'grant_membership':
      return [grantMembership(change, [change.member], options.major)];
    case 'revoke_membership':
      return [revokeMembership(change, [change.member], options)];
    case 'grant_privilege':
      return actedAs(change.as, grantPrivilege(change, [change.role]));
    case 'revoke_privilege':
      return actedAs(change.as, revokePrivilege(change, [change.role]));
    case 'grant_default_privilege':
    case 'revoke_default_privilege':
      return actedAs(change.as, alterDefaults(change, [change.role]));
    case 'create_database':
      return [`CREATE DATABASE ${identifier(change.database)}${change.owner === undefined ? '' : ` OWNER ${identifier(change.owner)}`}`];
    case 'alter_database_owner':
      return [`ALTER DATABASE ${identifier(change.database)} OWNER TO ${identifier(change.owner)}`];
    case 'create_schema':
      return [`CREATE SCHEMA ${identifier(change.schema)}${change.owner === undefined ? '' : ` AUTHORIZATION ${identifier(change.owner)}`}`];
    case 'alter_schema_owner':
      return actedAs(change.as, `ALTER SCHEMA ${identifier(change.schema)} OWNER TO ${identifier(change.owner)}`);
    case 'create_extension':
      if (change.schema !== undefined) return [`CREATE EXTENSION ${identifier(change.extension)} SCHEMA ${identifier(change.schema)}`];
      // It goes into the first schema of the search_path, and ours begins with pg_catalog. One that has a schema of its own takes that.
      return ['SET LOCAL search_path = public, pg_temp', `CREATE EXTENSION ${identifier(change.extension)}`, 'SET LOCAL search_path = pg_catalog, pg_temp'];
    case 'install_event_trigger':
      return installSql(change);
    case 'sync_trigger_rules':
      return syncSql(change);
    case 'remove_event_trigger':
      return removeSql(change.part);
    case 'set_password':
    case 'rotate_admin_password':
      return [`ALTER ROLE ${identifier(change.role)} PASSWORD ${literal(options.verifierOf?.(change.role) ?? '********')}`];
    case 'clear_password':
      return [`ALTER ROLE ${identifier(change.role)} PASSWORD NULL`];
    case 'disable_role':
      return [`ALTER ROLE ${identifier(change.role)} NOLOGIN`];
    case 'end_sessions':
      return [endSessions(change.role)];
    case 'release_owned':
      // One transaction for both: DROP OWNED after a failed REASSIGN would drop the objects themselves.
      return [
        ...change.join.map((role) => `GRANT ${identifier(role)} TO CURRENT_USER${options.major >= 16 ? ' WITH INHERIT TRUE, SET TRUE' : ''}`),
        `REASSIGN OWNED BY ${identifier(change.role)} TO ${identifier(change.heir)}`,
        `DROP OWNED BY ${identifier(change.role)}`,
        revokeForeignGrants(change.role, options.major),
        ...change.leave.map((role) => `REVOKE ${identifier(role)} FROM CURRENT_USER`),
      ];
    case 'drop_role':
      // A session may have begun after the snapshot; it would outlive its role.
      return [...(change.entity === 'user' ? [endSessions(change.role)] : []), `DROP ROLE ${identifier(change.role)}`];
  }
}

/** Ends the role's sessions and waits up to five seconds for each, so that none still holds a lock or runs DDL. */
const endSessions = (role: string): string =>
  `SELECT pg_catalog.pg_terminate_backend(pid, 5000) FROM pg_catalog.pg_stat_activity WHERE usename = ${literal(role)} AND pid <> pg_catalog.pg_backend_pid()`;

/** The statements of a batch; neighbours that differ only in whom they concern share one statement, which is up to a hundred times faster. */
export function renderBatch(changes: readonly Change[], options: RenderOptions): readonly string[] {
  const statements: string[] = [];
  for (const group of groupNeighbours(changes)) {
    const first = group[0];
    if (first === undefined) continue;
    const members = group.map((change) => ('member' in change ? change.member : 'role' in change ? change.role : ''));
    if (group.length === 1) statements.push(...renderChange(first, options));
    else if (first.kind === 'grant_membership') statements.push(grantMembership(first, members, options.major));
    else if (first.kind === 'revoke_membership') statements.push(revokeMembership(first, members, options));
    else if (first.kind === 'grant_privilege') statements.push(...actedAs(first.as, grantPrivilege(first, members)));
    else if (first.kind === 'revoke_privilege') statements.push(...actedAs(first.as, revokePrivilege(first, members)));
    else if (first.kind === 'grant_default_privilege' || first.kind === 'revoke_default_privilege')
      statements.push(...actedAs(first.as, alterDefaults(first, members)));
  }
  return statements;
}

/** What a change shares with a neighbour of the same statement; undefined for changes that stand alone. */
export function statementKey(change: Change): string | undefined {
  const known = statementKeys.get(change);
  if (known !== undefined) return known;
  const key = newStatementKey(change);
  if (key !== undefined) statementKeys.set(change, key);
  return key;
}

/** Asked for by the order, the batches, the statements and the audit. */
const statementKeys = new WeakMap<Change, string>();

function newStatementKey(change: Change): string | undefined {
  switch (change.kind) {
    case 'grant_membership':
      return [change.kind, change.role, change.admin, change.inherit, change.set].join('\0');
    case 'revoke_membership':
      return [change.kind, change.role, change.grantor, change.adminOnly, change.cascade].join('\0');
    case 'grant_privilege':
      return [change.kind, ...targetParts(change.on), change.privileges.join(), change.grantable, change.as, namesKey(change.on.names)].join('\0');
    case 'revoke_privilege':
      return [
        change.kind,
        ...targetParts(change.on),
        change.privileges.join(),
        change.optionOnly,
        change.cascade,
        change.as,
        change.grantor,
        ...change.on.names,
      ].join('\0');
    case 'grant_default_privilege':
      return [change.kind, change.database, change.object, change.schema, change.creator, change.privileges.join(), change.grantable].join('\0');
    case 'revoke_default_privilege':
      return [change.kind, change.database, change.object, change.schema, change.creator, change.privileges.join(), change.optionOnly].join('\0');
    default:
      return undefined;
  }
}

function groupNeighbours(changes: readonly Change[]): Change[][] {
  const groups: Change[][] = [];
  let lastKey: string | undefined;
  for (const change of changes) {
    const key = statementKey(change);
    const last = groups.at(-1);
    if (key !== undefined && key === lastKey && last !== undefined) last.push(change);
    else groups.push([change]);
    lastKey = key;
  }
  return groups;
}

/** Only what differs from CREATE ROLE's own defaults: a CREATEROLE admin may not even say NOSUPERUSER. */
function creationAttributes(attributes: Attributes): Partial<Attributes> {
  return {
    ...(attributes.login ? { login: true } : {}),
    ...(attributes.inherit ? {} : { inherit: false }),
    ...(attributes.connectionLimit === -1 ? {} : { connectionLimit: attributes.connectionLimit }),
    ...(attributes.validUntil === null ? {} : { validUntil: attributes.validUntil }),
  };
}

function attributesSql(attributes: Partial<Attributes>): string {
  const word = (value: boolean | undefined, name: string): string => (value === undefined ? '' : ` ${value ? '' : 'NO'}${name}`);
  return [
    word(attributes.login, 'LOGIN'),
    word(attributes.inherit, 'INHERIT'),
    word(attributes.createdb, 'CREATEDB'),
    word(attributes.createrole, 'CREATEROLE'),
    word(attributes.bypassrls, 'BYPASSRLS'),
    attributes.connectionLimit === undefined ? '' : ` CONNECTION LIMIT ${attributes.connectionLimit}`,
    // NULL is not accepted here: once set, only infinity takes an end away.
    attributes.validUntil === undefined ? '' : ` VALID UNTIL ${literal(attributes.validUntil ?? 'infinity')}`,
  ].join('');
}

function grantMembership(change: Change & { kind: 'grant_membership' }, members: readonly string[], major: number): string {
  const grant = `GRANT ${identifier(change.role)} TO ${identifiers(members)}`;
  if (major < 16) return change.admin ? `${grant} WITH ADMIN OPTION` : grant;
  // All three are named: an existing row keeps every option that a GRANT does not mention.
  return `${grant} WITH ADMIN ${bool(change.admin)}, INHERIT ${bool(change.inherit)}, SET ${bool(change.set)}`;
}

function revokeMembership(change: Change & { kind: 'revoke_membership' }, members: readonly string[], options: RenderOptions): string {
  // Below 16 a membership has one row and GRANTED BY is ignored; from 16 on a REVOKE reaches only the rows of its own grantor.
  const by = options.major < 16 || change.grantor === options.grantor ? '' : ` GRANTED BY ${identifier(change.grantor)}`;
  return `REVOKE ${change.adminOnly ? 'ADMIN OPTION FOR ' : ''}${identifier(change.role)} FROM ${identifiers(members)}${by}${change.cascade ? ' CASCADE' : ''}`;
}

const targetParts = (on: GrantTarget): readonly string[] => [on.database, on.object, on.schema];

/** The objects as GRANT names them. Types of arguments are as the server printed them, quotes included; everything else is quoted here. */
function objects({ object, schema, names }: GrantTarget): string {
  const prefix = schema === '' ? '' : `${identifier(schema)}.`;
  const one = (name: string): string => {
    const [first, second] = splitName(name);
    if (object === 'large_object') return String(BigInt(first));
    // Names of parameters have dots and may be longer than an identifier.
    if (object === 'parameter') return settingName(first);
    return `${prefix}${identifier(first)}${object === 'function' ? `(${second ?? ''})` : ''}`;
  };
  return `${KINDS[object].keyword} ${object === 'column' ? one(names[0] ?? '') : names.map(one).join(', ')}`;
}

/** The privileges; on columns each with the list of them. */
function privilegeList(privileges: readonly string[], { object, names }: GrantTarget): string {
  if (object !== 'column') return privileges.join(', ');
  const columns = identifiers(names.map((name) => splitName(name)[1] ?? ''));
  return privileges.map((privilege) => `${privilege} (${columns})`).join(', ');
}

const grantees = (roles: readonly string[]): string => roles.map((role) => (role === PUBLIC ? 'PUBLIC' : identifier(role))).join(', ');

const grantPrivilege = ({ privileges, on, grantable }: Change & { kind: 'grant_privilege' }, roles: readonly string[]): string =>
  `GRANT ${privilegeList(privileges, on)} ON ${objects(on)} TO ${grantees(roles)}${grantable ? ' WITH GRANT OPTION' : ''}`;

const revokePrivilege = ({ privileges, on, optionOnly, cascade }: Change & { kind: 'revoke_privilege' }, roles: readonly string[]): string =>
  `REVOKE ${optionOnly ? 'GRANT OPTION FOR ' : ''}${privilegeList(privileges, on)} ON ${objects(on)} FROM ${grantees(roles)}${cascade ? ' CASCADE' : ''}`;

function alterDefaults(change: Change & { kind: 'grant_default_privilege' | 'revoke_default_privilege' }, roles: readonly string[]): string {
  const where = `ALTER DEFAULT PRIVILEGES FOR ROLE ${identifier(change.creator)}${change.schema === '' ? '' : ` IN SCHEMA ${identifier(change.schema)}`}`;
  const what = `${change.privileges.join(', ')} ON ${KINDS[change.object].defaults?.keyword ?? ''}`;
  return change.kind === 'grant_default_privilege'
    ? `${where} GRANT ${what} TO ${grantees(roles)}${change.grantable ? ' WITH GRANT OPTION' : ''}`
    : `${where} REVOKE ${change.optionOnly ? 'GRANT OPTION FOR ' : ''}${what} FROM ${grantees(roles)}`;
}

/** The statement with the rights of another role: a GRANT without them only warns, and a REVOKE by somebody other than the grantor does nothing. */
const actedAs = (role: string | undefined, statement: string): string[] =>
  role === undefined ? [statement] : [`SET LOCAL ROLE ${identifier(role)}`, statement, 'RESET ROLE'];

const alterSettings = (change: { role: string; database: string }): string =>
  `ALTER ROLE ${identifier(change.role)}${change.database === '' ? '' : ` IN DATABASE ${identifier(change.database)}`}`;

/** Each part of a parameter's name quoted, as a custom one has a dot in it. */
const settingName = (name: string): string => name.split('.').map(identifier).join('.');

const settingValue = (name: string, value: string): string => {
  const list = parseList(name, value);
  if (list === undefined) return literal(value);
  return list.length === 0 ? "''" : list.map((element) => literal(element)).join(', ');
};

const bool = (value: boolean): string => (value ? 'TRUE' : 'FALSE');
