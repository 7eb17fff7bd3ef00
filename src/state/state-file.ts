// The state file: what was last applied, for runs without a ledger and to tell drift from a changed document. Losing it loses nothing.
import { rename } from 'node:fs/promises';
import { type ManagedRole, NOWHERE, type Place } from '../model/catalog.ts';
import { onceFor } from '../model/once-for.ts';
import { readOwnFile, writeOwnFile } from './own-file.ts';

/** What the file remembers of one role: the ledger's row, and a digest of the entry that was applied. */
export interface RememberedRole extends ManagedRole {
  readonly digest: string | null;
  /** As the old controller kept them; for people who read the file. */
  readonly database?: string | undefined;
  readonly roles?: readonly string[] | undefined;
}

export interface StateFile {
  readonly roles: ReadonlyMap<string, RememberedRole>;
  /** The server and the ledger that it was written for; undefined where it does not say. */
  readonly place: Place | undefined;
  /** Why nothing could be read, where the file is there but of no use. */
  readonly problem: string | undefined;
  /** Others may have written it: nothing in it counts. */
  readonly isRefused: boolean;
}

const EMPTY: ReadonlyMap<string, RememberedRole> = new Map();

/** Reads the file; one that is missing, empty, broken or not ours alone remembers nothing. `source` is who users of the old format belong to. */
export function loadState(path: string, source: string): StateFile {
  const nothing = (problem: string | undefined, isRefused = false): StateFile => ({ roles: EMPTY, place: undefined, problem, isRefused });
  const file = readOwnFile(path);
  if (file.kind !== 'text') return file.kind === 'missing' ? nothing(undefined) : nothing(file.reason, file.kind === 'refused');
  if (file.text.trim() === '') return nothing('is empty');
  try {
    const value: unknown = JSON.parse(file.text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return nothing('holds no JSON object');
    const roles = isCurrent(value) ? value.roles.flatMap(currentRole) : Object.entries(value).flatMap(([name, entry]) => legacyRole(name, entry, source));
    const place = isCurrent(value) ? value.place : undefined;
    return { roles: new Map(roles.map((role) => [role.name, role])), place, problem: undefined, isRefused: false };
  } catch {
    return nothing('is not valid JSON');
  }
}

const isCurrent = (value: object): value is { version: number; place?: Place; roles: unknown[] } =>
  'version' in value && value.version === 1 && 'roles' in value && Array.isArray(value.roles);

function currentRole(value: unknown): RememberedRole[] {
  const role = value as Partial<RememberedRole> | null;
  const complete =
    typeof role?.name === 'string' &&
    typeof role.source === 'string' &&
    (role.entity === 'user' || role.entity === 'role') &&
    (role.origin === 'created' || role.origin === 'adopted');
  if (!complete) return [];
  return [
    {
      ...(role as RememberedRole),
      oid: role.oid ?? 0,
      place: role.place ?? NOWHERE,
      status: role.status ?? 'active',
      deletionPolicy: role.deletionPolicy ?? null,
      witness: role.witness ?? null,
      privileges: role.privileges ?? false,
      drain: role.drain ?? null,
      disabledAt: role.disabledAt ?? null,
      digest: role.digest ?? null,
    },
  ];
}

/** `{"alice": {"username", "database", "roles", "privileges"}}`: users of the controller that this one replaces. */
function legacyRole(name: string, value: unknown, source: string): RememberedRole[] {
  if (typeof value !== 'object' || value === null || !('username' in value) || value.username !== name) return [];
  const nothing = { deletionPolicy: null, witness: null, privileges: false, drain: null, disabledAt: null, digest: null };
  return [{ name, entity: 'user', origin: 'created', source, oid: 0, place: NOWHERE, status: 'active', ...nothing }];
}

/** What the file says of these: JSON, each role a line. */
export const stateText = (roles: readonly RememberedRole[], place: Place): string =>
  `{"version": 1, "place": ${JSON.stringify(place)}, "roles": [\n${roles.map((role) => lineOf(role)).join(',\n')}\n]}\n`;

const lineOf = onceFor((role: RememberedRole): string => JSON.stringify(role));

/**
 * Writes the file at once or not at all; only our account may read it.
 * @param text as stateText makes it.
 * @throws the file system's error, for example on a read-only one.
 */
export const saveState = writeOwnFile;

/** Sets a file aside that is not believed: what is in it may be what somebody wanted to bring along. Never throws. */
export const setAside = (path: string): Promise<void> => rename(path, `${path}.refused`).catch(() => undefined);
