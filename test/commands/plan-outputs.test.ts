// The outputs of a plan, as golden files: names that are commands to a terminal, markup or SQL stand in them as what they are, names.
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { rendered, type ShownPlan } from '../../src/commands/plan-output.ts';
import type { ShownAccessLine } from '../../src/commands/plan-access.ts';
import type { ShownChange } from '../../src/commands/plan-view.ts';
import { expectGolden } from '../support/golden.ts';

const NAME = 'a|b`c`<i>@me\n\u001B[2J\u202E';
const change = (more: Partial<ShownChange>): ShownChange => ({
  kind: 'grant_privilege',
  loses: null,
  role: 'alice',
  database: null,
  object: 'alice on database shop',
  sentence: 'grant CONNECT on database shop to: alice',
  names: [],
  sql: ['GRANT CONNECT ON DATABASE "shop" TO "alice"'],
  ...more,
});
const tables = Array.from({ length: 30 }, (_, index) => `public.t${index}`);

const accessLine = (more: Partial<ShownAccessLine>): ShownAccessLine => ({
  role: 'alice',
  database: 'shop',
  kind: 'table',
  schema: 'public',
  privileges: ['SELECT', 'INSERT'],
  names: [],
  count: 1,
  all: false,
  by: 'alice → reader: granted to reader by boss',
  chain: ['alice', 'reader'],
  ...more,
});

const SHOWN: ShownPlan = {
  view: {
    version: 1,
    result: 'refused',
    server: {
      host: 'db.example',
      port: 5432,
      adminDatabase: 'postgres',
      login: 'steward',
      major: 17,
      systemIdentifier: '7391',
      readAt: '2026-11-27T18:00:00.000Z',
      snapshot: { ageSeconds: 200_000, isStale: true },
    },
    document: 'users.yaml',
    withSecrets: false,
    changes: [
      change({ kind: 'create_role', role: NAME, object: NAME, sentence: `create user: ${NAME} with roles []`, sql: ['CREATE ROLE "a"'] }),
      change({}),
      change({
        database: 'shop',
        sentence: 'grant SELECT on 30 tables of schema public (t0, t1, t2, …) in database shop to: alice',
        names: tables,
        sql: ['GRANT SELECT ON …'],
      }),
      ...Array.from({ length: 25 }, (_, index) =>
        change({ kind: 'grant_membership', role: 'bob', object: `bob in r${index}`, sentence: `grant roles to bob: [r${index}]`, sql: [] }),
      ),
      change({ kind: 'revoke_privilege', loses: 'rights', role: 'PUBLIC', database: 'shop', sentence: 'revoke ALL on table t from: PUBLIC (granted by x)' }),
      change({ kind: 'drop_role', loses: 'role', role: 'carl', sentence: 'drop user: carl' }),
    ],
    remembered: [change({ kind: 'adopt_role', sentence: 'adopt existing user: alice', sql: [] })],
    waiting: [],
    notices: [
      { kind: 'refused', subject: 'bob', message: 'membership in postgres is refused: it is a superuser', sql: null, sqlDatabase: null },
      { kind: 'pending', subject: null, message: `${NAME} waits until it exists`, sql: null, sqlDatabase: null },
    ],
    problems: [{ severity: 'warning', file: 'users.yaml', line: 3, column: 5, path: 'users[0]', message: 'something', name: 'alice' }],
    access: {
      gained: [
        accessLine({ names: tables, count: 130, all: true }),
        accessLine({ role: NAME, kind: 'function', schema: NAME, names: ['f(integer)'], privileges: ['EXECUTE'], by: `${NAME} → team: granted to team by x` }),
        accessLine({ kind: 'database', database: null, schema: '', names: ['shop', NAME], count: 2, privileges: ['CONNECT'] }),
      ],
      lost: [accessLine({ role: 'PUBLIC', chain: ['PUBLIC'], names: ['t0'], by: 'granted to PUBLIC by x' })],
      unknown: [`database ${NAME} was not read: permission denied`],
    },
  },
  script: [
    { kind: 'database', name: "o'clock \\ \n5" },
    { kind: 'transaction', statements: ['CREATE ROLE "a"', ' SELECT 1'] },
    { kind: 'note', text: 'a password has to be set for x\n; DROP' },
    { kind: 'alone', statements: ['CREATE DATABASE "shop"'] },
  ],
};

const outputOf = (...options: readonly (readonly [string, string | true])[]): string =>
  rendered(SHOWN, { options: new Map(options) }, { stdout: new PassThrough() });

describe.each(['text', 'json', 'markdown', 'sql'])('%s', (format) => {
  it('is as in the golden file', () => expectGolden(`plan.${format}.golden`, outputOf(['output', format])));

  it('holds nothing that a terminal takes for a command', () => {
    for (const text of [outputOf(['output', format]), outputOf(['output', format], ['full', true])]) expect(text).not.toMatch(/[^\P{Cc}\n]|\p{Cf}/u);
  });
});

it('--full shows every line and every name', () => {
  for (const format of ['text', 'markdown']) {
    const [folded, full] = [outputOf(['output', format]), outputOf(['output', format], ['full', true])];
    expect(full).not.toContain('--full shows all');
    for (const name of [...tables, 'r24']) expect(full).toContain(name);
    expect(folded).not.toContain('public.t20');
  }
  expect(outputOf()).toContain('… and 5 more change(s); --full shows all');
});

it('JSON says the same as before it was made harmless', () => {
  expect(JSON.parse(outputOf(['output', 'json']))).toEqual(JSON.parse(JSON.stringify(SHOWN.view)));
});
