// Read again at once: what was read where it was just changed is the next pass's reading, and only while roles, memberships and databases are as they were.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Connections, createConnections } from '../../src/postgres/connection.ts';
import { createRoom } from '../../src/postgres/object-count.ts';
import { createRereads, type RequestBeside, type Rereads } from '../../src/steward/reread.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { createSteward, resetServer } from '../support/steward.ts';

const ROLE = `r "1"\nDROP`;
const QUOTED = `"${ROLE.replaceAll('"', '""')}"`;
const TIMEOUTS = { statementTimeout: 60, lockTimeout: 5 };

let server: Postgres;
let connections: Connections;
beforeAll(async () => {
  server = await startPostgres();
  connections = createConnections(
    {
      ...server,
      adminDatabase: 'postgres',
      tls: { mode: 'disable', rootCert: undefined },
      sessions: { min: 1, max: 2 },
      timeouts: TIMEOUTS,
      passwordFile: undefined,
    },
    () => undefined,
  );
  await server.query(`CREATE ROLE ${QUOTED}`);
  await server.query('CREATE DATABASE other');
  await server.query(`CREATE SCHEMA s; CREATE TABLE s.t (id int); GRANT SELECT ON s.t TO ${QUOTED}`, 'other');
});
afterAll(async () => {
  await connections.close();
  await server.stop();
});

const REQUEST: RequestBeside = { ...TIMEOUTS, columns: false, largeObjects: false, room: createRoom(1000, 0), guarded: [] };

/** What was read of the database just after it was changed. */
async function reread(): Promise<Rereads> {
  const rereads = createRereads(
    { connections },
    { compared: [ROLE, 'nobody'], facts: { readsVerifiers: true, major: server.major }, requestOf: (name) => (name === 'other' ? REQUEST : undefined) },
  );
  await rereads.begin();
  const client = await connections.open('other');
  await rereads.read('other', client);
  await rereads.read('another', client);
  await client.end();
  return rereads;
}

const oids = async (): Promise<readonly number[]> =>
  (await server.query<{ oid: string }>(`SELECT oid FROM pg_roles WHERE rolname ~ '^r'`)).map(({ oid }) => Number(oid));

it('is taken once, as it was asked for', async () => {
  const rereads = await reread();
  const taken = await rereads.take(await oids());
  const groups = taken('other', REQUEST)?.contents.groups.filter(({ kind }) => kind === 'table');
  expect(groups?.map(({ names, entries }) => [names, entries.map(({ grantee, privilege }) => [grantee, privilege])])).toEqual([[['t'], [[ROLE, 'SELECT']]]]);
  expect(taken('other', { ...REQUEST, columns: true })).toBeUndefined();
  expect(taken('another', REQUEST)).toBeUndefined();
  expect((await rereads.take(await oids()))('other', REQUEST)).toBeUndefined();
});

it.each([
  ['a role that is called otherwise by now', `ALTER ROLE ${QUOTED} RENAME TO r2`, `ALTER ROLE r2 RENAME TO ${QUOTED}`],
  ['a role that is gone and there again', 'CREATE ROLE x', 'DROP ROLE x'],
  ['a membership', `GRANT pg_monitor TO ${QUOTED}`, `REVOKE pg_monitor FROM ${QUOTED}`],
  ['a right on a database', `GRANT CONNECT ON DATABASE other TO ${QUOTED}`, `REVOKE CONNECT ON DATABASE other FROM ${QUOTED}`],
])('is nothing after %s', async (_what, change, back) => {
  const rereads = await reread();
  await server.query(change);
  expect((await rereads.take(await oids()))('other', REQUEST)).toBeUndefined();
  await server.query(back);
});

it('is nothing for others than those that are compared by now', async () => {
  expect((await (await reread()).take([...(await oids()), 1]))('other', REQUEST)).toBeUndefined();
  expect((await (await reread()).take([]))('other', REQUEST)).toBeUndefined();
});

it('lets nothing that does silently nothing count as done, nor what somebody undoes at once', async () => {
  await resetServer(server);
  await server.query('CREATE DATABASE other');
  await server.query(
    `CREATE SCHEMA s; CREATE TABLE s.t (id int); CREATE TABLE s.u (id int);
     CREATE FUNCTION s.undo() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN REVOKE SELECT ON s.t FROM app; END$$;
     CREATE EVENT TRIGGER undo ON ddl_command_end WHEN TAG IN ('GRANT') EXECUTE FUNCTION s.undo()`,
    'other',
  );
  const steward = await createSteward(server);
  steward.manifests.users(
    JSON.stringify({
      roles: [{ name: 'app', grants: [{ databases: ['other'], schemas: ['s'], tables: { '*': ['SELECT'] } }] }],
      users: [{ username: 'amy', login: false }],
    }),
  );
  const report = await steward.cycle();
  expect(report.notices.map(({ kind }) => kind)).toContain('not_converging');
  await server.query('DROP EVENT TRIGGER undo', 'other');
  await steward.close();
});
