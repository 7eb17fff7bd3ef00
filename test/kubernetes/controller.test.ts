// The daemon on a real API server with the shipped Role and without watches: every way in which Kubernetes changes, refuses or disappears.
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { KubeCase, NAME } from '../support/kube-case.ts';

const at = new KubeCase();
/** Without any watch: all of this holds by the interval, or when somebody asks for a cycle. */
const run = (env: Record<string, string> = {}): Promise<void> => at.run({ WATCH: 'off', ...env });

it('an edited ConfigMap and a rotated Secret are in force after the next cycle, by GET with the shipped Role, and Events tell of it', async () => {
  await at.users([{ username: 'alice', roles: ['team'] }, { username: 'bob' }]);
  await at.secret('alice', 'first-pass');
  await at.secret('bob', 'b1');
  await run();
  await at.daemon.ready();
  expect(await at.canLogin('alice', 'first-pass')).toBe(true);
  await at.secret('alice', 'second-pass');
  await at.users([{ username: 'alice' }]);
  await at.daemon.cycle();
  expect([await at.canLogin('alice', 'second-pass'), await at.exists('bob'), await at.exists('team')]).toEqual([true, false, false]);
  await at.until(async () => (await at.events()).length > 1);
  const events = await at.events();
  expect(events.map((event) => event.reason)).toContain('Applied');
  expect(events[0]?.regarding.name).toBe(NAME);
  expect(JSON.stringify(events)).not.toMatch(/first-pass|second-pass|SCRAM/);
});

it('a deleted ConfigMap, and one without its key, leave the last good document in force', async () => {
  await at.users([{ username: 'alice' }]);
  await at.secret('alice', 'a');
  await run();
  await at.daemon.ready();
  await at.kube.api('DELETE', at.path('configmaps', NAME));
  await at.server.query('ALTER ROLE alice NOLOGIN');
  await at.daemon.cycle();
  expect(await at.canLogin('alice', 'a')).toBe(true);
  expect((await at.daemon.get('/metrics')).body).toContain('failures_total{reason="source_not_found"} 1');
  await at.kube.api('POST', at.path('configmaps'), {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: NAME },
    data: { 'other.yaml': 'users: []' },
  });
  await at.daemon.cycle();
  expect(await at.exists('alice')).toBe(true);
});

it('without its rights it changes nothing, names the right that is missing, and goes on when the right is back', async () => {
  await at.users([{ username: 'alice' }]);
  await at.secret('alice', 'a');
  await run();
  await at.daemon.ready();
  const binding = `/apis/rbac.authorization.k8s.io/v1/namespaces/${at.namespace}/rolebindings/pgsteward`;
  const { json } = await at.kube.api('GET', binding);
  await at.kube.api('DELETE', binding);
  await at.until(async () => {
    await at.daemon.cycle();
    return at.daemon.output().includes('the Role needs the verb get on configmaps');
  });
  expect(await at.canLogin('alice', 'a')).toBe(true);
  const { metadata: _, ...rest } = json;
  await at.kube.api('POST', binding.replace('/pgsteward', ''), { ...rest, metadata: { name: 'pgsteward' } });
  await at.users([{ username: 'alice', connectionLimit: 3 }]);
  await at.until(async () => {
    await at.daemon.cycle();
    return (await at.server.query(`SELECT 1 FROM pg_roles WHERE rolname = 'alice' AND rolconnlimit = 3`)).length === 1;
  });
});

it('a Secret that cannot be had holds back its user only', async () => {
  await at.users([{ username: 'alice' }, { username: 'bob' }]);
  await at.secret('alice', 'a');
  await run();
  const status = await at.daemon.ready();
  expect(status.notices.map((notice) => notice.subject)).toEqual(['bob']);
  expect([await at.exists('alice'), await at.exists('bob')]).toEqual([true, false]);
  await at.secret('bob', 'b');
  await at.daemon.cycle();
  expect(await at.canLogin('bob', 'b')).toBe(true);
  await at.kube.api('DELETE', at.path('secrets', 'user-alice-secret'));
  await at.daemon.cycle();
  expect(await at.canLogin('alice', 'a')).toBe(true);
});

it('an API server that hangs or restarts in the middle of a cycle costs time and nothing else', async () => {
  await at.users([{ username: 'alice' }]);
  await at.secret('alice', 'a');
  await run({ SYNC_INTERVAL: '1' });
  await at.daemon.ready();
  at.kube.pause();
  await sleep(1500);
  at.kube.resume();
  await at.kube.kill();
  await sleep(500);
  expect(await at.canLogin('alice', 'a')).toBe(true);
  await at.kube.start();
  await at.users([{ username: 'alice', connectionLimit: 9 }]);
  await at.until(async () => (await at.server.query(`SELECT 1 FROM pg_roles WHERE rolname = 'alice' AND rolconnlimit = 9`)).length === 1);
});

it('while the API server is frozen, what is changed by hand is repaired within an interval and a few seconds', async () => {
  await at.users([{ username: 'alice', roles: ['readers'] }, { username: 'bob' }]);
  await Promise.all([at.secret('alice', 'a-password'), at.secret('bob', 'b-password')]);
  await run({ SYNC_INTERVAL: '2', DRIFT_INTERVAL: '0' });
  await at.daemon.ready();
  const isRepaired = async (): Promise<boolean> =>
    (await at.server.query(`SELECT FROM pg_auth_members WHERE member = 'alice'::regrole AND roleid = 'readers'::regrole`)).length === 1 &&
    (await at.canLogin('bob', 'b-password'));
  at.kube.pause();
  try {
    for (let round = 0; round < 2; round += 1) {
      await at.server.query(`REVOKE readers FROM alice; ALTER ROLE bob PASSWORD 'planted'`);
      const from = performance.now();
      await at.until(isRepaired, 100);
      expect(performance.now() - from).toBeLessThan(25_000);
    }
  } finally {
    at.kube.resume();
  }
});

it('with the right to list, one LIST tells which Secrets are to be read', async () => {
  const role = `/apis/rbac.authorization.k8s.io/v1/namespaces/${at.namespace}/roles/pgsteward`;
  const { json } = await at.kube.api('GET', role);
  await at.kube.api('PUT', role, { ...json, rules: [...(json['rules'] as object[]), { apiGroups: [''], resources: ['secrets'], verbs: ['list'] }] });
  const users = Array.from({ length: 30 }, (_, index) => `user-${index}`);
  await Promise.all(users.map((user) => at.secret(user, `pass-of-${user}`)));
  await at.users(users.map((username) => ({ username })));
  await sleep(500);
  await run({ SECRET_ACCESS: 'list' });
  const status = await at.daemon.ready();
  expect(status.notices).toEqual([]);
  expect(await at.canLogin('user-29', 'pass-of-user-29')).toBe(true);
});

it('starts before the API server is there, and waits for it', async () => {
  await at.users([{ username: 'alice' }]);
  await at.secret('alice', 'a');
  const config = at.kube.kubeconfig();
  await at.kube.kill();
  await run({ SYNC_INTERVAL: '1', KUBECONFIG: config });
  await sleep(2000);
  await at.kube.start();
  await at.until(() => at.canLogin('alice', 'a'));
});
