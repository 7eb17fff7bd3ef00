// The operator's guardrails: a file that is read as the process starts and with each cycle, which no document can weaken.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { describe, expect, it } from 'vitest';
import { ConfigError, readConfig } from '../../src/config.ts';
import type { CycleReport } from '../../src/steward/report.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { scratch } from '../support/scratch.ts';
import { createSteward, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  {},
  (started) => (server = started),
  () => steward,
);

const PAYROLL = { name: 'payroll', never: 'SELECT', on: { database: 'h*', schema: 'public', tables: ['salaries'] }, by: '*', through: { ownership: false } };
const fileWith = (text: string): string => {
  const file = join(scratch('guardrails'), 'guardrails.yaml');
  writeFileSync(file, text);
  return file;
};
const refusedIn = ({ notices }: CycleReport): readonly string[] => notices.flatMap(({ kind, message }) => (kind === 'guardrail_refused' ? [message] : []));
const GRANTS = [{ schemas: ['public'], tables: { salaries: ['SELECT'] } }];

it('a document adds to what the operator forbids, and takes nothing away', async () => {
  await server.query('CREATE DATABASE hr');
  await server.query('CREATE TABLE salaries (amount int)', 'hr');
  steward = await createSteward(server, { EVENT_TRIGGERS: 'off', GUARDRAILS_FILE: fileWith(stringify({ guardrails: [PAYROLL] })) });
  const document = (guardrails: readonly object[]): string =>
    stringify({ guardrails, users: [{ username: 'alice', database: 'hr', password: 'none', grants: GRANTS.map((grant) => ({ database: 'hr', ...grant })) }] });
  // Of the same name, and with alice left out; then without any.
  for (const own of [[{ ...PAYROLL, except: ['alice'] }], [{ ...PAYROLL, by: ['nobody'] }], []]) {
    steward.manifests.users(document(own));
    expect(refusedIn(await steward.cycle())).toEqual([
      expect.stringMatching(/^the guardrail payroll of the operator refuses to grant SELECT on table public.salaries/),
    ]);
  }
  expect(await server.query(`SELECT has_table_privilege('alice', 'salaries', 'SELECT') AS may`, 'hr')).toEqual([{ may: false }]);
  steward = await steward.restart({ GUARDRAILS_FILE: '' });
  steward.manifests.users(document([{ ...PAYROLL, except: ['alice'] }]));
  expect(refusedIn(await steward.cycle())).toEqual([]);
});

it('holds in a database that no document names, and looks there whenever something changes', async () => {
  await server.query('CREATE ROLE auditor LOGIN');
  await server.query('CREATE DATABASE hidden');
  await server.query('CREATE TABLE salaries (amount int)', 'hidden');
  steward = await createSteward(server, { GUARDRAILS_FILE: fileWith(stringify({ guardrails: [PAYROLL] })) });
  steward.manifests.users([{ username: 'alice', password: 'none' }]);
  expect((await steward.cycle()).notices.filter(({ kind }) => kind === 'guardrail_broken')).toEqual([]);
  expect((await steward.cycle()).unchanged).toBe(true);
  await server.query('GRANT SELECT ON salaries TO auditor', 'hidden');
  expect((await steward.cycle()).notices).toContainEqual(expect.objectContaining({ kind: 'guardrail_broken', subject: 'auditor' }));
  expect(await server.query(`SELECT FROM pg_event_trigger`, 'hidden')).toEqual([]);
});

it('a database that cannot be read holds back memberships that could lead there', async () => {
  await server.query('CREATE ROLE readers NOLOGIN');
  await server.query('CREATE DATABASE hr');
  await server.query('CREATE TABLE salaries (amount int)', 'hr');
  await server.query(`DO $$ BEGIN FOR i IN 1..1001 LOOP EXECUTE format('CREATE TABLE t%s ()', i); END LOOP; END $$`, 'hr');
  steward = await createSteward(server, { MAX_OBJECTS: '1000', GUARDRAILS_FILE: fileWith(stringify({ guardrails: [PAYROLL] })) });
  steward.manifests.users([{ username: 'alice', password: 'none', roles: ['readers'] }]);
  const report = await steward.cycle();
  expect(refusedIn(report)).toEqual([expect.stringContaining('as database hr could not be read')]);
  expect(report.notices.filter(({ kind }) => kind === 'failed').map(({ message }) => message)).toEqual([
    expect.stringMatching(/^database hr cannot be read, and nobody knows whether guardrails are broken there: ./),
  ]);
  expect(await server.query(`SELECT FROM pg_auth_members WHERE member = 'alice'::regrole`)).toEqual([]);
});

