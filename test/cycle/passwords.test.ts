// Passwords: rotated within a cycle, untouched when unchanged, and never seen by anything but memory.
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { sentenceOf } from '../../src/changes/change.ts';
import { createVerifier } from '../../src/model/scram.ts';
import { serverForAll } from '../support/lifecycle.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { createSteward, ddlOf, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  {},
  (started) => (server = started),
  () => steward,
);
const canLogin = (user: string, password: string): Promise<boolean> =>
  server.client('postgres', { user, password }).then(
    (client) => client.end().then(() => true),
    () => false,
  );
const start = async (passwords: Record<string, string>, env: Record<string, string> = {}): Promise<void> => {
  steward = await createSteward(server, env);
  steward.manifests.users(Object.keys(passwords).map((username) => ({ username })));
  steward.manifests.secrets(new Map(Object.entries(passwords)));
};

it('a rotated Secret changes the password in the next cycle, and no password is anywhere but in memory', async () => {
  const [first, second] = ['first-Geheimnis-1', 'second-Geheimnis-2'];
  server.mark();
  await start({ alice: first });
  await steward.cycle();
  expect(await canLogin('alice', first)).toBe(true);
  steward.manifests.secret('alice', second);
  const report = await steward.cycle();
  expect(report.planned).toEqual([{ kind: 'set_password', role: 'alice', reason: 'rotated' }]);
  expect([await canLogin('alice', first), await canLogin('alice', second)]).toEqual([false, true]);
  const verifier = (await server.query<{ v: string }>(`SELECT rolpassword AS v FROM pg_authid WHERE rolname = 'alice'`))[0]?.v ?? '';
  const everything = [
    JSON.stringify(await server.query('SELECT * FROM pgsteward.audit_log')),
    JSON.stringify(await server.query('SELECT * FROM pgsteward.managed_role')),
    readFileSync(steward.config.stateFile, 'utf8'),
    JSON.stringify(report),
    steward.warnings.join(),
  ].join();
  for (const secret of [first, second, verifier, verifier.split('$')[2] ?? '']) expect(everything.includes(secret)).toBe(false);
  for (const secret of [first, second]) expect(server.log().includes(secret)).toBe(false);
});

it('a restart with unchanged Secrets issues no statement that writes, also where pg_authid cannot be read', async () => {
  await start({ alice: 'a', bob: 'b' });
  await steward.cycle();
  steward = await steward.restart();
  server.mark();
  expect((await steward.cycle()).result).toBe('converged');
  expect(ddlOf(server.log())).toEqual([]);
});

it('a missing, empty or unusable Secret holds back a new user, and of one that exists the password alone', async () => {
  await start({ alice: 'a', bob: 'b', carol: 'c', dave: 'd' });
  await steward.cycle();
  steward.manifests.users(['alice', 'bob', 'carol', 'dave', 'erin', 'frank'].map((username) => ({ username, connectionLimit: 2 })));
  steward.manifests.secret('alice', '');
  steward.manifests.secret('bob', undefined);
  steward.manifests.secret('carol', 'md5d41d8cd98f00b204e9800998ecf8427e');
  steward.manifests.secret('frank', 'f\n');
  const report = await steward.cycle();
  expect(report.notices.map((notice) => [notice.kind, notice.subject])).toEqual(['alice', 'bob', 'carol', 'erin'].map((name) => ['secret', name]));
  expect(report.notices[1]?.message).toContain('user-bob-secret');
  expect(await server.query(`SELECT rolname, rolconnlimit FROM pg_roles WHERE rolname IN ('alice', 'bob', 'dave', 'erin', 'frank') ORDER BY 1`)).toEqual([
    { rolname: 'alice', rolconnlimit: 2 },
    { rolname: 'bob', rolconnlimit: 2 },
    { rolname: 'dave', rolconnlimit: 2 },
    { rolname: 'frank', rolconnlimit: 2 },
  ]);
  expect([await canLogin('bob', 'b'), await canLogin('frank', 'f')]).toEqual([true, true]);
});

it('a verifier in the Secret is passed through, and login: false needs no Secret', async () => {
  const verifier = await createVerifier('the real one', { iterations: 4096 });
  await start({ alice: verifier });
  steward.manifests.users([{ username: 'alice' }, { username: 'service', login: false }]);
  await steward.cycle();
  expect(await canLogin('alice', 'the real one')).toBe(true);
  expect(await server.query(`SELECT rolcanlogin FROM pg_roles WHERE rolname = 'service'`)).toEqual([{ rolcanlogin: false }]);
  expect((await steward.cycle()).result).toBe('converged');
});

