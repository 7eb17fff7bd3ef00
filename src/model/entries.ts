// What a users document says, once it is read: entries with their places, and problems with theirs.
import type { Guardrail } from './guardrails.ts';
import type { ObjectKind } from './kinds.ts';
import type { Sources } from './sources.ts';

/** Where something stands; line and column count from 1. */
export interface Position {
  /** `users.yaml`, or another name of the document that it is in. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** A Secret's key; `key` defaults to `password`. */
export interface SecretRef {
  readonly name: string;
  readonly key: string;
  /** undefined: that of pgsteward's ConfigMap. */
  readonly namespace?: string | undefined;
}

export const ALPHABETS = ['alphanumeric', 'hex'] as const;
export type Alphabet = (typeof ALPHABETS)[number];

/** Where a user's password comes from: `none` manages none, `generate` makes the Secret where it is missing. */
export type PasswordSpec = { readonly kind: 'none' } | { readonly kind: 'generate'; readonly length: number; readonly alphabet: Alphabet };

/** The Secret that tells a program how to connect as the user. */
export interface ConnectionSecret {
  readonly name: string;
  /** undefined: the one of pgsteward's ConfigMap. */
  readonly namespace: string | undefined;
  /** undefined: the user's home database. */
  readonly database: string | undefined;
  /** Further keys → text with `{{ name }}`, which names other keys only. */
  readonly template: ReadonlyMap<string, string>;
  readonly labels: ReadonlyMap<string, string>;
  readonly annotations: ReadonlyMap<string, string>;
  /** Other ways to the same server, as a pooler: a name → where. */
  readonly uris: ReadonlyMap<string, { readonly host: string; readonly port: number | undefined }>;
  readonly position: Position;
}

export const STRATEGIES = ['in-place', 'two-users'] as const;

/** When a generated password is replaced, and how. Times in milliseconds. */
export interface Rotation {
  /** undefined: only when somebody asks for it. */
  readonly every: number | undefined;
  readonly strategy: (typeof STRATEGIES)[number];
  /** How long the password before still works; of two users only. */
  readonly overlap: number;
  readonly position: Position;
}

/** What a user of our own making is, who logs in for another one in turn with a second (model/turns.ts). */
export interface Turn {
  /** The user of the document whose place it takes. */
  readonly of: string;
  /** Whether that one may log in at all. */
  readonly login: boolean;
  readonly state: 'on' | 'off';
  /** Whether programs are told of the one that is on, so that the time of the others may end. */
  readonly moved: boolean;
  /** Whether its turn is over and its login is gone from the server: only then it may be its turn again. */
  readonly isOver: boolean;
}

/** A membership that an entry asks for. Options that the entry does not name are undefined (server default: no ADMIN, INHERIT, SET). */
export interface RoleEntry {
  readonly name: string;
  readonly admin?: boolean | undefined;
  readonly inherit?: boolean | undefined;
  readonly set?: boolean | undefined;
  readonly position: Position;
}

export type DeletionPolicy = 'drop' | 'disable' | 'retain';

/** Parameter name in lower case → value as text; list parameters (search_path) hold the list as it would stand in postgresql.conf. */
export type Settings = ReadonlyMap<string, string>;

export interface WishedPrivilege {
  /** In the server's spelling (`SELECT`); `ALL` stands for what the server's version knows. */
  readonly privilege: string;
  /** WITH GRANT OPTION. */
  readonly grantable: boolean;
}

/**
 * What a role may do on the objects that a pattern names. Patterns: `*` stands for any characters, alone for everything there is and will be.
 * Rules are resolved by plan/privileges/rules.ts: the most specific wins and replaces the others.
 */
export interface GrantRule {
  readonly kind: ObjectKind;
  /** Pattern; undefined is the default database. Empty for tablespaces and parameters. */
  readonly database: string | undefined;
  /** Pattern of the schema (for kind `schema` of itself); empty for kinds that are in no schema. */
  readonly schema: string;
  /** Pattern of the object, of a column's table; `name(argument types)` means one function. `*` for kinds `database` and `schema`. */
  readonly name: string;
  /** Pattern; empty for every kind but `column`. */
  readonly column: string;
  /** Empty means nothing: it leaves out what a wider pattern gives. */
  readonly privileges: readonly WishedPrivilege[];
  /** USAGE on a schema because of a grant on something in it: added to whatever else holds there, never in contradiction to it. */
  readonly implied: boolean;
  /** The permission that it comes from; undefined for the role's own grants. Rules of several permissions for one pattern add up. */
  readonly permission: string | undefined;
  readonly position: Position;
}

/** One valid entry of `roles`. */
export interface RoleDeclaration {
  readonly name: string;
  /** What the role was called; one that still is gets this name (plan/renaming.ts). */
  readonly renamedFrom?: string | undefined;
  /** undefined: memberships of the role are left to whoever manages them. */
  readonly memberOf: readonly RoleEntry[] | undefined;
  /** undefined: it declares neither grants nor permissions, and its privileges are left alone. */
  readonly rules: readonly GrantRule[] | undefined;
  /** grantsMode: additive; what it holds beyond the rules stays. */
  readonly additive: boolean;
  readonly comment?: string | null | undefined;
  readonly deletionPolicy?: DeletionPolicy | undefined;
  /** Authors whose users and roles may become its members. */
  readonly sharedWith?: readonly string[] | undefined;
  /** The item as it was written, in the form that revisions keep (document/said.ts); so with users and databases. */
  readonly said?: string | undefined;
  /** The source of the author whose entry it is; undefined for the operator's. */
  readonly source?: string | undefined;
  readonly position: Position;
}

/** One valid entry of `databases`. */
export interface DatabaseEntry {
  readonly name: string;
  readonly owner?: string | undefined;
  /** Whether it is created when it is missing. */
  readonly create: boolean;
  /** What PUBLIC may do here, for what the rules name; empty leaves PUBLIC alone. */
  readonly public: readonly GrantRule[];
  readonly schemas: readonly { readonly name: string; readonly owner?: string | undefined; readonly position: Position }[];
  readonly extensions: readonly { readonly name: string; readonly schema?: string | undefined; readonly position: Position }[];
  /** Who else creates objects here, beside the owners and the roles with CREATE. */
  readonly createdBy: readonly string[];
  readonly said?: string | undefined;
  /** The source of the author whose entry it is, also where it stays in force while another one is there; undefined for the operator's. */
  readonly source?: string | undefined;
  readonly position: Position;
}

/** One valid entry of `users`. Names are already checked: 1 to 63 bytes of UTF-8, no NUL, no reserved prefix. */
export interface UserEntry {
  readonly username: string;
  /** What the role was called; one that still is gets this name (plan/renaming.ts). */
  readonly renamedFrom?: string | undefined;
  /** The user's home database; undefined means the default database. */
  readonly database?: string | undefined;
  /** Further databases that the user may connect to. */
  readonly databases: readonly string[];
  readonly roles: readonly RoleEntry[];
  /** The explicit reference, or `user-<username>-secret` by the naming rule. */
  readonly secret: SecretRef;
  /** Whether the reference comes from the naming rule. */
  readonly secretIsDerived: boolean;
  readonly login: boolean;
  /** undefined: somebody else makes the Secret. */
  readonly password?: PasswordSpec | undefined;
  readonly connectionSecret?: ConnectionSecret | undefined;
  readonly rotation?: Rotation | undefined;
  /** Only of users that stand in no document. */
  readonly turn?: Turn | undefined;
  /** -1 is no limit. */
  readonly connectionLimit?: number | undefined;
  /** UTC in ISO 8601 with milliseconds; null is `infinity`. */
  readonly validUntil?: string | null | undefined;
  /** Settings for every database. */
  readonly settings?: Settings | undefined;
  /** Settings for one database, by its name. */
  readonly databaseSettings?: ReadonlyMap<string, Settings> | undefined;
  /** null removes the comment. */
  readonly comment?: string | null | undefined;
  readonly deletionPolicy?: DeletionPolicy | undefined;
  /** How its sessions end once it may not log in: `terminate`, `keep` or a duration (plan/removal/drain.ts). */
  readonly drain?: string | undefined;
  /** The role that the user's sessions in its databases work as from login on; one of its memberships. */
  readonly assumeRole?: string | undefined;
  /** From `privileges`, `grants` and `permissions`; undefined: the user declares none, and beyond CONNECT its privileges are left alone. */
  readonly rules?: readonly GrantRule[] | undefined;
  readonly additive?: boolean | undefined;
  readonly said?: string | undefined;
  /** The source of the author whose entry it is; undefined for the operator's. */
  readonly source?: string | undefined;
  readonly position: Position;
}

/** Something wrong with a document. An `error` keeps its entry out and holds every removal back; a `warning` changes nothing. */
export interface Problem {
  readonly severity: 'error' | 'warning';
  readonly position: Position;
  /** `users[3].roles[0].name`; empty for the document as a whole. */
  readonly path: string;
  /** A sentence that says what is wrong and what to do; never holds a password. */
  readonly message: string;
  /** The user whose entry is kept as it was, where the entry's name could be read. */
  readonly username?: string | undefined;
  /** The source of the author whose document it is; undefined for the operator's. */
  readonly source?: string | undefined;
  /** Whether others brought it about, so that what this document lost is what it meant to lose: it holds no removal back. */
  readonly isByOthers?: boolean | undefined;
}

/** Stands among invalid databases for an entry of which nobody knows which database it is about. */
export const UNKNOWN_DATABASE = '';

/** What stands in a document beside what it declares, in the form that revisions keep. */
export interface SaidItem {
  readonly position: Position;
  readonly list: 'permissions' | 'guardrails';
  readonly name: string;
  readonly said: string;
}

/** A document after reading, or several of them as one: what is valid of it, and everything that is wrong with it. */
export interface Document {
  readonly users: readonly UserEntry[];
  readonly roles: readonly RoleDeclaration[];
  readonly databases: readonly DatabaseEntry[];
  /** Names of users and roles whose entries are there but invalid: kept as they were, never removed. */
  readonly invalid: ReadonlySet<string>;
  /** What the roles of invalid entries were called, by their names: kept as they were as well, under the one name or the other. */
  readonly invalidRenames?: ReadonlyMap<string, string> | undefined;
  /** Names of databases whose entries are there but invalid: nothing is taken away in them. */
  readonly invalidDatabases: ReadonlySet<string>;
  /** What must never be in the databases that it names; none where this is left out. */
  readonly guardrails?: readonly Guardrail[] | undefined;
  /** Its permissions and guardrails. */
  readonly said?: readonly SaidItem[] | undefined;
  /** Whose its entries are; undefined where all are the operator's. */
  readonly sources?: Sources | undefined;
  /** False where nothing of it can be used (not YAML, not a mapping, no `users` list; of several, where that is so of one): the last good document stays in force. */
  readonly usable: boolean;
  /** All of them, in the order of the documents and of their positions there. */
  readonly problems: readonly Problem[];
}

/** Whether the user logs in with a password that a Secret holds. */
export const hasPassword = ({ login, password }: Pick<UserEntry, 'login' | 'password'>): boolean => login && password?.kind !== 'none';
