// Remembering: which roles are ours after a cycle, what the ledger lacks of it, and what goes into the state file.
import { createHash } from 'node:crypto';
import type { Catalog, ManagedRole, Witness } from '../core/catalog.ts';
import type { Entity } from '../core/change.ts';
import type { DatabaseEntry, Document, RoleDeclaration, UserEntry } from '../core/document/types.ts';
import { declaringNames } from '../core/named.ts';
import type { Outcome } from '../postgres/run-batch.ts';
import type { RememberedRole } from '../state/state-file.ts';

/** What is remembered after these outcomes, for when there is no ledger to read it from. OIDs are filled in by the next read. */
export function afterOutcomes(managed: ReadonlyMap<string, ManagedRole>, outcomes: readonly Outcome[], source: string): Map<string, ManagedRole> {
  const result = new Map(managed);
  const update = (name: string, change: Partial<ManagedRole>): void => {
    const role = result.get(name);
    if (role !== undefined) result.set(name, { ...role, ...change });
  };
  for (const outcome of outcomes) {
    if (outcome.result !== 'applied') continue;
    const { change } = outcome;
    if (change.kind === 'create_role' || change.kind === 'adopt_role')
      result.set(change.role, {
        name: change.role,
        entity: change.entity,
        origin: change.kind === 'create_role' ? 'created' : 'adopted',
        source,
        oid: 0,
        status: 'active',
        deletionPolicy: null,
        witness: null,
        privileges: false,
        drain: null,
        disabledAt: null,
      });
    else if (change.kind === 'set_password') update(change.role, { witness: outcome.witness ?? null });
    else if (change.kind === 'forget_privileges') update(change.role, { privileges: false });
    else if (change.kind === 'clear_password') update(change.role, { witness: null });
    else if (change.kind === 'disable_role')
      update(change.role, { status: change.keep ? 'disabled' : 'removing', disabledAt: result.get(change.role)?.disabledAt ?? new Date().toISOString() });
    else if (change.kind === 'drop_role' || change.kind === 'forget_role') result.delete(change.role);
  }
  return result;
}

/** Rows that should say something else, although nothing changes on the server: the entry's policy, a kind, a witness, a role that is wanted again. */
export function correctedRows(
  catalog: Catalog,
  entities: ReadonlyMap<string, Entity>,
  document: Document,
  unwitnessed: ReadonlyMap<string, Witness>,
): ManagedRole[] {
  const policies = new Map([
    ...document.users.map((user) => [user.username, user.deletionPolicy ?? null] as const),
    ...document.roles.map((role) => [role.name, role.deletionPolicy ?? null] as const),
  ]);
  const users = new Map(document.users.map((user) => [user.username, user]));
  const declares = declaringNames(document);
  return [...entities].flatMap(([name, entity]) => {
    const row = catalog.managed.get(name);
    if (row === undefined) return [];
    const wanted: ManagedRole = {
      ...row,
      entity,
      status: 'active',
      oid: catalog.oids.get(name) ?? row.oid,
      deletionPolicy: policies.get(name) ?? null,
      witness: unwitnessed.get(name) ?? row.witness,
      // Taken back by a change of its own, which says so.
      privileges: row.privileges || declares.has(name),
      drain: users.get(name)?.drain ?? null,
      disabledAt: disabledSince(row, users.get(name), catalog),
    };
    const same =
      row.entity === wanted.entity &&
      row.status === wanted.status &&
      row.oid === wanted.oid &&
      row.deletionPolicy === wanted.deletionPolicy &&
      row.witness === wanted.witness &&
      row.privileges === wanted.privileges &&
      row.drain === wanted.drain &&
      row.disabledAt === wanted.disabledAt;
    return same ? [] : [wanted];
  });
}

/** A user whose login was taken away before anything remembered it counts as disabled from now on. */
function disabledSince(row: ManagedRole, user: UserEntry | undefined, { cluster, server }: Catalog): string | null {
  if (user === undefined || user.login) return null;
  return cluster.roles.get(row.name)?.login === false ? (row.disabledAt ?? new Date(server.now).toISOString()) : row.disabledAt;
}

type Entry = UserEntry | RoleDeclaration | DatabaseEntry;

/** A digest of what an entry says, wherever it stands in the document: equal digests and a difference on the server mean drift. */
export function entryDigest(entry: Entry): string {
  const known = digestsOfEntries.get(entry);
  if (known !== undefined) return known;
  const digest = createHash('sha256').update(JSON.stringify(entry, plainly)).digest('base64url').slice(0, 16);
  digestsOfEntries.set(entry, digest);
  return digest;
}

/** Entries live as long as their document; each is digested once. */
const digestsOfEntries = new WeakMap<Entry, string>();

/** Without places, which change with every line above, and with maps as lists. */
const plainly = (key: string, value: unknown): unknown => (key === 'position' ? undefined : value instanceof Map ? [...value] : value);

/** The state file's rows: everything that is ours, with the digest of each entry that is applied by now. */
export function stateRows(
  managed: ReadonlyMap<string, ManagedRole>,
  document: Document,
  digests: ReadonlyMap<string, string>,
  defaultDatabase: string,
): RememberedRole[] {
  const users = new Map(document.users.map((user) => [user.username, user]));
  return [...managed.values()].map((role) => {
    const user = users.get(role.name);
    return {
      ...role,
      digest: digests.get(role.name) ?? null,
      ...(user === undefined ? {} : { database: user.database ?? defaultDatabase, roles: user.roles.map((entry) => entry.name) }),
    };
  });
}
