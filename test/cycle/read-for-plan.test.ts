// A plan without a daemon: read from the server for a document and the values of its Secrets, it is what a dry run says, and nothing is written for it.
import { NOTHING_WAITS } from '../../src/steward/backoff.ts';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { Document } from '../../src/model/entries.ts';
import { parseDocument } from '../../src/document/parse.ts';
import { planLines } from '../../src/changes/plan-lines.ts';
import { readCredentials } from '../../src/steward/credentials.ts';
import { readerOf, readForPlan } from '../../src/steward/read-for-plan.ts';
import { serverOf } from '../../src/steward/server.ts';
import { createConnections } from '../../src/postgres/connection.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, ddlOf, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  {},
  (started) => (server = started),
  () => steward,
);

const NO_WISHES = { create: [], rotate: [], rotationDue: new Map(), write: [], told: new Map(), notices: [] };

/** What is planned for these users by somebody who knows nothing but what stands here. */
async function planned(document: Document, passwords: Readonly<Record<string, string>>): Promise<string[]> {
  const { config } = steward;
  const connections = createConnections(config.server, () => undefined);
  const credentials = readCredentials(
    document,
    ({ name }) => ({ kind: 'value', value: Buffer.from(passwords[name] ?? ''), version: '1' }),
    () => false,
  );
  try {
    const forServer = serverOf(config, connections);
    const reader = readerOf(forServer, { remembered: new Map(), missing: () => [], triggerDatabases: new Set() });
    const { plan } = await readForPlan(forServer, { document, version: '1', credentials, wishes: () => NO_WISHES, waiting: NOTHING_WAITS }, reader);
    return planLines(plan.changes);
  } finally {
    await connections.close();
  }
}

it('is what a dry run says, and writes nothing', async () => {
  await server.query('CREATE DATABASE shop');
  await server.query('CREATE TABLE goods (id int)', 'shop');
  steward = await createSteward(server);
  const reads = [{ database: 'shop', schemas: ['public'], tables: { '*': ['SELECT'] } }];
  steward.manifests.users([{ username: 'alice', grants: reads }, { username: 'zoe' }]);
  steward.manifests.secret('alice', 'the first of alice');
  steward.manifests.secret('zoe', 'the first of zoe');
  expect((await steward.cycle()).result).toBe('changed');
  await server.query('REVOKE SELECT ON goods FROM alice; GRANT INSERT ON goods TO alice', 'shop');
  const users = [
    { username: 'alice', grants: reads },
    { username: 'bob', roles: ['pg_monitor'] },
  ];
  steward.manifests.users(users);
  steward.manifests.secret('alice', 'the second of alice');
  steward.manifests.secret('bob', 'the first of bob');
  const state = readFileSync(steward.config.stateFile, 'utf8');

  server.mark();
  const document = parseDocument(Buffer.from(JSON.stringify({ users })), 'users.yaml', steward.config.policy.defaultDatabase);
  const lines = await planned(document, { 'user-alice-secret': 'the second of alice', 'user-bob-secret': 'the first of bob' });
  expect(ddlOf(server.log())).toEqual([]);
  expect(readFileSync(steward.config.stateFile, 'utf8')).toBe(state);
  expect(lines.length).toBeGreaterThan(4);
  const dry = await steward.restart({ DRY_RUN: 'true' });
  expect(planLines((await dry.cycle()).planned)).toEqual(lines);
  steward = dry;
});
