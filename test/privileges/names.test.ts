// Names of every sort: databases, schemas, objects, columns and roles are taken as they are written, and nothing in them is run.
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { createSteward, resetServer, type Steward } from '../support/steward.ts';
import { holdings, ident } from './acl.ts';
import { QUIET, writesDuring } from './quiet.ts';

let server: Postgres;
let steward: Steward;
beforeAll(async () => {
  server = await startPostgres({ settings: QUIET });
});
afterAll(() => server.stop());
afterEach(async () => {
  await steward.close();
  await resetServer(server);
});

const NAMES = [
  'Odd "name"',
  `it's`,
  'a; DROP TABLE x; --',
  'dotted.name',
  'select',
  'back\\slash',
  'emoji 🐘',
  'comma,{brace}',
  '$$',
  'per%cent',
  'line\nbreak',
  'x'.repeat(63),
] as const;

it.each(NAMES)('%j is a name like any other', async (name) => {
  const quoted = ident(name);
  await server.query(`CREATE ROLE ${ident(`owner ${name}`.slice(0, 63))}`);
  await server.query(`CREATE DATABASE ${quoted} OWNER ${ident(`owner ${name}`.slice(0, 63))}`);
  const client = await server.client(name);
  await client.query(
    `CREATE SCHEMA ${quoted} AUTHORIZATION ${ident(`owner ${name}`.slice(0, 63))}; CREATE TABLE ${quoted}.${quoted} (${quoted} integer); CREATE SEQUENCE ${quoted}.${ident(`s ${name}`.slice(0, 63))};
     CREATE DOMAIN ${quoted}.${ident(`d ${name}`.slice(0, 63))} AS integer; CREATE FUNCTION ${quoted}.${quoted}(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1'`,
  );
  steward = await createSteward(server, { RETRY_BACKOFF_BASE: '1' });
  steward.manifests.users(
    stringify({
      databases: [{ name, public: { databasePrivileges: [], functions: { '*': [] }, schemas: [name] }, createdBy: [name] }],
      roles: [
        {
          name,
          grants: [
            {
              database: name,
              databasePrivileges: ['CONNECT'],
              schemas: [name],
              tables: { '*': ['SELECT'], [name]: ['INSERT'] },
              columns: { [name]: { [name]: ['UPDATE'] } },
              sequences: { [`s ${name}`.slice(0, 63)]: ['USAGE'] },
              types: { [`d ${name}`.slice(0, 63)]: ['USAGE'] },
              functions: { [`${name}(int)`]: ['EXECUTE'] },
            },
          ],
        },
      ],
      users: [{ username: 'somebody', login: false }],
    }),
  );
  const report = await steward.cycle();
  expect(report.result, JSON.stringify([report.problems, report.notices])).toBe('changed');
  const expected = [
    `database ${name}: .${name} CONNECT`,
    `schema ${name}: ${name}.${name} USAGE`,
    `table ${name}: ${name}.${name} INSERT`,
    `column ${name}: ${name}.${name}.${name} UPDATE`,
    `sequence ${name}: ${name}.${`s ${name}`.slice(0, 63)} USAGE`,
    `type ${name}: ${name}.${`d ${name}`.slice(0, 63)} USAGE`,
    `function ${name}: ${name}.${name}(integer) EXECUTE`,
  ].toSorted();
  expect(await holdings(client, name, server.major)).toEqual(expected);
  await client.query(`GRANT DELETE ON ${quoted}.${quoted} TO ${quoted}; REVOKE UPDATE (${quoted}) ON ${quoted}.${quoted} FROM ${quoted}`);
  expect((await steward.cycle()).drift.length).toBeGreaterThan(0);
  expect(await holdings(client, name, server.major)).toEqual(expected);
  expect(await writesDuring(server, () => steward.cycle())).toEqual([]);
  await client.query(`SET ROLE ${ident(`owner ${name}`.slice(0, 63))}; CREATE TABLE ${quoted}.later (id integer); RESET ROLE`);
  expect(await holdings(client, name, server.major)).toContain(`table ${name}: ${name}.later SELECT`);
  await client.end();
});
