// Small pieces of the core and the cycle, each by itself.
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readSettings, SETTINGS } from '../../src/config.ts';
import { readPassword } from '../../src/model/secret-value.ts';
import { planLines } from '../../src/changes/plan-lines.ts';
import { createVerifier, parseVerifier, proofOf, verifierMatches } from '../../src/model/scram.ts';
import { parseList, sameSetting } from '../../src/model/setting-list.ts';
import { type Change, keyOf } from '../../src/changes/change.ts';
import type { UserEntry } from '../../src/model/entries.ts';
import { createBackoff } from '../../src/steward/backoff.ts';
import { entryDigest } from '../../src/steward/entry-digest.ts';
import { chooseSecrets } from '../../src/sources/secret-sweep.ts';

describe('plan lines', () => {
  it('join the memberships of a user and leave out those of one that is created', () => {
    const attributes = { login: true, inherit: true, createdb: false, createrole: false, bypassrls: false, connectionLimit: -1, validUntil: null };
    const grant = (role: string, member: string) => ({ kind: 'grant_membership', role, member, admin: false, inherit: true, set: true }) as const;
    expect(
      planLines([
        { kind: 'create_role', role: 'analyst', entity: 'role', attributes, memberOf: [] },
        { kind: 'create_role', role: 'alice', entity: 'user', attributes, memberOf: ['read_only', 'analyst'] },
        grant('analyst', 'alice'),
        grant('developer', 'bob'),
        grant('ops', 'bob'),
      ]),
    ).toEqual(['create role: analyst', 'create user: alice with roles [read_only, analyst]', 'grant roles to bob: [developer, ops]']);
  });
});

describe('verifiers', () => {
  it('match their own password and no other, and their witness neither holds nor repeats them', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', minLength: 1, maxLength: 30 }), fc.string({ minLength: 1 }), async (password, other) => {
        const verifier = await createVerifier(password, { iterations: 10 });
        expect(parseVerifier(verifier)?.iterations).toBe(10);
        expect(await verifierMatches(verifier, password, 1e6)).toBe(true);
        if (other !== password) expect(proofOf(verifier, other)).not.toBe(proofOf(verifier, password));
      }),
      { numRuns: 50, seed: 3 },
    );
  });

  it('are only what the server takes as one', () => {
    for (const text of ['', 'SCRAM-SHA-256$garbage', 'md5d41d8cd98f00b204e9800998ecf8427e', 'SCRAM-SHA-256$0:AAAA$AAAA:AAAA'])
      expect(parseVerifier(text)).toBe(undefined);
  });

  it('in a Secret are passed on; a newline is trimmed; what the server would misread is refused', () => {
    expect(readPassword(Buffer.from('secret\n'))).toEqual({ kind: 'plain', password: 'secret', trimmed: true });
    expect(readPassword(Buffer.from(' spaces stay '))).toEqual({ kind: 'plain', password: ' spaces stay ', trimmed: false });
    for (const bad of ['', '\n', 'a\0b', 'md5d41d8cd98f00b204e9800998ecf8427e', 'x'.repeat(2000)]) expect(readPassword(Buffer.from(bad)).kind).toBe('refused');
    expect(readPassword(Buffer.from([0xff])).kind).toBe('refused');
  });
});

it('an entry has the digest that state files of earlier versions have, wherever it stands', () => {
  const digestAt = (line: number): string => {
    const position = { file: 'users.yaml', line, column: 1 };
    return entryDigest({
      username: 'a "b"\n',
      database: undefined,
      databases: ['x'],
      roles: [
        { name: 'r', admin: true, position },
        { name: 's', position },
      ],
      settings: new Map([['work_mem', '1MB']]),
      databaseSettings: new Map([['db', new Map([['search_path', 'a, b']])]]),
      rules: [{ kind: 'table', name: '*', position, privileges: new Map([['SELECT', false]]) }],
      validUntil: null,
      login: true,
      position,
    } as unknown as UserEntry);
  };
  expect([digestAt(1), digestAt(2)]).toEqual(['UFXeK1Q8H2Ew_cLG', 'UFXeK1Q8H2Ew_cLG']);
});

