// One document, two plans: from the server itself, and from a snapshot of it that went through its file.
import { NOTHING_WAITS } from '../../src/steward/backoff.ts';
import { expect } from 'vitest';
import type { Document } from '../../src/model/entries.ts';
import type { Catalog } from '../../src/model/catalog.ts';
import type { DatabaseReading } from '../../src/plan/privileges/privileges-plan.ts';
import type { Plan } from '../../src/plan/plan-input.ts';
import { createConnections } from '../../src/postgres/connection.ts';
import { createResidents } from '../../src/postgres/residents.ts';
import { readSnapshot } from '../../src/snapshot/format.ts';
import { createDatabases } from '../../src/steward/databases.ts';
import { createMemory } from '../../src/steward/memory.ts';
import { type ForPlan, readForPlan, readRoles, type ServerReader } from '../../src/steward/read-for-plan.ts';
import { serverOf } from '../../src/steward/server.ts';
import { snapshotReader } from '../../src/steward/snapshot-reader.ts';
import { takeSnapshot } from '../../src/steward/take-snapshot.ts';
import type { Config } from '../../src/config.ts';
import { expectNoSecrets } from '../support/secrets.ts';

const WITHOUT_SECRETS = {
  credentials: { usable: new Map(), withoutSecret: new Map(), toGenerate: new Set<string>(), notGenerated: new Set<string>(), trimmed: [] },
  wishes: () => ({ create: [], rotate: [], rotationDue: new Map(), write: [], told: new Map(), notices: [] }),
};

/** Takes a snapshot, and compares for each document what is read and planned. @returns the plans, and the file. */
export async function bothPlans(config: Config, documents: readonly Document[]): Promise<{ readonly plans: readonly Plan[]; readonly text: string }> {
  const connections = createConnections(config.server, () => undefined);
  try {
    const server = serverOf(config, connections);
    const memory = createMemory({ file: config.stateFile, server, warn: () => undefined });
    const by = { takenBy: 'test', host: config.server.host, port: config.server.port };
    const { text } = await takeSnapshot(server, memory, by);
    expectNoSecrets(text, 'a snapshot');
    const snapshot = readSnapshot(Buffer.from(text));
    // The same again, but for the moment.
    const again = (await takeSnapshot(server, memory, by)).text;
    expect(momentless(again)).toBe(momentless(text));
    const live: ServerReader = {
      // The same moment for both.
      catalog: async (document) => {
        const catalog = await readRoles(server, document, memory);
        return { ...catalog, server: { ...catalog.server, now: snapshot.catalog.server.now } };
      },
      passwords: (_document, _credentials, _catalog, stale) => Promise.resolve(stale),
      isChanged: () => false,
      databases: createDatabases(server, createResidents({ connections, max: 0, onHeard: () => undefined })),
    };
    const plans: Plan[] = [];
    for (const document of documents) {
      const request = { document, version: '1', waiting: NOTHING_WAITS, ...WITHOUT_SECRETS };
      const fromServer = await readForPlan(server, request, live);
      const fromSnapshot = await readForPlan(server, request, snapshotReader(snapshot));
      expect(inputOf(fromSnapshot)).toEqual(inputOf(fromServer));
      expect(planned(fromSnapshot.plan)).toEqual(planned(fromServer.plan));
      plans.push(fromServer.plan);
    }
    return { plans, text };
  } finally {
    await connections.close();
  }
}

/** `now`, and what is said of it. */
export const momentless = (text: string): string => text.replace(/"takenAt":"[^"]*"/, '').replace(/"now":[\d.]+/, '');

/** All that is said, in its order. */
const planned = ({ noticesOf, entities, turns, ...plan }: Plan) => ({
  ...plan,
  noticesOf: [...noticesOf].toSorted(([a], [b]) => (a < b ? -1 : 1)),
  entities,
  turns,
});

/** What was read, without passwords, and lists without the order in which the server happened to have them. */
function inputOf({ input }: ForPlan) {
  const { catalog, readings, passedOn } = input;
  const { verifiers, managed, ...rest } = catalog;
  return {
    ...rest,
    managed: new Map(
      [...managed].map(([name, { witness, ...role }]) => [name, { ...role, witness: witness === null ? null : [witness.salt !== '', witness.iterations] }]),
    ),
    verifiers: new Map([...verifiers].map(([name, stored]) => [name, stored === null])),
    imported: [],
    shared: unordered(catalog.shared),
    // Live it is read only for guardrails that are about it.
    sharedByAll: [],
    cluster: { ...catalog.cluster, memberships: unordered(catalog.cluster.memberships), grants: unordered(catalog.cluster.grants) },
    granted: new Set(catalog.granted),
    leaving: unordered(catalog.leaving),
    counted: unordered(catalog.counted),
    readings: new Map([...readings].map(([name, reading]) => [name, readingOf(reading)])),
    passedOn,
  } satisfies Record<keyof Catalog, unknown> & Record<string, unknown>;
}

const readingOf = (reading: DatabaseReading): unknown =>
  reading.kind !== 'read'
    ? reading
    : {
        ...reading.contents,
        groups: unordered(reading.contents.groups),
        defaults: unordered(reading.contents.defaults),
        strays: unordered(reading.contents.strays),
        // Live it is read where somebody's rules have to stay.
        trigger: { ...reading.contents.trigger, text: undefined },
        creators: new Map([...reading.contents.creators].map(([schema, roles]) => [schema, unordered(roles)])),
      };

const unordered = <T>(items: readonly T[]): readonly T[] => items.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
