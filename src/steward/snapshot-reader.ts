// A server that answers from a snapshot, as the server itself would have answered when that was taken.
import { atOnce } from '../model/in-parts.ts';
import { namesByOid } from '../model/catalog.ts';
import { comparedNames } from '../model/named.ts';
import { passedOnFrom } from '../plan/removal/passed-on.ts';
import type { DatabaseReading } from '../plan/privileges/privileges-plan.ts';
import { type Asked, catalogFor, contentsFor, heldFor } from '../snapshot/narrow.ts';
import type { RecordedDatabase, Snapshot } from '../snapshot/snapshot.ts';
import { type DefinersAsked, definersFrom, type GuardedDefiners, viewsAbove } from '../guard/definers.ts';
import { type GuardedReading, guardedOf } from '../guard/guarded.ts';
import { isAimedAt } from '../guard/rails.ts';
import { furtherName, type ObjectName, ownName } from '../model/contents.ts';
import { TOO_MANY } from '../postgres/guarded-definers.ts';
import type { GuardTarget } from '../model/guardrails.ts';
import { databasesRequest } from './database-request.ts';
import type { PlanPlace } from './plan-once.ts';
import type { ServerReader } from './read-for-plan.ts';
import type { Policy } from './server.ts';

/** The snapshot as a place to plan for. */
export const snapshotPlace = (snapshot: Snapshot, policy: Policy): PlanPlace => ({
  adminDatabase: snapshot.adminDatabase,
  policy,
  reader: snapshotReader(snapshot, policy.guardrails),
  ledger: () => Promise.resolve(snapshot.ledger === undefined ? [] : [snapshot.ledger]),
});

/** For a plan without passwords: of those, a snapshot knows nothing that a Secret could be compared with. */
export const snapshotReader = (snapshot: Snapshot, guardrails: Policy['guardrails'] = []): ServerReader => ({
  catalog: (document) => Promise.resolve({ ...catalogFor(document, snapshot), sharedByAll: snapshot.catalog.shared.filter(({ kind }) => kind !== 'database') }),
  passwords: (_document, _credentials, _catalog, stale) => Promise.resolve(stale),
  isChanged: () => false,
  databases: {
    read: (document, catalog, version) => {
      const { adminDatabase, defaultDatabase } = snapshot;
      const server = { adminDatabase, policy: { defaultDatabase, guardrails } };
      const { names, guardedOnly, targetsIn, definersIn, contents } = databasesRequest(document, catalog, version, server);
      // The catalog may have names that are to come, and the contents have those of the snapshot.
      const nameOf = namesByOid(snapshot.catalog.oids);
      const roles = new Set([...comparedNames(document)].flatMap((name) => nameOf.get(catalog.oids.get(name) ?? 0) ?? []));
      const { columns, largeObjects } = contents;
      const guarded = [...names, ...guardedOnly].flatMap((name): [string, GuardedReading][] => {
        const targets = targetsIn(name);
        return targets.length === 0 ? [] : [[name, guardedReadingOf(snapshot, name, targets, definersIn(name))]];
      });
      return Promise.resolve({
        readings: new Map(names.map((name) => [name, readingOf(snapshot.databases.get(name), { roles, columns, largeObjects })])),
        guarded: new Map(guarded),
      });
    },
    passedOn: (leavers, catalog) => Promise.resolve(passedOnFrom(heldFor(leavers, catalog, snapshot.passedOn))),
  },
});

/** A snapshot has the entries of everybody. */
function guardedReadingOf({ databases, catalog }: Snapshot, name: string, targets: readonly GuardTarget[], asked: DefinersAsked | undefined): GuardedReading {
  const recorded = databases.get(name);
  if (recorded?.kind !== 'read') return { kind: 'unreadable', reason: recorded?.reason ?? 'it is not in the snapshot' };
  const itself = catalog.shared.filter(({ kind }) => kind === 'database').map((group) => ({ ...group, names: group.names.filter((one) => one === name) }));
  const guarded = atOnce(guardedOf(targets, [...recorded.contents.groups, ...itself], recorded.contents.defaults));
  return { kind: 'read', guarded: { ...guarded, definers: asked === undefined ? undefined : definersIn(recorded, asked) } };
}

function definersIn({ beside, contents: { groups } }: Extract<RecordedDatabase, { kind: 'read' }>, { targets, functions }: DefinersAsked): GuardedDefiners {
  if (beside === undefined) return { kind: 'unknown', reason: 'an older version took the snapshot, which left them out' };
  if (beside.more) return { kind: 'unknown', reason: TOO_MANY };
  const shown = new Set(beside.definers.map((one) => JSON.stringify([one.schema, one.name, one.shown])));
  const isDefiner = (schema: string, name: ObjectName): boolean => shown.has(JSON.stringify([schema, ownName(name), furtherName(name) ?? '']));
  const found = groups.flatMap((group) => {
    const names = functions && group.kind === 'function' ? group.names.filter((name) => isDefiner(group.schema, name)) : [];
    return names.length === 0 ? [] : [{ ...group, names }];
  });
  const views = viewsAbove(beside.views, ({ schema, name }) => targets.some((target) => isAimedAt(target, 'table', schema, name)));
  return definersFrom(views, groups, found);
}

function readingOf(recorded: RecordedDatabase | undefined, asked: Asked): DatabaseReading {
  if (recorded === undefined) return { kind: 'unreadable', reason: 'it is not in the snapshot' };
  if (recorded.kind === 'unreadable') return recorded;
  if (!recorded.whole && (asked.columns || asked.largeObjects)) {
    const reason = `not all of its columns and large objects are in the snapshot, and the document has rules for such: ${recorded.reason ?? 'there were too many'}`;
    return { kind: 'unreadable', reason };
  }
  return { kind: 'read', contents: contentsFor(recorded.contents, asked) };
}