it('list parameters compare by their elements', () => {
  expect(parseList('search_path', 'App, "Mixed, one" ,"$user"')).toEqual(['app', 'Mixed, one', '$user']);
  expect(sameSetting('search_path', 'a,b', 'a, b')).toBe(true);
  expect(sameSetting('search_path', 'a, b', 'b, a')).toBe(false);
  expect(sameSetting('search_path', '""', '')).toBe(true);
  expect(sameSetting('work_mem', '1MB', '1 MB')).toBe(false);
});

it('what succeeded and is wanted again waits a moment first, and longer each time', () => {
  let now = 0;
  const backoff = createBackoff(2, () => now);
  const pauses = [1, 2, 3, 4, 5].map(() => {
    backoff.undone('x');
    const pause = backoff.nextIn() ?? 0;
    now += pause + 1;
    return pause;
  });
  expect(pauses[0]).toBeLessThan(300);
  for (const [index, pause] of pauses.entries()) expect(pause / (250 * 2 ** index)).toBeCloseTo(1, 0);
});

it('backoff grows to five minutes, is forgotten by a success, and knows a first failure', () => {
  let now = 0;
  const backoff = createBackoff(2, () => now);
  expect(backoff.fail('x')).toBe(true);
  expect(backoff.fail('x')).toBe(false);
  now += 3000;
  expect(backoff.isDeferred('x')).toBe(true);
  now += 2000;
  expect(backoff.isDeferred('x')).toBe(false);
  for (let index = 0; index < 30; index += 1) backoff.fail('x');
  now += 331_000;
  expect(backoff.isDeferred('x')).toBe(false);
  const change: Change = { kind: 'disable_role', role: 'x', keep: true };
  expect(backoff.fail(keyOf(change))).toBe(true);
  backoff.succeed(change);
  expect(backoff.fail(keyOf(change))).toBe(true);
});

it('the sweep reads new and failed Secrets always, and every other within the promised number of cycles', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 60 }), (count, budget) => {
      const keys = Array.from({ length: count }, (_, index) => `k${index}`);
      const known = new Map(keys.map((key, index) => [key, { lastRead: index % 3, failed: false }]));
      const unseen = new Set(keys);
      for (let cycle = 0; cycle < Math.ceil(count / budget); cycle += 1)
        for (const key of chooseSecrets(keys, known, budget)) {
          unseen.delete(key);
          known.set(key, { lastRead: 10 + cycle, failed: false });
        }
      expect(unseen.size).toBe(0);
      known.set('k0', { lastRead: 99, failed: true });
      expect(chooseSecrets([...keys, 'new'], known, 1)).toEqual(expect.arrayContaining(['k0', 'new']));
    }),
    { seed: 5 },
  );
});

it('the fourteen settings of the old controller keep their names and defaults', () => {
  const config = readSettings({});
  expect(SETTINGS.length).toBeGreaterThan(14);
  expect(config).toMatchObject({
    NAMESPACE: 'postgres',
    CONFIGMAP_NAME: 'postgres-users-config',
    DB_HOST: 'acid-minimal-cluster.default.svc.cluster.local',
    DB_PORT: 5432,
    DB_NAME: 'postgres',
    DB_USER: 'postgres',
    SYNC_INTERVAL: 30,
    STATE_FILE: '/tmp/users_state.json',
    DRY_RUN: false,
    MAX_RETRIES: 5,
    RETRY_BACKOFF_BASE: 2,
    DB_POOL_MIN_CONN: 1,
    DB_POOL_MAX_CONN: 5,
  });
  expect(config.MAX_DELETIONS).toBe(undefined);
});

it('times that no timer can hold are refused, all of them in one message', () => {
  const times = ['SYNC_INTERVAL', 'DRIFT_INTERVAL', 'DB_LOCK_TIMEOUT', 'DB_STATEMENT_TIMEOUT'];
  const env = (seconds: number): Record<string, string> => Object.fromEntries(times.map((name) => [name, String(seconds)]));
  expect(readSettings(env(1_000_000))).toMatchObject({ SYNC_INTERVAL: 1_000_000, DRIFT_INTERVAL: 1_000_000 });
  // With the time that a query may take longer, and a tenth more, there is still a timer that holds it.
  expect(1_000_000 * 1000 * 1.1 + 10_000).toBeLessThan(2 ** 31);
  for (const seconds of [1_000_001, 2_500_000, Number.MAX_SAFE_INTEGER])
    for (const name of times) expect(() => readSettings(env(seconds))).toThrow(`${name}=${seconds}: must be 1000000 seconds at most`);
});
