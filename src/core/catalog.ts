// What one snapshot of a server tells: the actual Cluster, and the facts around it that decisions need.
import type { DeletionPolicy } from './document/types.ts';
import type { Cluster } from './model.ts';
import type { ObjectGroup } from './privileges/contents.ts';

/** The server and what our admin may do there. */
export interface ServerFacts {
  readonly major: number;
  readonly admin: string;
  readonly superuser: boolean;
  readonly createrole: boolean;
  /** The role that memberships granted by us are recorded under: on 16+ a superuser's are the bootstrap superuser's. */
  readonly grantor: string;
  /** SCRAM iterations that the server would use; 4096 below 16. */
  readonly scramIterations: number;
  /** Whether pg_authid.rolpassword can be read. */
  readonly readsVerifiers: boolean;
  /** The server's clock when the snapshot was taken, in milliseconds since the epoch. */
  readonly now: number;
}

export interface DatabaseFacts {
  readonly name: string;
  readonly owner: string;
  readonly allowsConnections: boolean;
  readonly isTemplate: boolean;
  /** PUBLIC has CONNECT, so everybody has it. */
  readonly publicConnect: boolean;
  /** A GRANT by our admin takes effect; otherwise the server only warns and changes nothing. */
  readonly mayGrant: boolean;
  /** It is not there yet: the plan creates it. */
  readonly planned?: boolean;
}

/** Proof that a role's verifier was made from a Secret's value, without holding either (see core/passwords.ts). */
export interface Witness {
  /** The Secret reading's version. */
  readonly version: string;
  readonly salt: string;
  readonly iterations: number;
  readonly proof: string;
}

/** What is remembered of a role that is ours. */
export interface ManagedRole {
  readonly name: string;
  /** `user` for an entry of the document, `role` for one that entries only name. */
  readonly entity: 'user' | 'role';
  readonly origin: 'created' | 'adopted';
  /** namespace/ConfigMap that it belongs to. */
  readonly source: string;
  /** pg_authid.oid when it became ours; a role of the same name with another OID is somebody else's. 0 where unknown. */
  readonly oid: number;
  readonly status: 'active' | 'removing' | 'disabled';
  readonly deletionPolicy: DeletionPolicy | null;
  readonly witness: Witness | null;
  /** Whether its entry declared privileges when it was last read: what it holds then goes with it. */
  readonly privileges: boolean;
  /** How its sessions end, as its entry said when it was last read (core/drain.ts). */
  readonly drain: string | null;
  /** Since when it may not log in, in ISO 8601; null while it may, and where that is unknown. */
  readonly disabledAt: string | null;
}

/** Something that stands between a role and DROP ROLE, in one database. */
export interface Dependency {
  readonly database: string;
  readonly objects: number;
}

export interface Catalog {
  readonly server: ServerFacts;
  readonly cluster: Cluster;
  /** The bootstrap superuser. */
  readonly bootstrap: string;
  /** Databases, tablespaces and parameters with the ACL entries of those whose privileges are compared. */
  readonly shared: readonly ObjectGroup[];
  /** Databases that hold an event trigger of ours, as far as it is remembered. */
  readonly triggerDatabases: ReadonlySet<string>;
  /** Databases in which a role that declares privileges holds some. */
  readonly granted: ReadonlySet<string>;
  readonly oids: ReadonlyMap<string, number>;
  readonly databases: ReadonlyMap<string, DatabaseFacts>;
  /** Stored verifiers (null: no password); empty where they cannot be read. Secret: never leaves memory. */
  readonly verifiers: ReadonlyMap<string, string | null>;
  /** Parameters of the server by lower-case name → pg_settings.context. */
  readonly parameters: ReadonlyMap<string, string>;
  readonly managed: ReadonlyMap<string, ManagedRole>;
  /** By role; only for roles that may be removed in this cycle. */
  readonly dependencies: ReadonlyMap<string, readonly Dependency[]>;
  /** Open sessions by role; only for roles that may be removed in this cycle, and for users that may not log in. */
  readonly sessions: ReadonlyMap<string, number>;
  /** OIDs of the roles whose sessions were counted. */
  readonly counted: readonly number[];
}