it('another file counts with the next look, and one that is wrong leaves the last good one in force and is told', async () => {
  await server.query('CREATE DATABASE hr');
  await server.query('CREATE TABLE salaries (amount int); CREATE TABLE teams (name text)', 'hr');
  const about = (...tables: readonly string[]): string => stringify({ guardrails: [{ ...PAYROLL, on: { ...PAYROLL.on, tables } }] });
  const file = fileWith(about('salaries'));
  steward = await createSteward(server, { EVENT_TRIGGERS: 'off', GUARDRAILS_FILE: file });
  const use = (...tables: readonly string[]): void =>
    steward.manifests.users(
      stringify({
        users: [
          {
            username: 'alice',
            database: 'hr',
            password: 'none',
            grantsMode: 'additive',
            grants: [{ database: 'hr', schemas: ['public'], tables: Object.fromEntries(tables.map((name) => [name, ['SELECT']])) }],
          },
        ],
      }),
    );
  const may = async (): Promise<unknown> =>
    (
      await server.query(
        `SELECT has_table_privilege('alice', 'salaries', 'SELECT') AS salaries, has_table_privilege('alice', 'teams', 'SELECT') AS teams`,
        'hr',
      )
    )[0];
  use('salaries');
  expect(refusedIn(await steward.cycle())).toHaveLength(1);
  // Stricter: what is wanted next is refused, and nobody has restarted anything.
  writeFileSync(file, about('salaries', 'teams'));
  use('salaries', 'teams');
  expect(refusedIn(await steward.cycle())).toEqual([expect.stringContaining('2 tables of schema public (salaries, teams)')]);
  // Wrong somewhere, empty, gone: what was read last holds, and that is said each time.
  for (const [text, said] of [
    [about('salaries').replace('never', 'nevr'), /unknown key `nevr`/],
    ['', /must be a mapping with a list `guardrails`/],
    [undefined, /it cannot be read: ENOENT/],
  ] as const) {
    if (text === undefined) rmSync(file);
    else writeFileSync(file, text);
    for (let look = 0; look < 2; look += 1) {
      const report = await steward.cycle();
      expect(refusedIn(report)).toEqual([expect.stringContaining('2 tables of schema public (salaries, teams)')]);
      expect(report.result).toBe('incomplete');
      const failed = report.notices.filter(({ kind }) => kind === 'failed').map(({ message }) => message);
      expect(failed).toEqual([
        expect.stringMatching(/^GUARDRAILS_FILE=.* is not used as it is now, and the guardrails that were read before stay in force: ./),
      ]);
      expect(failed[0]).toMatch(said);
    }
  }
  expect(await may()).toEqual({ salaries: false, teams: false });
  // Mended, and weaker on purpose.
  writeFileSync(file, about('salaries'));
  const mended = await steward.cycle();
  expect([refusedIn(mended).length, mended.notices.filter(({ kind }) => kind === 'failed')]).toEqual([1, []]);
  expect(await may()).toEqual({ salaries: false, teams: true });
  // What is broken by now is told although nothing on the server has changed.
  expect((await steward.cycle()).notices.filter(({ kind }) => kind === 'guardrail_broken')).toEqual([]);
  writeFileSync(file, about('teams'));
  expect((await steward.cycle()).notices.filter(({ kind }) => kind === 'guardrail_broken').map(({ subject }) => subject)).toEqual(['alice']);
});

describe('with a file that is', () => {
  const noSteward = async (): Promise<void> => {
    steward = await createSteward(server);
  };

  it.each([
    [
      'wrong somewhere',
      (): string => fileWith(stringify({ guardrails: [{ ...PAYROLL, byy: '*' }] })),
      /guardrails.yaml:\d+:\d+: guardrails\[0\].byy: .*unknown key `byy`/,
    ],
    ['empty', (): string => fileWith(''), /must be a mapping with a list `guardrails`/],
    ['no YAML', (): string => fileWith('guardrails: [{'), /GUARDRAILS_FILE=.*guardrails.yaml/],
    ['a document', (): string => fileWith(stringify({ guardrails: [], users: [] })), /unknown key `users`/],
    ['missing', (): string => '/nowhere/guardrails.yaml', /it cannot be read: ENOENT/],
    [
      'a folder',
      (): string => {
        const folder = join(scratch('guardrails'), 'folder');
        mkdirSync(folder);
        return folder;
      },
      /it is no regular file/,
    ],
  ])('%s nothing starts', async (_what, file, message) => {
    await noSteward();
    expect(() => readConfig({ GUARDRAILS_FILE: file() })).toThrow(ConfigError);
    expect(() => readConfig({ GUARDRAILS_FILE: file() })).toThrow(message);
  });
});
