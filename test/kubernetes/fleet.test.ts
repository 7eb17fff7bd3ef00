// Two servers that a ConfigMap declares, on a real API server with the shipped Role and the component `servers`: watched, told in Kubernetes by server, each with its own Secrets.
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { type Daemon, daemonEnv, startDaemon } from '../support/daemon.ts';
import { KubeCase } from '../support/kube-case.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { rememberPassword } from '../support/secrets.ts';

const at = new KubeCase();
let two: Postgres;
beforeAll(async () => {
  two = await startPostgres();
});
afterAll(() => two.stop());

async function put(kind: 'configmaps' | 'secrets', name: string, body: object): Promise<void> {
  const object = { apiVersion: 'v1', kind: kind === 'secrets' ? 'Secret' : 'ConfigMap', metadata: { name }, ...body };
  const { status } = await at.kube.api('POST', at.path(kind), object);
  if (status === 409) expect((await at.kube.api('PATCH', at.path(kind, name), object)).status).toBe(200);
  else expect(status).toBeLessThan(300);
}
const secret = (name: string, stringData: Readonly<Record<string, string>>, labels: object = {}): Promise<void> => {
  rememberPassword(stringData['password'] ?? '');
  return put('secrets', name, { metadata: { name, labels }, stringData });
};
const admin = (name: string, server: Postgres): Promise<void> =>
  secret(name, { username: server.user, password: server.password, host: server.host, port: String(server.port), dbname: '*' });
const users = (name: string, list: readonly object[]): Promise<void> => put('configmaps', name, { data: { 'users.yaml': stringify({ users: list }) } });
const servers = (list: readonly object[] | string): Promise<void> =>
  put('configmaps', 'pgsteward-servers', { data: { 'servers.yaml': typeof list === 'string' ? list : stringify({ servers: list }) } });
const entry = (name: string, more: object = {}): object => ({
  name,
  adminSecretRef: { name: `${name}-admin` },
  documents: [{ name: `${name}-users` }],
  ...more,
});
const logsIn = async (server: Postgres, user: string, password: string): Promise<boolean> => {
  const client = new pg.Client({ host: server.host, port: server.port, user, password, database: 'postgres' });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
};
const until = async (what: string, holds: () => Promise<boolean>, daemon: Daemon): Promise<void> => {
  for (const end = Date.now() + 90_000; !(await holds().catch(() => false)); await sleep(50))
    if (Date.now() > end) throw new Error(`not in time: ${what}: ${(await daemon.get('/status')).body} ${daemon.output().slice(-2000)}`);
};

it('keeps both, hears of edits at once, and tells each author of its own', async () => {
  await at.kube.component(at.namespace, 'servers');
  await at.kube.component(at.namespace, 'bulk-secrets');
  await Promise.all([admin('one-admin', at.server), admin('two-admin', two)]);
  await users('one-users', [{ username: 'alice' }]);
  await users('two-users', [{ username: 'bob' }, { username: 'mallory' }]);
  const labels = { 'pgsteward.dev/server': 'two' };
  await secret('user-alice-secret', { password: 'alice-1' });
  await secret('user-bob-secret', { password: 'bob-1' }, labels);
  // One without the labels of that server is none of its users'.
  await secret('user-mallory-secret', { password: 'mallory-1' });
  await servers([entry('one'), entry('two', { secretsSelector: labels })]);
  const daemon = await startDaemon(
    daemonEnv(at.server, '/tmp', {
      SOURCE: 'kubernetes',
      KUBECONFIG: at.kube.kubeconfig(),
      NAMESPACE: at.namespace,
      SERVERS_CONFIGMAP: 'pgsteward-servers',
      STATE_FILE: `/tmp/pgsteward-fleet-${process.pid}.json`,
      WATCH: 'on',
    }),
  );
  at.daemon = daemon;
  await until('both are kept', async () => (await logsIn(at.server, 'alice', 'alice-1')) && logsIn(two, 'bob', 'bob-1'), daemon);
  expect(await logsIn(two, 'mallory', 'mallory-1')).toBe(false);

  // The interval is an hour: all of this is heard.
  await users('one-users', [{ username: 'alice' }, { username: 'carol' }]);
  await secret('user-carol-secret', { password: 'carol-1' });
  await until('an edit of a document', () => logsIn(at.server, 'carol', 'carol-1'), daemon);
  await secret('user-bob-secret', { password: 'bob-2' }, labels);
  await until('a rotation', () => logsIn(two, 'bob', 'bob-2'), daemon);
  await servers([entry('one'), { ...entry('two', { secretsSelector: labels }), polcy: 1 }]);
  const statusOf = async (name: string): Promise<string> =>
    JSON.stringify((await at.kube.api('GET', at.path('configmaps', `${name}-status`))).json['data'] ?? '');
  await until('what is wrong with servers.yaml', async () => (await statusOf('pgsteward-servers')).includes('unknown key `polcy`'), daemon);
  expect(await statusOf('one-users')).toContain('alice');
  expect(await statusOf('two-users')).not.toContain('alice');
  const events = JSON.stringify((await at.kube.api('GET', `/apis/events.k8s.io/v1/namespaces/${at.namespace}/events`)).json['items']);
  for (const name of ['one-users', 'two-users', 'pgsteward-servers']) expect(events).toContain(`"name":"${name}"`);
  expect(events).toContain('ServersInvalid');
  await servers([entry('one')]);
  await until('it is let go', async () => (await two.query("SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'pgsteward%'")).length === 0, daemon);
  expect(await logsIn(two, 'bob', 'bob-2')).toBe(true);
});
