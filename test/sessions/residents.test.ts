// Resident sessions: none stays open in a database that nobody follows any longer.
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { createConnections } from '../../src/postgres/connection.ts';
import { createResidents } from '../../src/postgres/residents.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';

let server: Postgres;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

it('a session that opens only when its database is no longer followed is ended at once', async () => {
  const { server: settings } = readConfig({ DB_HOST: server.host, DB_PORT: String(server.port), DB_USER: server.user, DB_PASS: server.password });
  const connections = createConnections(settings, () => undefined);
  const opened: pg.Client[] = [];
  let isEnded = false;
  const open = async (database: string): Promise<pg.Client> => {
    const client = await connections.open(database);
    if (opened.push(client) === 1) client.once('end', () => (isEnded = true));
    residents.follow([]);
    return client;
  };
  const residents = createResidents({ connections: { ...connections, open }, max: 1, onHeard: () => undefined });
  try {
    residents.follow(['postgres']);
    for (let waited = 0; !isEnded && waited < 5000; waited += 50) await sleep(50);
    expect({ isEnded, opened: opened.length }).toEqual({ isEnded: true, opened: 1 });
  } finally {
    residents.close();
    await connections.close();
  }
});
