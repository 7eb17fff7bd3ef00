// Rows of the audit log as events of OCSF: account change, user access management and group management.
import type { ChangeKind } from '../changes/change.ts';
import type { AuditRow } from './rows.ts';

/** A class with one of its activities. */
interface Meaning {
  readonly of: 'account' | 'access' | 'group';
  readonly activity: number;
  readonly name: string;
}

const CLASSES = {
  account: { uid: 3001, name: 'Account Change' },
  access: { uid: 3005, name: 'User Access Management' },
  group: { uid: 3006, name: 'Group Management' },
} as const;

const account = (activity: number, name: string): Meaning => ({ of: 'account', activity, name });
const OTHER = 99;
const ASSIGN: Meaning = { of: 'access', activity: 1, name: 'Assign Privileges' };
const REVOKE: Meaning = { of: 'access', activity: 2, name: 'Revoke Privileges' };
const ADD_USER: Meaning = { of: 'group', activity: 3, name: 'Add User' };
const REMOVE_USER: Meaning = { of: 'group', activity: 4, name: 'Remove User' };
const [CREATE, DISABLE, DELETE] = [account(1, 'Create'), account(5, 'Disable'), account(6, 'Delete')];
const PASSWORD = account(3, 'Password Change');
const OF_ACCOUNT = account(OTHER, 'Other');

/** What each kind of change is there; undefined for what is about nobody's access. */
const MEANINGS: Readonly<Record<ChangeKind, Meaning | undefined>> = {
  prepare_ledger: undefined,
  create_secret: undefined,
  rotate_secret: undefined,
  recognise_roles: undefined,
  rename_role: OF_ACCOUNT,
  adopt_role: OF_ACCOUNT,
  hand_over_role: OF_ACCOUNT,
  forget_role: OF_ACCOUNT,
  forget_privileges: OF_ACCOUNT,
  create_role: CREATE,
  alter_role: OF_ACCOUNT,
  set_comment: undefined,
  create_database: undefined,
  set_setting: OF_ACCOUNT,
  reset_setting: OF_ACCOUNT,
  grant_membership: ADD_USER,
  revoke_membership: REMOVE_USER,
  stop_inheriting: REMOVE_USER,
  alter_database_owner: ASSIGN,
  create_schema: undefined,
  alter_schema_owner: ASSIGN,
  create_extension: undefined,
  install_event_trigger: undefined,
  sync_trigger_rules: undefined,
  remove_event_trigger: undefined,
  grant_privilege: ASSIGN,
  grant_default_privilege: ASSIGN,
  revoke_privilege: REVOKE,
  revoke_default_privilege: REVOKE,
  set_password: PASSWORD,
  clear_password: PASSWORD,
  disable_role: DISABLE,
  end_sessions: OF_ACCOUNT,
  rollback_prepared: undefined,
  release_owned: REVOKE,
  drop_role: DELETE,
  write_connection_secret: undefined,
  rotate_admin_password: PASSWORD,
  trim_audit_log: undefined,
};

/** Creation and removal of a role that is no user are a group's. */
const OF_GROUP: ReadonlyMap<Meaning, Meaning> = new Map([
  [CREATE, { of: 'group', activity: 6, name: 'Create' }],
  [DELETE, { of: 'group', activity: 5, name: 'Delete' }],
]);

const OUTCOMES: Readonly<Record<string, { readonly id: number; readonly name: string }>> = {
  applied: { id: 1, name: 'Success' },
  failed: { id: 2, name: 'Failure' },
};
const VERSION = '1.3.0';

export interface OcsfContext {
  /** `host:port` of the server. */
  readonly server: string;
  /** As whom pgsteward writes there. */
  readonly actor: string;
}

/** The event; undefined for what is about nobody's access. */
export function ocsfEvent(row: AuditRow, { server, actor }: OcsfContext): object | undefined {
  const known = meaningOf(row);
  if (known === undefined) return undefined;
  const meaning = row.entity === 'role' ? (OF_GROUP.get(known) ?? known) : known;
  const { uid, name } = CLASSES[meaning.of];
  const outcome = OUTCOMES[row.outcome] ?? { id: 0, name: 'Unknown' };
  return {
    class_uid: uid,
    class_name: name,
    category_uid: 3,
    category_name: 'Identity & Access Management',
    activity_id: meaning.activity,
    activity_name: meaning.name,
    type_uid: uid * 100 + meaning.activity,
    type_name: `${name}: ${meaning.name}`,
    severity_id: 1,
    severity: 'Informational',
    status_id: outcome.id,
    status: outcome.name,
    ...(row.detail === undefined ? {} : { status_detail: row.detail }),
    time: Date.parse(row.at),
    ...(row.times === undefined ? {} : { count: row.times }),
    metadata: { version: VERSION, uid: `${server}/${row.id}`, product: { name: 'pgsteward', vendor_name: 'pgsteward' }, log_name: 'pgsteward.audit_log' },
    actor: { app_name: 'pgsteward', user: { name: actor } },
    ...aboutOf(meaning, row),
    message: `${row.change} ${row.object}`,
    unmapped: { change: row.change, outcome: row.outcome, object: row.object, sql: row.sql, revision: row.revision ?? null, source: row.why, server },
  };
}

const meaningOf = ({ change }: AuditRow): Meaning | undefined => (Object.hasOwn(MEANINGS, change) ? MEANINGS[change as ChangeKind] : undefined);

function aboutOf({ of }: Meaning, { role, object, sql }: AuditRow): object {
  if (of === 'account') return { user: { name: role } };
  if (of === 'access') return { user: { name: role }, resource: { name: object, type: 'PostgreSQL object' }, privileges: [sql] };
  // A membership is said of its member, and its object is «member in role».
  const membership = `${role} in `;
  return object.startsWith(membership) ? { user: { name: role }, group: { name: object.slice(membership.length) } } : { group: { name: role } };
}
