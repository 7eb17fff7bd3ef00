// The state file is believed only where nobody else can have written it, and is written so that nobody else's file is.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMetrics } from '../../src/observe/metrics.ts';
import { writeOwnFile } from '../../src/state/own-file.ts';
import { loadState, saveState, stateText } from '../../src/state/state-file.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';

const isRoot = process.getuid?.() === 0;
const NOBODY = 65534;
const LEGACY = JSON.stringify({ alice: { username: 'alice', database: 'app', roles: [], privileges: null } });

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pgsteward-own-'));
  file = join(folder, 'state.json');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const read = () => loadState(file, 'postgres/config');

describe('a state file is read', () => {
  it.each([0o600, 0o644, 0o400])('that is ours, with the mode %o, also in the form of the old controller', (mode) => {
    writeFileSync(file, LEGACY);
    chmodSync(file, mode);
    expect([[...read().roles.keys()], read().problem]).toEqual([['alice'], undefined]);
  });

  it('that our own group may write to, in a folder that everybody may write to: so are volumes with fsGroup', () => {
    chmodSync(folder, 0o2777);
    writeFileSync(file, LEGACY);
    chmodSync(file, 0o660);
    expect([...read().roles.keys()]).toEqual(['alice']);
  });
});

describe('a state file is not believed', () => {
  const refused = (reason: string): void => {
    const state = read();
    expect([state.roles.size, state.isRefused]).toEqual([0, true]);
    expect(state.problem).toContain(reason);
  };

  it('that everybody may write to', () => {
    writeFileSync(file, LEGACY);
    chmodSync(file, 0o666);
    refused('can be written by everybody');
  });

  it('behind a symbolic link, with a second name, or that is no file', () => {
    writeFileSync(join(folder, 'other.json'), LEGACY);
    symlinkSync(join(folder, 'other.json'), file);
    refused('is a symbolic link');
    rmSync(file);
    linkSync(join(folder, 'other.json'), file);
    refused('has a second name');
    rmSync(file);
    mkdirSync(file);
    refused('is no regular file');
    rmSync(file, { recursive: true });
    execFileSync('/bin/sh', ['-c', 'mkfifo "$0"', file]);
    refused('is no regular file');
  });

  it.runIf(isRoot)('of another account, or that another group may write to', () => {
    writeFileSync(file, LEGACY);
    chownSync(file, NOBODY, NOBODY);
    refused('belongs to another account (uid 65534; ours is 0)');
    chownSync(file, 0, NOBODY);
    chmodSync(file, 0o660);
    refused('can be written by another group (gid 65534)');
  });
});

it('what is written is for our account alone, and no link that somebody planted is followed', async () => {
  const other = join(folder, 'not-ours');
  writeFileSync(other, 'theirs');
  symlinkSync(other, file);
  symlinkSync(other, `${file}.${process.pid}.tmp`);
  await saveState(file, stateText([], { server: null, ledger: null }));
  expect([readFileSync(other, 'utf8'), lstatSync(file).isSymbolicLink(), lstatSync(file).mode & 0o777]).toEqual(['theirs', false, 0o600]);
  expect(readdirSync(folder).toSorted()).toEqual(['not-ours', 'state.json', `state.json.${process.pid}.tmp`].toSorted());
});

describe('on a server', () => {
  let server: Postgres;
  let steward: Steward;
  serverForAll(
    {},
    (started) => (server = started),
    () => steward,
  );

  it.runIf(isRoot)('a file that another account wrote makes us drop nothing, is told, and set aside', async () => {
    await server.query('CREATE ROLE victim LOGIN');
    const planted = { name: 'victim', entity: 'user', origin: 'created', source: 'postgres/postgres-users-config', oid: 0 };
    writeFileSync(file, JSON.stringify({ version: 1, roles: [planted] }));
    chownSync(file, NOBODY, NOBODY);
    steward = await createSteward(server, { STATE_FILE: file });
    steward.manifests.users('users: [{username: keeper, login: false}]');
    expect(steward.warnings.join()).toContain(
      `the state file ${file} belongs to another account (uid 65534; ours is 0): others may have written it, and nothing in it counts`,
    );
    for (let cycle = 0; cycle < 3; cycle += 1) await steward.cycle();
    expect(await server.query(`SELECT rolcanlogin FROM pg_roles WHERE rolname = 'victim'`)).toEqual([{ rolcanlogin: true }]);
    expect([existsSync(`${file}.refused`), lstatSync(file).uid]).toEqual([true, 0]);
  });

  it('one that cannot be written is told until it is, and is written with the next cycle, also where nothing else is to be done', async () => {
    const later = join(folder, 'later');
    const metrics = createMetrics();
    const staleNow = async (): Promise<unknown> => (await metrics.registry.getSingleMetric('postgres_controller_state_file_stale')?.get())?.values[0]?.value;
    steward = await createSteward(server, { STATE_FILE: join(later, 'state.json') });
    steward.manifests.users('users: [{username: keeper, login: false}]');
    await steward.cycle();
    for (let cycle = 0; cycle < 3; cycle += 1) {
      const report = await steward.cycle();
      metrics.record(report);
      expect([report.result, report.notices.map(({ kind, message }) => [kind, message])]).toEqual([
        'converged',
        [['fallback', expect.stringMatching(/^the state file .* cannot be written \(ENOENT\); the ledger remembers everything/) as string]],
      ]);
      expect(await staleNow()).toBe(1);
    }
    mkdirSync(later);
    const report = await steward.cycle();
    metrics.record(report);
    expect([report.unchanged, report.notices, await staleNow()]).toEqual([true, [], 0]);
    expect(readFileSync(join(later, 'state.json'), 'utf8')).toContain('keeper');
    rmSync(later, { recursive: true });
  });

  it('without a ledger it is an error, as what is ours would be forgotten', async () => {
    await server.query(`CREATE ROLE adm LOGIN CREATEROLE PASSWORD 'adm'`);
    steward = await createSteward(server, { STATE_FILE: join(folder, 'later', 'state.json'), DB_USER: 'adm', DB_PASS: 'adm' });
    steward.manifests.users('users: [{username: keeper, login: false}]');
    const { result, notices } = await steward.cycle();
    expect([result, notices.map(({ kind }) => kind)]).toEqual(['incomplete', ['failed']]);
    mkdirSync(join(folder, 'later'));
    expect((await steward.cycle()).notices).toEqual([]);
    rmSync(join(folder, 'later'), { recursive: true });
  });

  it('nothing is left behind by a write that fails, as on a full volume', async () => {
    mkdirSync(join(folder, 'full'));
    // What cannot be replaced by a file: a folder that is not empty.
    mkdirSync(join(folder, 'full', 'state.json', 'in'), { recursive: true });
    for (let attempt = 0; attempt < 3; attempt += 1)
      await expect(saveState(join(folder, 'full', 'state.json'), stateText([], { server: null, ledger: null }))).rejects.toThrow();
    await expect(writeOwnFile(join(folder, 'full', 'other'), { toString: 1 } as unknown as string)).rejects.toThrow();
    expect(readdirSync(join(folder, 'full'))).toEqual(['state.json']);
    rmSync(join(folder, 'full'), { recursive: true });
  });

  it('one that was brought along from the old controller counts', async () => {
    await server.query('CREATE ROLE alice LOGIN');
    writeFileSync(file, LEGACY);
    steward = await createSteward(server, { STATE_FILE: file });
    steward.manifests.users('users: [{username: keeper, login: false}]');
    await steward.cycle();
    expect(await server.query(`SELECT FROM pg_roles WHERE rolname = 'alice'`)).toEqual([]);
  });
});
