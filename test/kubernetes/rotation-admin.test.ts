// Two users who take turns on a server whose admin is no superuser and reads no password, for a user that was there before.
import { expect, it } from 'vitest';
import { KubeCase } from '../support/kube-case.ts';
import { kubeSecrets, loginBy } from '../support/kube-secrets.ts';

const at = new KubeCase();
const secrets = kubeSecrets(at);
const NAME = 'Ünï "q" Web';

it('an admin with CREATEROLE alone keeps it up, for a user with an odd name that owns something', async () => {
  await at.kube.component(at.namespace, 'connection-secrets');
  await at.kube.component(at.namespace, 'bulk-secrets');
  await at.server.query(`CREATE ROLE adm LOGIN CREATEROLE CREATEDB PASSWORD 'adm'`);
  await at.server.query(`CREATE DATABASE home OWNER adm`);
  const id = `"${NAME.replaceAll('"', '""')}"`;
  const admin = await at.server.client('home', { user: 'adm', password: 'adm' });
  await admin.query(`CREATE ROLE ${id} LOGIN PASSWORD 'before'`);
  await admin.end();
  await at.server.query(`CREATE SCHEMA mine AUTHORIZATION ${id}`, 'home');
  const entry = {
    username: NAME,
    passwordSecretRef: { name: 'shared', key: 'web.pw' },
    password: { generate: {} },
    connectionSecret: 'web-db',
    roles: ['team'],
    connectionLimit: 5,
    settings: { statement_timeout: '5s' },
    validUntil: '2099-01-01',
    deletionPolicy: 'drop',
    rotation: { strategy: 'two-users', overlap: '2s' },
  };
  const keeper = { username: 'keeper', password: 'none' };
  await at.users([entry, keeper]);
  await at.run({ CONNECTION_SSLMODE: 'disable', DB_USER: 'adm', DB_PASS: 'adm', DB_NAME: 'home', DRAIN: 'terminate' });
  const ready = await at.daemon.ready();
  expect(ready.notices).toEqual([]);
  const uri = async (): Promise<string | undefined> => (await secrets.valuesOf('web-db'))['uri'];
  const connected = async () => loginBy(await uri());
  await at.until(async () => (await connected())?.login === `${NAME}-1`);
  expect(await connected()).toEqual({ login: `${NAME}-1`, works: NAME });
  for (const turn of ['2', '1', '2']) {
    const before = await uri();
    await secrets.annotate('shared', { 'pgsteward.dev/rotate-at': `${turn}${Date.now()}` });
    await at.until(async () => (await connected())?.login === `${NAME}-${turn}`);
    expect(await connected()).toEqual({ login: `${NAME}-${turn}`, works: NAME });
    expect((await loginBy(before))?.works).toBe(NAME);
    await at.until(async () => (await loginBy(before)) === undefined);
    await at.until(async () => (await at.server.query(`SELECT 1 FROM pg_authid WHERE rolname LIKE '%Web%' AND rolpassword IS NOT NULL`)).length === 1);
    await at.until(async () => (await at.daemon.cycle()).lastCycle?.result === 'converged');
    at.server.mark();
    await at.daemon.cycle();
    await at.daemon.cycle();
    expect(at.server.log()).not.toMatch(/ALTER ROLE|GRANT|COMMENT/);
    expect((await at.daemon.status()).notices).toEqual([]);
  }
  expect(
    await at.server.query(`SELECT rolname, rolvaliduntil::text AS until, rolcanlogin AS login FROM pg_roles WHERE rolname LIKE '%Web%' ORDER BY 1`),
  ).toEqual([
    { rolname: NAME, until: 'infinity', login: false },
    { rolname: `${NAME}-1`, until: 'infinity', login: false },
    { rolname: `${NAME}-2`, until: '2099-01-01 00:00:00+00', login: true },
  ]);
  await at.users([keeper]);
  await at.daemon.cycle();
  await at.until(async () => (await at.server.query(`SELECT 1 FROM pg_authid WHERE rolname LIKE '%Web%'`)).length === 0);
  expect(await at.server.query(`SELECT nspowner::regrole::text AS owner FROM pg_namespace WHERE nspname = 'mine'`, 'home')).toEqual([
    { owner: expect.stringMatching(/^pgsteward_heir_/) as string },
  ]);
});
