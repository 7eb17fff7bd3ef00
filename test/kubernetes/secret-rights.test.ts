// Which rights writing Secrets takes, in pgsteward's namespace and in others, on a real API server with the shipped manifests; and that a dry run writes none.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { ROOT } from '../support/daemon.ts';
import { KubeCase } from '../support/kube-case.ts';
import { kubeSecrets, whoami } from '../support/kube-secrets.ts';
import { rememberPassword } from '../support/secrets.ts';

const at = new KubeCase();
const { pathOf, secretAt, valuesOf, names: secretNames } = kubeSecrets(at);
/** The tests' server speaks no TLS. All that can be logged is: no password may be in it. */
const run = (env: Record<string, string> = {}): Promise<void> => at.run({ CONNECTION_SSLMODE: 'disable', LOG_LEVEL: 'trace', ...env });

it('a dry run and a pause say what they would write and write no Secret', async () => {
  await at.kube.component(at.namespace, 'connection-secrets');
  await at.users([{ username: 'alice', password: { generate: {} }, connectionSecret: 'alice-db' }]);
  await at.annotate({ 'pgsteward.dev/paused': 'true' });
  for (const [env, mark] of [
    [{}, '[PAUSED]'],
    [{ DRY_RUN: 'true' }, '[DRY-RUN]'],
  ] as const) {
    await run(env);
    await at.daemon.ready();
    await at.daemon.cycle();
    expect(at.daemon.lines().flatMap(({ message }) => (message.startsWith(`${mark} Would`) ? [message.slice(mark.length + 1)] : []))).toEqual([
      'Would create schema: pgsteward in database postgres (the ledger: which roles are ours, and every change)',
      'Would create secret: user-alice-secret (a generated password for alice)',
      'Would create user: alice with roles []',
      'Would grant CONNECT on database postgres to: alice',
      'Would set password of user: alice (first password)',
      `Would write connection secret: ${at.namespace}/alice-db (for alice: there is none)`,
    ]);
    expect([await secretNames(), await at.exists('alice')]).toEqual([[], false]);
    await at.daemon.kill9();
  }
});

it('a dry run of a rotation, a removed and an edited Secret says what it would mend, and mends nothing', async () => {
  await at.kube.component(at.namespace, 'connection-secrets');
  const users = ['rotated', 'replaced', 'edited', 'removed'];
  await at.users(users.map((username) => ({ username, password: { generate: {} }, connectionSecret: `${username}-db` })));
  await run({ WATCH: 'off' });
  await at.daemon.ready();
  const passwords = new Map(await Promise.all(users.map(async (user) => [user, (await valuesOf(`user-${user}-secret`))['password'] ?? ''] as const)));
  await at.daemon.kill9();
  rememberPassword('replaced-by-hand');
  await at.kube.api('DELETE', pathOf('user-rotated-secret'));
  await at.kube.api('PATCH', pathOf('user-replaced-secret'), { data: { password: Buffer.from('replaced-by-hand').toString('base64') } });
  await at.kube.api('PATCH', pathOf('edited-db'), { data: { PGHOST: 'eA==', password: null } });
  await at.kube.api('DELETE', pathOf('removed-db'));
  const versions = async (): Promise<readonly string[]> =>
    Promise.all((await secretNames()).map(async (name) => `${name} ${(await secretAt(name))?.metadata.resourceVersion}`));
  const before = await versions();
  await run({ DRY_RUN: 'true', WATCH: 'off' });
  await at.daemon.ready();
  await at.daemon.cycle();
  const said = at.daemon.lines().flatMap(({ message }) => (message.startsWith('[DRY-RUN] Would') ? [message.slice('[DRY-RUN] '.length)] : []));
  const connection = (user: string, why: string): string => `Would write connection secret: ${at.namespace}/${user}-db (for ${user}: ${why})`;
  expect(said.toSorted()).toEqual(
    [
      'Would create secret: user-rotated-secret (a generated password for rotated)',
      'Would set password of user: rotated (its Secret changed)',
      'Would set password of user: replaced (its Secret changed)',
      connection('rotated', 'the password changed'),
      connection('replaced', 'the password changed'),
      connection('edited', 'changed by hand'),
      connection('removed', 'there is none'),
    ].toSorted(),
  );
  expect(await versions()).toEqual(before);
  for (const [user, password] of passwords) expect(await at.canLogin(user, password), user).toBe(true);
});

