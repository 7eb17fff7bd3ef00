// Names of everything as they come: quotes, line ends, SQL, keys of a terminal, and characters that patterns of SQL have a meaning for.
import { stringify } from 'yaml';
import { expect, it } from 'vitest';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  {},
  (started) => (server = started),
  () => steward,
);

const q = (name: string): string => `"${name.replaceAll('"', '""')}"`;

it.each([
  ['quotes and SQL', `it's "x"; DROP ROLE postgres; --`],
  ['line ends and keys', 'a\nb\u001F\u001B[2Jc'],
  ['what LIKE knows', String.raw`50%_!\off`],
  ['letters beyond ASCII', 'зарплата é 💶'],
  ['what objects of a program inherit', '__proto__'],
])('%s are names like any other', async (_what, odd) => {
  const [database, schema, table, team, owner] = [`d ${odd}`, `s ${odd}`, `t ${odd}`, `r ${odd}`, `o ${odd}`];
  await server.query(`CREATE ROLE ${q(owner)}; CREATE ROLE ${q(team)}; CREATE ROLE ${q(`l ${odd}`)} LOGIN`);
  await server.query(`CREATE DATABASE ${q(database)} OWNER ${q(owner)}`);
  const inside = await server.client(database);
  try {
    await inside.query(`CREATE SCHEMA ${q(schema)} AUTHORIZATION ${q(owner)}; SET ROLE ${q(owner)}; CREATE TABLE ${q(schema)}.${q(table)} (id int)`);
    // Names that a pattern of SQL would take for this one, if its characters meant something.
    await inside.query(`CREATE TABLE ${q(schema)}.${q(`t ${odd.replaceAll(/[%_]/g, 'X')}2`)} (id int)`);
    await inside.query(
      `CREATE FUNCTION ${q(schema)}.${q(table)}(int) RETURNS int LANGUAGE sql AS 'SELECT 1'; REVOKE EXECUTE ON FUNCTION ${q(schema)}.${q(table)} FROM PUBLIC`,
    );
    const on = { database, schema };
    const guardrails = [
      { name: 'exact', never: 'SELECT', on: { ...on, tables: [table] }, by: '*' },
      { name: 'pattern', never: 'INSERT', on: { ...on, tables: [`${[...table].slice(0, -1).join('')}*`] }, by: '*' },
      { name: 'function', never: 'EXECUTE', on: { ...on, functions: [`${table}(int)`] }, by: [`l ${odd}`, 'a*'] },
    ];
    const grants = [{ database, schemas: [schema], tables: { [table]: ['SELECT', 'INSERT'] }, functions: { [`${table}(integer)`]: ['EXECUTE'] } }];
    steward = await createSteward(server, { EVENT_TRIGGERS: 'off' });
    steward.manifests.users(stringify({ guardrails, users: [{ username: 'alice', password: 'none', database, grants }] }));
    const first = await steward.cycle();
    expect(first.problems).toEqual([]);
    expect(first.guardrails).toEqual([
      { name: 'exact', refused: 1, broken: 0 },
      { name: 'pattern', refused: 0, broken: 0 },
      { name: 'function', refused: 1, broken: 0 },
    ]);
    await inside.query(
      `GRANT SELECT, INSERT ON ${q(schema)}.${q(table)} TO ${q(team)}; GRANT EXECUTE ON FUNCTION ${q(schema)}.${q(table)} TO ${q(team)}; RESET ROLE`,
    );
    await server.query(`GRANT ${q(team)} TO ${q(`l ${odd}`)}`);
    const told = await steward.cycle();
    expect(told.guardrails.map(({ name, broken }) => [name, broken])).toEqual([
      ['exact', 1],
      ['pattern', 1],
      ['function', 1],
    ]);
    expect(told.notices.filter(({ kind }) => kind === 'guardrail_broken').map(({ subject }) => subject)).toEqual(Array.from({ length: 3 }, () => `l ${odd}`));
  } finally {
    await inside.end();
  }
});
