// Change → SQL: one rendering for execution, for the audit log and for the advice that an administrator gets.
import type { Attributes, Change } from './change.ts';
import { revokeForeignGrants } from './foreign-grants.ts';
import { parseList } from './setting-list.ts';
import { identifier, identifiers, literal } from './sql-text.ts';

export interface RenderOptions {
  /** The server's major version: memberships have options and grantors from 16 on. */
  readonly major: number;
  /** The role under which our own grants are recorded (ServerFacts.grantor). */
  readonly grantor: string;
  /** The verifier to set for a role; undefined renders a placeholder, for texts that people read. */
  readonly verifierOf?: (role: string) => string | undefined;
}

/** The statements of one change, in order; empty for a change that is only remembered. */
export function renderChange(change: Change, options: RenderOptions): readonly string[] {
  switch (change.kind) {
    case 'adopt_role':
    case 'forget_role':
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
      return [`GRANT ${change.grant.privilege} ON DATABASE ${identifier(change.grant.object.name)} TO ${identifier(change.grant.grantee)}`];
    case 'revoke_privilege':
      return asGrantor(change.grant.grantor, options, revokePrivilege(change, [change.grant.grantee]));
    case 'set_password':
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
    const members = group.map((change) => ('member' in change ? change.member : 'grant' in change ? change.grant.grantee : ''));
    if (group.length === 1) statements.push(...renderChange(first, options));
    else if (first.kind === 'grant_membership') statements.push(grantMembership(first, members, options.major));
    else if (first.kind === 'revoke_membership') statements.push(revokeMembership(first, members, options));
    else if (first.kind === 'grant_privilege')
      statements.push(`GRANT ${first.grant.privilege} ON DATABASE ${identifier(first.grant.object.name)} TO ${identifiers(members)}`);
    else if (first.kind === 'revoke_privilege') statements.push(...asGrantor(first.grant.grantor, options, revokePrivilege(first, members)));
  }
  return statements;
}

/** What a change shares with a neighbour of the same statement; undefined for changes that stand alone. */
export function statementKey(change: Change): string | undefined {
  switch (change.kind) {
    case 'grant_membership':
      return [change.kind, change.role, change.admin, change.inherit, change.set].join('\0');
    case 'revoke_membership':
      return [change.kind, change.role, change.grantor, change.adminOnly, change.cascade].join('\0');
    case 'grant_privilege':
      return [change.kind, change.grant.object.name, change.grant.privilege].join('\0');
    case 'revoke_privilege':
      return [change.kind, change.grant.object.name, change.grant.privilege, change.grant.grantor, change.grant.grantable, change.optionOnly].join('\0');
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

const revokePrivilege = (change: Change & { kind: 'revoke_privilege' }, grantees: readonly string[]): string =>
  `REVOKE ${change.optionOnly ? 'GRANT OPTION FOR ' : ''}${change.grant.privilege} ON DATABASE ${identifier(change.grant.object.name)} FROM ${identifiers(grantees)}${change.grant.grantable ? ' CASCADE' : ''}`;

/** A REVOKE by somebody other than the grantor succeeds and does nothing, so it runs as the grantor. */
function asGrantor(grantor: string, options: RenderOptions, statement: string): string[] {
  if (grantor === options.grantor) return [statement];
  return [`SET LOCAL ROLE ${identifier(grantor)}`, statement, 'RESET ROLE'];
}

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
