// The table of all kinds of changes: what a kind is stands in the file of its family, and everything else asks here.
import * as database from './database.ts';
import * as defaults from './default-privilege.ts';
import type { Definition, WithVerifier } from './definition.ts';
import * as leaving from './leaving.ts';
import * as ledger from './ledger.ts';
import * as membership from './membership.ts';
import * as password from './password.ts';
import * as privilege from './privilege.ts';
import * as renaming from './renaming.ts';
import * as role from './role.ts';
import * as secret from './secret.ts';
import * as trigger from './trigger.ts';

/** One typed step of a plan. */
export type Change =
  | secret.SecretChange
  | ledger.LedgerChange
  | renaming.RenameRole
  | role.RoleChange
  | membership.MembershipChange
  | database.DatabaseChange
  | trigger.TriggerChange
  | privilege.PrivilegeChange
  | defaults.DefaultPrivilegeChange
  | password.PasswordChange
  | leaving.LeavingChange;

export type ChangeKind = Change['kind'];

/** Changes whose statements need nothing but themselves. */
export type PlainChange = Exclude<Change, password.PasswordSetting>;

/** A change with everything that its statements need: one that sets a password holds the verifier. */
export type Executable = PlainChange | WithVerifier<password.PasswordSetting>;

/** In the order of execution: created before granted, granted before revoked, released before dropped. */
const CHANGES = {
  prepare_ledger: ledger.prepareLedger,
  create_secret: secret.createSecret,
  rotate_secret: secret.rotateSecret,
  recognise_roles: ledger.recogniseRoles,
  rename_role: renaming.renameRole,
  adopt_role: ledger.adoptRole,
  hand_over_role: ledger.handOverRole,
  forget_role: ledger.forgetRole,
  forget_privileges: ledger.forgetPrivileges,
  create_role: role.createRole,
  alter_role: role.alterRole,
  set_comment: role.setComment,
  create_database: database.createDatabase,
  set_setting: role.setSetting,
  reset_setting: role.resetSetting,
  grant_membership: membership.grantMembership,
  revoke_membership: membership.revokeMembership,
  stop_inheriting: membership.stopInheriting,
  alter_database_owner: database.alterDatabaseOwner,
  create_schema: database.createSchema,
  alter_schema_owner: database.alterSchemaOwner,
  create_extension: database.createExtension,
  install_event_trigger: trigger.installEventTrigger,
  sync_trigger_rules: trigger.syncTriggerRules,
  remove_event_trigger: trigger.removeEventTrigger,
  grant_privilege: privilege.grantPrivilege,
  grant_default_privilege: defaults.grantDefaultPrivilege,
  revoke_privilege: privilege.revokePrivilege,
  revoke_default_privilege: defaults.revokeDefaultPrivilege,
  set_password: password.setPassword,
  clear_password: password.clearPassword,
  disable_role: leaving.disableRole,
  end_sessions: leaving.endSessions,
  rollback_prepared: leaving.rollbackPrepared,
  release_owned: leaving.releaseOwned,
  drop_role: leaving.dropRole,
  write_connection_secret: secret.writeConnectionSecret,
  rotate_admin_password: password.rotateAdminPassword,
  trim_audit_log: ledger.trimAuditLog,
} satisfies { readonly [K in ChangeKind]: Definition<Extract<Change, { kind: K }>, Extract<Executable, { kind: K }>> };

/** Kinds whose definitions say that something is true of them. */
type KindWith<Flag> = { [K in ChangeKind]: (typeof CHANGES)[K] extends Flag ? K : never }[ChangeKind];

/** Kinds of changes that a superuser can make for us. */
export type AdvisedKind = KindWith<{ readonly isAdvised: true }>;

export const isAdvised = (kind: ChangeKind): kind is AdvisedKind => definitionOf({ kind }).isAdvised === true;

/** All kinds, in the order of execution. Also the closed set of metric labels. */
export const CHANGE_KINDS = Object.keys(CHANGES) as readonly ChangeKind[];

/** What the kind of a change is. */
export const definitionOf = (change: Pick<Change, 'kind'>): Definition<Change, Executable> => CHANGES[change.kind];

/** A change that is made in Kubernetes and not on the server. */
export type KubernetesChange = Extract<Change, { kind: KindWith<{ readonly inKubernetes: true }> }>;

export const isInKubernetes = (change: Change): change is KubernetesChange => definitionOf(change).inKubernetes === true;

const ranks = new Map<string, number>(CHANGE_KINDS.map((kind, index) => [kind, index]));
const rankOfKind = (kind: string): number => ranks.get(kind) ?? 0;

/** The place of a change in the order of what depends on each other. */
export const rankOf = (change: Change): number => definitionOf(change).rank?.(change, rankOfKind) ?? rankOfKind(change.kind);

/** Whether it comes before the changes of a kind. */
export const isBefore = (change: Change, kind: ChangeKind): boolean => rankOf(change) < rankOfKind(kind);
