// The one model: what a server's roles, memberships and grants are. Desired and actual state are both a Cluster.

/** What an entry of the document is about, and a role that is recorded as ours. */
export type Entity = 'user' | 'role';

/** Parameter name in lower case → value. */
export type SettingMap = ReadonlyMap<string, string>;

/** Key of the settings that hold in every database; no database can have an empty name. */
export const ALL_DATABASES = '';

export interface Role {
  readonly name: string;
  readonly login: boolean;
  readonly inherit: boolean;
  readonly superuser: boolean;
  readonly createdb: boolean;
  readonly createrole: boolean;
  readonly replication: boolean;
  readonly bypassrls: boolean;
  /** -1 is no limit. */
  readonly connectionLimit: number;
  /** UTC in ISO 8601 with milliseconds; null is no end (NULL and infinity mean the same to the server). */
  readonly validUntil: string | null;
  readonly comment: string | null;
  /** By database, with ALL_DATABASES for the role's own. */
  readonly settings: ReadonlyMap<string, SettingMap>;
}

/** One row of pg_auth_members. Below 16 the server knows only ADMIN; inherit and set are then true. */
export interface Membership {
  readonly role: string;
  readonly member: string;
  readonly grantor: string;
  readonly admin: boolean;
  readonly inherit: boolean;
  readonly set: boolean;
}

/** A membership as one key; as no name can hold a NUL, no other has it. */
export const membershipKey = (role: string, member: string): string => `${role}\0${member}`;

/** An object that privileges are granted on. Further kinds join this union. */
export type GrantObject = { readonly kind: 'database'; readonly name: string };

/** One entry of an ACL. */
export interface ConnectGrant {
  readonly object: GrantObject;
  readonly grantee: string;
  readonly grantor: string;
  readonly privilege: 'CONNECT';
  readonly grantable: boolean;
}

export interface Cluster {
  readonly roles: ReadonlyMap<string, Role>;
  readonly memberships: readonly Membership[];
  readonly grants: readonly ConnectGrant[];
}
