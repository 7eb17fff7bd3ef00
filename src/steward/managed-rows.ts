// The rows of roles that are ours: as they are after a cycle, what the ledger lacks of them, and what the state file has.
import { type Catalog, isSameRole, type ManagedRole, NOWHERE, type Place, type Witness } from '../model/catalog.ts';
import { type Entity, subjectOf } from '../changes/change.ts';
import { definitionOf } from '../changes/table.ts';
import type { Document, UserEntry } from '../model/entries.ts';
import { additiveNames, declaringNames } from '../model/named.ts';
import { onceFor } from '../model/once-for.ts';
import { renamedRow } from '../plan/renamed-catalog.ts';
import type { Outcome } from '../postgres/run.ts';
import type { RememberedRole } from '../state/state-file.ts';

/** What is not known yet of a role that is ours from now on. */
const NEW = { oid: 0, place: NOWHERE, status: 'active', deletionPolicy: null, witness: null, privileges: false, drain: null, disabledAt: null } as const;

/** What is remembered after these outcomes, for when there is no ledger to read it from. OIDs are filled in by the next read. */
export function afterOutcomes(
  managed: ReadonlyMap<string, ManagedRole>,
  outcomes: readonly Outcome[],
  sourceOf: (role: string) => string,
  place: Place,
): Map<string, ManagedRole> {
  const result = new Map(managed);
  const update = (name: string, change: Partial<ManagedRole>): void => {
    const role = result.get(name);
    if (role !== undefined) result.set(name, { ...role, ...change });
  };
  for (const outcome of outcomes) {
    if (outcome.result !== 'applied') continue;
    const { change } = outcome;
    const name = subjectOf(change);
    const memory = definitionOf(change).remembers?.(change);
    switch (memory?.what) {
      case 'ours':
        result.set(name, {
          ...NEW,
          name,
          entity: memory.entity,
          origin: memory.origin,
          source: sourceOf(name),
          disabledAt: memory.isDisabled === true ? new Date().toISOString() : null,
        });
        break;
      case 'recognised':
        memory.names.forEach((one, index) => update(one, { oid: memory.oids[index] ?? 0, place }));
        break;
      case 'password':
        update(name, { witness: (memory.isSet ? outcome.witness : undefined) ?? null });
        break;
      case 'renamed': {
        const row = memory.recorded === undefined ? undefined : result.get(memory.recorded);
        if (row === undefined) break;
        result.delete(row.name);
        result.set(name, renamedRow(row, name));
        break;
      }
      case 'no privileges':
        update(name, { privileges: false });
        break;
      case 'status':
        update(name, { status: memory.status, disabledAt: result.get(name)?.disabledAt ?? new Date().toISOString() });
        break;
      case 'whose':
        update(name, { source: memory.source });
        break;
      case 'no longer ours':
        result.delete(name);
        break;
      case undefined:
    }
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
  const policies = policiesIn(document);
  const users = usersIn(document);
  const declares = declaringNames(document);
  // Of a role that was there before, what it held beside what the document gives is its own, and is not taken when it leaves.
  const additive = additiveNames(document);
  // Those have a change of their own, and are looked at again after it.
  const recognised = new Set(catalog.recognised.flatMap(({ names }) => names));
  const { place } = catalog.server;
  const rows: ManagedRole[] = [];
  for (const [name, entity] of entities) {
    const row = catalog.managed.get(name);
    // One that is to be made or adopted is recorded by that.
    if (row === undefined || recognised.has(name) || !catalog.oids.has(name) || !isSameRole(row, catalog)) continue;
    const wanted = {
      entity,
      ...declaredBy(documentOf(row, document)),
      status: 'active' as const,
      oid: catalog.oids.get(name) ?? row.oid,
      // Once in a while it cannot be read, and is the same for all that.
      server: place.server ?? row.place.server,
      deletionPolicy: policies.get(name) ?? null,
      witness: unwitnessed.get(name) ?? row.witness,
      // Taken back by a change of its own, which says so.
      privileges: row.origin === 'adopted' && additive.has(name) ? false : row.privileges || declares.has(name),
      drain: users.get(name)?.drain ?? null,
      disabledAt: disabledSince(row, users.get(name), catalog),
    };
    const same =
      row.entity === wanted.entity &&
      row.document === wanted.document &&
      row.status === wanted.status &&
      row.oid === wanted.oid &&
      row.place.server === wanted.server &&
      row.place.ledger === place.ledger &&
      row.deletionPolicy === wanted.deletionPolicy &&
      row.witness === wanted.witness &&
      row.privileges === wanted.privileges &&
      row.drain === wanted.drain &&
      row.disabledAt === wanted.disabledAt &&
      row.goneSince === undefined;
    if (same) continue;
    const { server, ...others } = wanted;
    rows.push({ ...row, ...others, goneSince: undefined, place: { ...place, server } });
  }
  return [...rows, ...goneRows(catalog, entities, document)];
}

/** Since when what declared a role is gone: a restart grants no time again. */
function goneRows(catalog: Catalog, entities: ReadonlyMap<string, Entity>, { sources }: Document): readonly ManagedRole[] {
  return [...catalog.managed.values()].flatMap((row) => {
    const isGone = sources?.authors.get(row.source)?.gone.has(row.document ?? '') === true;
    if (isGone === (row.goneSince !== undefined) || entities.has(row.name) || !isSameRole(row, catalog)) return [];
    return [{ ...row, goneSince: isGone ? new Date(catalog.server.now).toISOString() : undefined }];
  });
}

/** Of one that is handed over it is known by whom once that is recorded. */
function documentOf({ name, source, document }: ManagedRole, { sources }: Document): string | undefined {
  if (sources === undefined) return document;
  return sources.claims.get(name) === source ? (sources.documents.get(name) ?? document) : document;
}

const declaredBy = (document: string | undefined): Pick<ManagedRole, 'document'> => (document === undefined ? {} : { document });

const usersIn = onceFor(({ users }: Document): ReadonlyMap<string, UserEntry> => new Map(users.map((user) => [user.username, user])));

const policiesIn = onceFor(
  ({ users, roles }: Document): ReadonlyMap<string, ManagedRole['deletionPolicy']> =>
    new Map([
      ...users.map((user) => [user.username, user.deletionPolicy ?? null] as const),
      ...roles.map((role) => [role.name, role.deletionPolicy ?? null] as const),
    ]),
);

/** A user whose login was taken away before anything remembered it counts as disabled from now on; a role was a user once, if it has a moment. */
function disabledSince(row: ManagedRole, user: UserEntry | undefined, { cluster, server }: Catalog): string | null {
  if (user === undefined) return cluster.roles.get(row.name)?.login === false ? row.disabledAt : null;
  if (user.login) return null;
  return cluster.roles.get(row.name)?.login === false ? (row.disabledAt ?? new Date(server.now).toISOString()) : row.disabledAt;
}

/** The state file's rows: everything that is ours, with the digest of each entry that is applied by now. */
export function stateRows(
  managed: ReadonlyMap<string, ManagedRole>,
  document: Document,
  digests: ReadonlyMap<string, string>,
  defaultDatabase: string,
): RememberedRole[] {
  const users = usersIn(document);
  return [...managed.values()].map((role) => rowOf(role, users.get(role.name), digests.get(role.name), defaultDatabase));
}

/** The very same row for as long as nothing of it is otherwise: it is written down once. */
const rowOf = onceFor((role: ManagedRole, user: UserEntry | undefined, digest: string | undefined, defaultDatabase: string): RememberedRole => ({
  ...role,
  digest: digest ?? null,
  ...(user === undefined ? {} : { database: user.database ?? defaultDatabase, roles: user.roles.map((entry) => entry.name) }),
}));
