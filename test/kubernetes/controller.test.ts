// The daemon on a real API server with the shipped Role: every way in which Kubernetes changes, refuses or disappears.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { type Daemon, daemonEnv, startDaemon } from '../support/daemon.ts';
import { type ControlPlane, startControlPlane } from '../support/kube-apiserver.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { resetServer } from '../support/steward.ts';

let kube: ControlPlane;
let server: Postgres;
let daemon: Daemon;
let namespace = '';
let count = 0;
beforeAll(async () => {
  [kube, server] = await Promise.all([startControlPlane(), startPostgres({ settings: { fsync: 'off' } })]);
});
afterAll(async () => {
  await kube.stop();
  await server.stop();
});
beforeEach(async () => {
  count += 1;
  namespace = `case-${count}`;
  await kube.namespace(namespace);
});
afterEach(async () => {
  await daemon.kill9();
  await resetServer(server);
});

const path = (kind: 'configmaps' | 'secrets', name = ''): string => `/api/v1/namespaces/${namespace}/${kind}${name === '' ? '' : `/${name}`}`;
const writeUsers = async (users: readonly object[] | string, create = false): Promise<void> => {
  const body = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'postgres-users-config' },
    data: { 'users.yaml': typeof users === 'string' ? users : stringify({ users }) },
  };
  const { status } = create ? await kube.api('POST', path('configmaps'), body) : await kube.api('PATCH', path('configmaps', 'postgres-users-config'), body);
  expect(status).toBeLessThan(300);
};
const writeSecret = async (user: string, password: string): Promise<void> => {
  const body = { apiVersion: 'v1', kind: 'Secret', metadata: { name: `user-${user}-secret` }, data: { password: Buffer.from(password).toString('base64') } };
  const created = await kube.api('POST', path('secrets'), body);
  if (created.status === 409) expect((await kube.api('PATCH', path('secrets', body.metadata.name), body)).status).toBe(200);
};
const run = async (env: Record<string, string> = {}): Promise<void> => {
  daemon = await startDaemon(
    daemonEnv(server, '/tmp', {
      SOURCE: 'kubernetes',
      KUBECONFIG: kube.kubeconfig(),
      NAMESPACE: namespace,
      STATE_FILE: `/tmp/pgsteward-kube-${process.pid}-${count}.json`,
      ...env,
    }),
  );
};
const canLogin = (user: string, password: string): Promise<boolean> =>
  server.client('postgres', { user, password }).then(
    (client) => client.end().then(() => true),
    () => false,
  );
const exists = async (role: string): Promise<boolean> => (await server.query(`SELECT 1 FROM pg_roles WHERE rolname = '${role}'`)).length > 0;
const until = async (check: () => Promise<boolean>): Promise<void> => {
  for (const end = Date.now() + 40_000; !(await check()); await sleep(50))
    if (Date.now() > end) throw new Error(`not within 40 s: ${daemon.output().slice(-2000)}`);
};

it('an edited ConfigMap and a rotated Secret are in force after the next cycle, by GET with the shipped Role, and Events tell of it', async () => {
  await writeUsers([{ username: 'alice', roles: ['team'] }, { username: 'bob' }], true);
  await writeSecret('alice', 'first-pass');
  await writeSecret('bob', 'b1');
  await run();
  await daemon.ready();
  expect(await canLogin('alice', 'first-pass')).toBe(true);
  await writeSecret('alice', 'second-pass');
  await writeUsers([{ username: 'alice' }]);
  await daemon.cycle();
  expect([await canLogin('alice', 'second-pass'), await exists('bob'), await exists('team')]).toEqual([true, false, false]);
  const events = (await kube.api('GET', `/apis/events.k8s.io/v1/namespaces/${namespace}/events`)).json['items'] as readonly {
    reason: string;
    note: string;
    regarding: { name: string };
  }[];
  expect(events.map((event) => event.reason)).toContain('Applied');
  expect(events[0]?.regarding.name).toBe('postgres-users-config');
  expect(JSON.stringify(events)).not.toMatch(/first-pass|second-pass|SCRAM/);
});