it('a verifier that would take half an hour to compare, or memory without end, holds up nothing and is replaced; in a Secret it is refused', async () => {
  await start({ alice: 'a', bob: 'b', carol: 'c', dave: 'd' });
  await steward.cycle();
  const key = `${'A'.repeat(43)}=`;
  const endless = `SCRAM-SHA-256$30000000:AAAA$${key}:${key}`;
  // A user can store it by itself, but the server computes it once then.
  const operator = await server.client();
  await operator.query(`SET log_statement = 'none'`);
  await operator.query(`UPDATE pg_authid SET rolpassword = '${endless}' WHERE rolname = 'alice'`);
  const long = `SCRAM-SHA-256$4096:${'A'.repeat(16 * 1024 * 1024)}$${key}:${key}`;
  const isLimited = await operator.query(`ALTER ROLE bob PASSWORD '${long}'`).then(
    () => false,
    () => true,
  );
  await operator.end();
  steward.manifests.secret('carol', 'other');
  steward.manifests.secret('dave', endless);
  const from = performance.now();
  const report = await steward.cycle();
  expect(performance.now() - from).toBeLessThan(5000);
  expect(report.planned.map((change) => 'role' in change && [change.kind, change.role])).toEqual(
    ['alice', ...(isLimited ? [] : ['bob']), 'carol'].map((role) => ['set_password', role]),
  );
  expect(report.notices.map(({ subject, message }) => [subject, message.includes('more than 600000 iterations; its password stays as it is')])).toEqual([
    ['dave', true],
  ]);
  const right = { alice: 'a', bob: 'b', carol: 'other', dave: 'd' };
  expect(await Promise.all(Object.entries(right).map(([user, password]) => canLogin(user, password)))).toEqual([true, true, true, true]);
});

it('a password that cannot be set leaves no verifier in the log of the server, and none is kept by pg_stat_statements', async () => {
  const usual = await startPostgres({ settings: { log_statement: 'none', shared_preload_libraries: 'pg_stat_statements' } });
  const guest = await createSteward(usual, { DB_LOCK_TIMEOUT: '1' });
  try {
    await usual.query('CREATE EXTENSION pg_stat_statements');
    guest.manifests.users(['alice', 'bob'].map((username) => ({ username })));
    guest.manifests.secrets(
      new Map([
        ['alice', 'password-of-alice'],
        ['bob', 'password-of-bob'],
      ]),
    );
    await guest.cycle();
    const holder = await usual.client();
    await holder.query('BEGIN; ALTER ROLE alice CONNECTION LIMIT 7');
    guest.manifests.secret('alice', 'another-of-alice');
    guest.manifests.secret('bob', 'another-of-bob');
    expect((await guest.cycle()).outcomes.map(({ result }) => result).toSorted()).toEqual(['applied', 'failed']);
    await holder.end();
    expect(usual.log()).toContain('canceling statement due to lock timeout');
    expect(usual.log()).not.toContain('SCRAM-SHA-256$');
    const [kept] = await usual.query<{ verifiers: number; all: number }>(
      `SELECT count(*) FILTER (WHERE strpos(query, 'SCRAM-SHA-256' || '$4096') > 0)::int AS verifiers, count(*)::int AS all FROM pg_stat_statements`,
    );
    expect([kept?.verifiers, (kept?.all ?? 0) > 0]).toEqual([0, true]);
    await guest.close();
  } finally {
    await usual.stop();
  }
  await start({});
});

it.each(['postgres', 'adm'])(
  'as %s, a password that takes the place of one that is not ours says what becomes of logins, and only one that was ours has a Secret that changed',
  async (admin) => {
    await server.query(`CREATE ROLE adm LOGIN CREATEROLE PASSWORD 'adm'; CREATE ROLE alice LOGIN PASSWORD 'old'`);
    if (server.major >= 16) await server.query('GRANT alice TO adm WITH ADMIN TRUE, INHERIT FALSE, SET FALSE');
    const sentences = async (): Promise<string[]> => (await steward.cycle()).planned.filter(({ kind }) => kind === 'set_password').map(sentenceOf);
    const replaced = 'in place of any that it has: what logs in with another one no longer does';
    await start({ alice: 'a', bob: 'b' }, admin === 'adm' ? { DB_USER: 'adm', DB_PASS: 'adm' } : {});
    expect(await sentences()).toEqual([`set password of user: alice (${replaced})`, 'set password of user: bob (first password)']);
    expect([await canLogin('alice', 'a'), await canLogin('alice', 'old')]).toEqual([true, false]);
    expect(await sentences()).toEqual([]);
    steward.manifests.secret('alice', 'a-2');
    expect(await sentences()).toEqual(['set password of user: alice (its Secret changed)']);
  },
);
