// The state file: what was last applied, for runs without a ledger and to tell drift from a changed document. Losing it loses nothing.
import { readFileSync } from 'node:fs';
import { open, rename, unlink } from 'node:fs/promises';
import type { ManagedRole } from '../core/catalog.ts';

/** What the file remembers of one role: the ledger's row, and a digest of the entry that was applied. */
export interface RememberedRole extends ManagedRole {
  readonly digest: string | null;
  /** As the old controller kept them; for people who read the file. */
  readonly database?: string | undefined;
  readonly roles?: readonly string[] | undefined;
}

export interface StateFile {
  readonly roles: ReadonlyMap<string, RememberedRole>;
  /** Why nothing could be read, where the file is there but of no use. */
  readonly problem: string | undefined;
}

const EMPTY: ReadonlyMap<string, RememberedRole> = new Map();

/** Reads the file; one that is missing, empty or broken remembers nothing. `source` is who users of the old format belong to. */
export function loadState(path: string, source: string): StateFile {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    return { roles: EMPTY, problem: code === 'ENOENT' ? undefined : `cannot be read (${code ?? 'unknown error'})` };
  }
  if (text.trim() === '') return { roles: EMPTY, problem: 'is empty' };
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return { roles: EMPTY, problem: 'holds no JSON object' };
    const roles = isCurrent(value) ? value.roles.flatMap(currentRole) : Object.entries(value).flatMap(([name, entry]) => legacyRole(name, entry, source));
    return { roles: new Map(roles.map((role) => [role.name, role])), problem: undefined };
  } catch {
    return { roles: EMPTY, problem: 'is not valid JSON' };
  }
}

const isCurrent = (value: object): value is { version: number; roles: unknown[] } =>
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
  return [{ name, entity: 'user', origin: 'created', source, oid: 0, status: 'active', ...nothing }];
}

/**
 * Writes the file at once or not at all: beside it, synced, then renamed over it. Only the owner may read it.
 * @throws the file system's error, for example on a read-only one.
 */
export async function saveState(path: string, roles: Iterable<RememberedRole>): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(`${JSON.stringify({ version: 1, roles: [...roles] }, null, 1)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path).catch(async (error: unknown) => {
    await unlink(temporary).catch(() => undefined);
    throw error;
  });
}