it('a deleted ConfigMap, and one without its key, leave the last good document in force', async () => {
  await writeUsers([{ username: 'alice' }], true);
  await writeSecret('alice', 'a');
  await run();
  await daemon.ready();
  await kube.api('DELETE', path('configmaps', 'postgres-users-config'));
  await server.query('ALTER ROLE alice NOLOGIN');
  await daemon.cycle();
  expect(await canLogin('alice', 'a')).toBe(true);
  expect((await daemon.get('/metrics')).body).toContain('failures_total{reason="source_not_found"} 1');
  await kube.api('POST', path('configmaps'), {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'postgres-users-config' },
    data: { 'other.yaml': 'users: []' },
  });
  await daemon.cycle();
  expect(await exists('alice')).toBe(true);
});

it('without its rights it changes nothing, names the right that is missing, and goes on when the right is back', async () => {
  await writeUsers([{ username: 'alice' }], true);
  await writeSecret('alice', 'a');
  await run();
  await daemon.ready();
  const binding = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/rolebindings/pgsteward`;
  const { json } = await kube.api('GET', binding);
  await kube.api('DELETE', binding);
  await until(async () => {
    await daemon.cycle();
    return daemon.output().includes('the Role needs the verb get on configmaps');
  });
  expect(await canLogin('alice', 'a')).toBe(true);
  const { metadata: _, ...rest } = json;
  await kube.api('POST', binding.replace('/pgsteward', ''), { ...rest, metadata: { name: 'pgsteward' } });
  await writeUsers([{ username: 'alice', connectionLimit: 3 }]);
  await until(async () => {
    await daemon.cycle();
    return (await server.query(`SELECT 1 FROM pg_roles WHERE rolname = 'alice' AND rolconnlimit = 3`)).length === 1;
  });
});

it('a Secret that cannot be had holds back its user only', async () => {
  await writeUsers([{ username: 'alice' }, { username: 'bob' }], true);
  await writeSecret('alice', 'a');
  await run();
  const status = await daemon.ready();
  expect(status.notices.map((notice) => notice.subject)).toEqual(['bob']);
  expect([await exists('alice'), await exists('bob')]).toEqual([true, false]);
  await writeSecret('bob', 'b');
  await daemon.cycle();
  expect(await canLogin('bob', 'b')).toBe(true);
  await kube.api('DELETE', path('secrets', 'user-alice-secret'));
  await daemon.cycle();
  expect(await canLogin('alice', 'a')).toBe(true);
});

it('an API server that hangs or restarts in the middle of a cycle costs time and nothing else', async () => {
  await writeUsers([{ username: 'alice' }], true);
  await writeSecret('alice', 'a');
  await run({ SYNC_INTERVAL: '1' });
  await daemon.ready();
  kube.pause();
  await sleep(1500);
  kube.resume();
  await kube.kill();
  await sleep(500);
  expect(await canLogin('alice', 'a')).toBe(true);
  await kube.start();
  await writeUsers([{ username: 'alice', connectionLimit: 9 }]);
  await until(async () => (await server.query(`SELECT 1 FROM pg_roles WHERE rolname = 'alice' AND rolconnlimit = 9`)).length === 1);
});

it('with the right to list, one LIST brings all Secrets', async () => {
  const role = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}/roles/pgsteward`;
  const { json } = await kube.api('GET', role);
  await kube.api('PUT', role, { ...json, rules: [...(json['rules'] as object[]), { apiGroups: [''], resources: ['secrets'], verbs: ['list'] }] });
  const users = Array.from({ length: 30 }, (_, index) => `user-${index}`);
  await Promise.all(users.map((user) => writeSecret(user, user)));
  await writeUsers(
    users.map((username) => ({ username })),
    true,
  );
  await sleep(500);
  await run({ SECRET_ACCESS: 'list' });
  const status = await daemon.ready();
  expect(status.notices).toEqual([]);
  expect(await canLogin('user-29', 'user-29')).toBe(true);
});

it('starts before the API server is there, and waits for it', async () => {
  await writeUsers([{ username: 'alice' }], true);
  await writeSecret('alice', 'a');
  const config = kube.kubeconfig();
  await kube.kill();
  await run({ SYNC_INTERVAL: '1', KUBECONFIG: config });
  await sleep(2000);
  await kube.start();
  await until(() => canLogin('alice', 'a'));
});
