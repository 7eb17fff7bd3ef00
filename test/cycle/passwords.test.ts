// Passwords: rotated within a cycle, untouched when unchanged, and never seen by anything but memory.
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { createVerifier } from '../../src/core/scram.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, ddlOf, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  { fsync: 'off' },
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
    readFileSync(steward.config.STATE_FILE, 'utf8'),
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

it('a missing, empty or unusable Secret holds back its own user only, and changes nothing of one that exists', async () => {
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
    { rolname: 'alice', rolconnlimit: -1 },
    { rolname: 'bob', rolconnlimit: -1 },
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