it('without the component it says which right is missing, holds up nobody else, and goes on when the right is there', async () => {
  await at.users([
    { username: 'alice', password: { generate: {} } },
    { username: 'bob', connectionSecret: 'bob-db' },
  ]);
  await at.secret('bob', 'password-of-bob');
  await run();
  await at.daemon.ready();
  const { notices } = await at.daemon.cycle();
  const cannot = notices.filter(({ kind }) => kind === 'cannot').map(({ subject, message }) => `${subject}: ${message}`);
  expect(cannot.find((text) => text.startsWith('alice'))).toContain(
    `we may not create secrets in namespace ${at.namespace}; the Role needs the verb create on secrets`,
  );
  expect(cannot.find((text) => text.startsWith('bob'))).toContain(
    `we may not patch secrets bob-db in namespace ${at.namespace}; the Role needs the verb patch on secrets, and to make it also the verb create`,
  );
  expect([await at.exists('alice'), await at.canLogin('bob', 'password-of-bob')]).toEqual([false, true]);
  await at.kube.component(at.namespace, 'connection-secrets');
  await at.cycleUntil(async () => (await secretAt('bob-db')) !== undefined && (await at.exists('alice')));
  expect(await whoami((await valuesOf('bob-db'))['uri'] ?? '')).toBe('bob');
});

/** Applies manifests/other-namespace there, or only these rules of its Role. */
async function letIn(namespace: string, rules?: readonly object[]): Promise<void> {
  const [role, binding] = parseAllDocuments(readFileSync(join(ROOT, 'manifests/other-namespace/role.yaml'), 'utf8')).map(
    (document) => document.toJS() as { metadata: { name: string } },
  );
  const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
  // The tests' account comes from a token file, so it is a User here instead of the ServiceAccount.
  const subjects = [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'pgsteward-controller' }];
  const wanted = { ...role, ...(rules === undefined ? {} : { rules }) };
  const created = await at.kube.api('POST', `${rbac}/roles`, wanted);
  if (created.status === 409) expect((await at.kube.api('PUT', `${rbac}/roles/${role?.metadata.name}`, wanted)).status).toBe(200);
  else expect((await at.kube.api('POST', `${rbac}/rolebindings`, { ...binding, subjects })).status).toBe(201);
}
const rule = (verbs: readonly string[], more: object = {}): object => ({ apiGroups: [''], resources: ['secrets'], verbs, ...more });
const otherNamespace = async (): Promise<string> => {
  const name = `${at.namespace}-team`;
  await at.kube.api('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  return name;
};

it('its own namespace is open with the component, another one stays closed until its Role is applied, and the messages name each right', async () => {
  await at.kube.component(at.namespace, 'connection-secrets');
  const team = await otherNamespace();
  await at.users([
    { username: 'alice', password: { generate: {} }, connectionSecret: 'db' },
    { username: 'bob', password: { generate: {} }, connectionSecret: { name: 'db', namespace: team } },
  ]);
  await run();
  const { notices } = await at.daemon.ready();
  expect(await whoami((await valuesOf('db'))['uri'] ?? '')).toBe('alice');
  expect(notices.map(({ kind, subject }) => [kind, subject])).toEqual([['cannot', 'bob']]);
  expect(notices[0]?.message).toContain(`we may not get secrets db in namespace ${team}; the Role needs the verb get on secrets`);
  expect([await at.exists('bob'), await secretNames(team)]).toEqual([true, []]);
  const missing = (message: string): Promise<void> =>
    at.cycleUntil(async () => (await at.daemon.status()).notices.some(({ kind, message: text }) => kind === 'cannot' && text.includes(message)));
  await letIn(team, [rule(['get'])]);
  await missing(`we may not patch secrets db in namespace ${team}; the Role needs the verb patch on secrets, and to make it also the verb create`);
  await letIn(team, [rule(['get', 'patch'])]);
  await missing(`we may not patch secrets db in namespace ${team}; the Role needs the verb patch on secrets, and to make it also the verb create`);
  expect(await secretNames(team)).toEqual([]);
  await letIn(team);
  await at.cycleUntil(async () => (await secretAt('db', team)) !== undefined);
  expect(await whoami((await valuesOf('db', team))['uri'] ?? '')).toBe('bob');
  expect((await at.daemon.cycle()).notices).toEqual([]);
});

it('without the right to create it fills a Secret that was made for it', async () => {
  await at.kube.component(at.namespace, 'connection-secrets');
  const team = await otherNamespace();
  const annotations = { 'pgsteward.dev/connection-of': 'alice', 'pgsteward.dev/source': `${at.namespace}/postgres-users-config` };
  const metadata = { name: 'db', annotations, labels: { 'app.kubernetes.io/managed-by': 'pgsteward' } };
  await at.kube.api('POST', pathOf('', team), { apiVersion: 'v1', kind: 'Secret', metadata, type: 'servicebinding.io/postgresql' });
  await letIn(team, [rule(['get', 'patch'], { resourceNames: ['db'] })]);
  await at.users([{ username: 'alice', password: { generate: {} }, connectionSecret: { name: 'db', namespace: team } }]);
  await run({ CONNECTION_HOST: 'db.example.com', CONNECTION_PORT: '6432' });
  await at.daemon.ready();
  await at.cycleUntil(async () => (await valuesOf('db', team))['uri'] !== undefined);
  expect(await valuesOf('db', team)).toMatchObject({ host: 'db.example.com', PGPORT: '6432', username: 'alice', sslmode: 'disable' });
});
