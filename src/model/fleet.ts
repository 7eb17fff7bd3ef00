// A fleet: servers as the operator declares them, each with its documents, and authors who declare what is theirs within a scope.
import type { Position, Problem } from './entries.ts';
import type { Guardrail } from './guardrails.ts';

export interface HostPort {
  /** A name or an address, never a socket's folder; of IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
}

/** One item of `servers`. */
export interface ServerEntry {
  /** A DNS label, by which it is known everywhere: metrics, log, Events, status. */
  readonly name: string;
  /** Tried in order; only a primary is written. Empty: host and port are those of the admin Secret. */
  readonly hosts: readonly HostPort[];
  /** The admin database; undefined: what the admin Secret says, where that is a name. */
  readonly database: string | undefined;
  readonly adminSecretRef: AdminSecretRef;
  readonly tls: ServerTls | undefined;
  /** What connection Secrets say where it is not how we connect ourselves. */
  readonly connection: ServerConnection | undefined;
  readonly policy: ServerPolicy;
  /** Labels that the Secrets of its users have: only these are listed and watched. */
  readonly secretsSelector: Readonly<Record<string, string>> | undefined;
  /** ConfigMaps in our own namespace, in the order of the file. */
  readonly documents: readonly { readonly name: string }[];
  readonly authors: readonly Author[];
  readonly position: Position;
}

/** A Secret in our own namespace; keys that are left out have the names that operators give them. */
export interface AdminSecretRef {
  readonly name: string;
  readonly usernameKey?: string | undefined;
  readonly passwordKey?: string | undefined;
}

export const TLS_MODES = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;

export interface ServerTls {
  readonly mode: (typeof TLS_MODES)[number];
  readonly caSecretRef?: { readonly name: string; readonly key: string } | undefined;
}

export const CONNECTION_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;

export interface ServerConnection {
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly sslmode?: (typeof CONNECTION_MODES)[number] | undefined;
}

/** Settings of one server, by the names of the environment in camelCase and with its values; what is left out is as the environment says. */
export interface ServerPolicy {
  readonly dryRun?: boolean | undefined;
  readonly syncInterval?: number | undefined;
  readonly driftInterval?: number | undefined;
  readonly deletionPolicy?: 'drop' | 'disable' | 'retain' | undefined;
  readonly drain?: string | undefined;
  readonly maxDeletions?: number | undefined;
  readonly revokes?: 'apply' | 'report' | undefined;
  readonly eventTriggers?: 'auto' | 'on' | 'off' | undefined;
  readonly passwordProbe?: 'off' | 'salt' | 'login' | undefined;
  readonly adminRotation?: 'on' | 'off' | undefined;
  readonly adminRotationEvery?: string | undefined;
  readonly maxObjects?: number | undefined;
  readonly maxListeners?: number | undefined;
  readonly maxRetries?: number | undefined;
  readonly dbPoolMaxConn?: number | undefined;
  readonly dbLockTimeout?: number | undefined;
  readonly dbStatementTimeout?: number | undefined;
  readonly auditRetention?: string | undefined;
  readonly auditMaxRows?: number | undefined;
  readonly reassignTo?: string | undefined;
  readonly reassignToPowerful?: string | undefined;
  readonly movedFrom?: string | undefined;
  readonly protectedRoles?: readonly string[] | undefined;
  readonly allowedRoles?: readonly string[] | undefined;
  readonly allowedSettings?: readonly string[] | undefined;
  readonly allowedExtensions?: readonly string[] | undefined;
  /** What must never be on this server, beside what the environment's file says. */
  readonly guardrails?: readonly Guardrail[] | undefined;
}

/** Whose ConfigMaps, found by their labels in one namespace, say something of a server too. */
export interface Author {
  /** A DNS label, unique within its server. */
  readonly name: string;
  readonly from: { readonly namespace: string; readonly matchLabels: Readonly<Record<string, string>> };
  readonly may: Scope;
  /** What becomes of its users when its ConfigMap is gone. */
  readonly onGone: 'keep' | 'remove';
  /** Milliseconds until it is gone, with `onGone: remove`. */
  readonly grace: number;
  /** How many of its roles may go in one cycle; undefined: as the server's. */
  readonly maxDeletions: number | undefined;
}

/** What an author may declare. What is left out is not allowed. */
export interface Scope {
  /** Patterns of the users and roles that it may declare. */
  readonly names: readonly string[];
  /** Patterns of databases in which it may grant, own and create. */
  readonly databases: readonly string[];
  /** Patterns of schemas within them. */
  readonly schemas: readonly string[];
  /** Roles of others that it may hand out, beside those that are shared with it; exact names. */
  readonly roles: readonly string[];
  /** How many users and roles it may declare, and what their connection limits may be together; undefined is no limit. */
  readonly users: number | undefined;
  readonly declaredRoles: number | undefined;
  readonly connections: number | undefined;
  /** Parameters that it may set, in lower case. */
  readonly settings: readonly string[];
  /** Whether it may declare databases that are to be made. */
  readonly create: boolean;
  /** Whether it may ask for connection Secrets, which are in its own namespace. */
  readonly connectionSecrets: boolean;
}

/** All servers that are declared. */
export interface Fleet {
  /** Those that are valid, in the order of the file. */
  readonly servers: readonly ServerEntry[];
  /** Names of entries in which something is wrong: what these servers were they stay. */
  readonly invalid: ReadonlySet<string>;
  /** False where nothing of the file can be used, or an entry has no name that can be read: then a server that is not named is not gone. */
  readonly complete: boolean;
  /** Secrets that any entry names as the login or the certificates of a server, also one that is wrong: no document may have them. */
  readonly reserved: ReadonlySet<string>;
  readonly problems: readonly Problem[];
}
