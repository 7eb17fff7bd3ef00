// What one snapshot of a server tells: the actual Cluster, and the facts around it that decisions need.
import type { DeletionPolicy } from './entries.ts';
import type { Cluster } from './cluster.ts';
import type { ObjectGroup } from './contents.ts';

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
  /** The encoding of the database that we read this in. */
  readonly encoding: string;
  /** Whether pg_authid.rolpassword can be read. */
  readonly readsVerifiers: boolean;
  /** The server's clock when the snapshot was taken, in milliseconds since the epoch. */
  readonly now: number;
  /** Where OIDs that are read now are those of roles (plan/moved.ts). */
  readonly place: Place;
}

/** Where an OID is that of a role: on which server, and beside which ledger. A copy by dump and restore has other OIDs, of roles as of the ledger's tables. */
export interface Place {
  /** pg_control_system().system_identifier; null where it cannot be read. */
  readonly server: string | null;
  /** pg_class.oid of the ledger's managed_role; null where there is no ledger. */
  readonly ledger: number | null;
}

/** Where nothing was recorded. */
export const NOWHERE: Place = { server: null, ledger: null };

export interface DatabaseFacts {
  readonly name: string;
  /** pg_database.oid; one that the plan creates has none yet. */
  readonly oid?: number;
  readonly owner: string;
  readonly allowsConnections: boolean;
  readonly isTemplate: boolean;
  /** As the server calls it: UTF8, LATIN1, … */
  readonly encoding: string;
  /** PUBLIC has CONNECT, so everybody has it. */
  readonly publicConnect: boolean;
  /** A GRANT by our admin takes effect; otherwise the server only warns and changes nothing. */
  readonly mayGrant: boolean;
  /** No pattern means it: a template, one of the platform's own, or one that our admin may not connect to and cannot open. */
  readonly exactOnly?: boolean;
  /** It is not there yet: the plan creates it. */
  readonly planned?: boolean;
}

/** Proof that a role's verifier was made from a Secret's value, without holding either (see plan/secrets/password-check.ts). */
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
  /** The ConfigMap of its author that declared it last; of the operator's roles it is not recorded. */
  readonly document?: string;
  /** Since when that one is gone, in ISO 8601; undefined while it is there. */
  readonly goneSince?: string | undefined;
  /** pg_authid.oid when it became ours; a role of the same name with another OID is somebody else's. 0 where unknown. */
  readonly oid: number;
  /** Where the OID was read; nulls where an older version did not record it. */
  readonly place: Place;
  readonly status: 'active' | 'removing' | 'disabled';
  readonly deletionPolicy: DeletionPolicy | null;
  readonly witness: Witness | null;
  /** Whether its entry declared privileges when it was last read: what it holds then goes with it. */
  readonly privileges: boolean;
  /** How its sessions end, as its entry said when it was last read (plan/removal/drain.ts). */
  readonly drain: string | null;
  /** Since when it may not log in, in ISO 8601; null while it may, and where that is unknown. */
  readonly disabledAt: string | null;
}

/** Roles that were recorded on one other server, and how it is known that those of their names here are the same. */
export interface Recognised {
  /** Its system identifier, or null where it was not recorded. */
  readonly from: string | null;
  readonly by: 'oids' | 'passwords' | 'word';
  readonly names: readonly string[];
  /** Of each of the names here. */
  readonly oids: readonly number[];
}

/** Whether a recorded role still is the very role that was recorded: another OID means that it is somebody else's. */
export const isSameRole = (role: ManagedRole, { oids, unsure }: Pick<Catalog, 'oids' | 'unsure'>): boolean =>
  !unsure.has(role.name) && (role.oid === 0 || role.oid === oids.get(role.name));

/** Something that stands between a role and DROP ROLE, in one database. */
export interface Dependency {
  readonly database: string;
  readonly objects: number;
  /** What of it the role owns: the catalog that it is a row of → how many. Everything else is only a privilege, a policy or the like. */
  readonly owned: ReadonlyMap<string, number>;
  /** In how many ACLs it stands. */
  readonly acls: number;
}

export interface Catalog {
  readonly server: ServerFacts;
  readonly cluster: Cluster;
  /** The bootstrap superuser. */
  readonly bootstrap: string;
  /** Databases, tablespaces and parameters with the ACL entries of those whose privileges are compared. */
  readonly shared: readonly ObjectGroup[];
  /** Tablespaces and parameters with the entries of everybody, where guardrails are about any. */
  readonly sharedByAll?: readonly ObjectGroup[] | undefined;
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
  /** Roles that were recorded on another server and are the same here: by their names they stand in `managed` with the OIDs of this one. */
  readonly recognised: readonly Recognised[];
  /** Names recorded on another server → that server (null: unknown), where nothing shows whether the role of this name here is the one that was meant. */
  readonly unsure: ReadonlyMap<string, string | null>;
  /** Names recorded on another server that no role here has; those are awaited of which none came along yet. */
  readonly absent: ReadonlyMap<string, { readonly from: string | null; readonly awaited: boolean }>;
  /** By role; only for roles that may be removed in this cycle. */
  readonly dependencies: ReadonlyMap<string, readonly Dependency[]>;
  /** Open sessions by role; only for roles that may be removed in this cycle, and for users that may not log in. */
  readonly sessions: ReadonlyMap<string, number>;
  /** OIDs of the roles whose sessions were counted. */
  readonly counted: readonly number[];
  /** OIDs of the roles of which it was asked what they own and hold: those that may go. */
  readonly leaving: readonly number[];
}

const named = new WeakMap<Catalog['oids'], ReadonlyMap<number, string>>();

/** The names of a catalog's roles by their OIDs; made once for each catalog. */
export function namesByOid(oids: Catalog['oids']): ReadonlyMap<number, string> {
  const names = named.get(oids) ?? new Map([...oids].map(([name, oid]) => [oid, name]));
  named.set(oids, names);
  return names;
}
