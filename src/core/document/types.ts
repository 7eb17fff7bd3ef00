// What a users document says, once it is read: entries with their places, and problems with theirs.

/** Where something stands in the document; both count from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A Secret's key; `key` defaults to `password`. */
export interface SecretRef {
  readonly name: string;
  readonly key: string;
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

/** One valid entry of `users`. Names are already checked: 1 to 63 bytes of UTF-8, no NUL, no reserved prefix. */
export interface UserEntry {
  readonly username: string;
  /** The user's home database; undefined means DB_NAME. */
  readonly database?: string | undefined;
  /** Further databases that the user may connect to. */
  readonly databases: readonly string[];
  readonly roles: readonly RoleEntry[];
  /** The explicit reference, or `user-<username>-secret` by the naming rule. */
  readonly secret: SecretRef;
  /** Whether the reference comes from the naming rule. */
  readonly secretIsDerived: boolean;
  readonly login: boolean;
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
  readonly position: Position;
}

/** Something wrong with a document. An `error` keeps its entry out and holds every removal back; a `warning` changes nothing. */
export interface Problem {
  readonly severity: 'error' | 'warning';
  /** `users.yaml`, or the file that holds it. */
  readonly file: string;
  readonly position: Position;
  /** `users[3].roles[0].name`; empty for the document as a whole. */
  readonly path: string;
  /** A sentence that says what is wrong and what to do; never holds a password. */
  readonly message: string;
  /** The user whose entry is kept as it was, where the entry's name could be read. */
  readonly username?: string | undefined;
}

/** A document after reading: what is valid of it, and everything that is wrong with it. */
export interface Document {
  readonly users: readonly UserEntry[];
  /** Names of entries that are there but invalid: kept as they were, never removed. */
  readonly invalid: ReadonlySet<string>;
  /** False where nothing of it can be used (not YAML, not a mapping, no `users` list): the last good document stays in force. */
  readonly usable: boolean;
  /** All of them, in the order of their positions. */
  readonly problems: readonly Problem[];
}
