// Two servers that a ConfigMap declares, on a real API server with the shipped Role and the component `servers`: watched, told in Kubernetes by server, each with its own Secrets.
import { setTimeout as sleep } from 'node:timers/promises';
import { parse } from 'yaml';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { callHere } from '../commands/call.ts';
import { KubeCase } from '../support/kube-case.ts';
import { KubeFleet } from '../support/kube-fleet.ts';
import { logsIn } from '../support/logs-in.ts';
import { rememberPassword } from '../support/secrets.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { resetServer } from '../support/steward.ts';

const at = new KubeCase();
const fleet = new KubeFleet(at);
let two: Postgres;
beforeAll(async () => {
  two = await startPostgres();
});
afterAll(() => two.stop());

const entry = (name: string, more: object = {}): object => ({
  name,
  adminSecretRef: { name: `${name}-admin` },
  documents: [{ name: `${name}-users` }],
  ...more,
});
it('keeps both, hears of edits at once, and tells each author of its own', async () => {
  await at.kube.component(at.namespace, 'servers');
  await at.kube.component(at.namespace, 'bulk-secrets');
  await Promise.all([fleet.admin('one-admin', at.server), fleet.admin('two-admin', two)]);
  await fleet.users('one-users', [{ username: 'alice' }]);
  await fleet.users('two-users', [{ username: 'bob' }, { username: 'mallory' }]);
  const labels = { 'pgsteward.dev/server': 'two' };
  await fleet.secret('user-alice-secret', { password: 'alice-1' });
  await fleet.secret('user-bob-secret', { password: 'bob-1' }, labels);
  // One without the labels of that server is none of its users'.
  await fleet.secret('user-mallory-secret', { password: 'mallory-1' });
  await fleet.servers([entry('one'), entry('two', { secretsSelector: labels })]);
  await fleet.run();
  await fleet.until('both are kept', async () => (await logsIn(at.server, 'alice', 'alice-1')) && logsIn(two, 'bob', 'bob-1'));
  expect(await logsIn(two, 'mallory', 'mallory-1')).toBe(false);

  // The interval is an hour: all of this is heard.
  await fleet.users('one-users', [{ username: 'alice' }, { username: 'carol' }]);
  await fleet.secret('user-carol-secret', { password: 'carol-1' });
  await fleet.until('an edit of a document', () => logsIn(at.server, 'carol', 'carol-1'));
  await fleet.secret('user-bob-secret', { password: 'bob-2' }, labels);
  await fleet.until('a rotation', () => logsIn(two, 'bob', 'bob-2'));
  await fleet.servers([entry('one'), { ...entry('two', { secretsSelector: labels }), polcy: 1 }]);
  const statusOf = async (name: string): Promise<string> =>
    JSON.stringify((await at.kube.api('GET', at.path('configmaps', `${name}-status`))).json['data'] ?? '');
  await fleet.until('what is wrong with servers.yaml', async () => (await statusOf('pgsteward-servers')).includes('unknown key `polcy`'));
  expect(await statusOf('one-users')).toContain('alice');
  expect(await statusOf('two-users')).not.toContain('alice');
  const events = JSON.stringify((await at.kube.api('GET', `/apis/events.k8s.io/v1/namespaces/${at.namespace}/events`)).json['items']);
  for (const name of ['one-users', 'two-users', 'pgsteward-servers']) expect(events).toContain(`"name":"${name}"`);
  expect(events).toContain('ServersInvalid');
  await fleet.servers([entry('one')]);
  await fleet.until('it is let go', async () => (await two.query("SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'pgsteward%'")).length === 0);
  expect(await logsIn(two, 'bob', 'bob-2')).toBe(true);
});

it('rotates the password of one server where its policy says so, with the right to change that Secret and no other', async () => {
  await at.kube.component(at.namespace, 'servers');
  await at.kube.component(at.namespace, 'bulk-secrets');
  for (const [server, password] of [
    [at.server, 'old-of-one'],
    [two, 'old-of-two'],
  ] as const)
    await server.query(`DROP SCHEMA IF EXISTS pgsteward CASCADE; CREATE ROLE adm LOGIN SUPERUSER PASSWORD '${password}'`);
  const admin = (name: string, server: Postgres, password: string): Promise<void> =>
    fleet.secret(name, { username: 'adm', password, host: server.host, port: String(server.port), dbname: 'postgres' });
  await Promise.all([admin('one-admin', at.server, 'old-of-one'), admin('two-admin', two, 'old-of-two')]);
  const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${at.namespace}`;
  const name = 'rotates-one-admin';
  const rule = { apiGroups: [''], resources: ['secrets'], resourceNames: ['one-admin'], verbs: ['patch'] };
  await at.kube.api('POST', `${rbac}/roles`, { metadata: { name }, rules: [rule] });
  await at.kube.api('POST', `${rbac}/rolebindings`, {
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
    subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'pgsteward-controller' }],
  });
  await fleet.users('one-users', [{ username: 'alice', login: false }]);
  await fleet.users('two-users', [{ username: 'bob', login: false }]);
  await fleet.servers([entry('one', { policy: { adminRotation: 'on' } }), entry('two')]);
  await fleet.run();
  const isThere = async (server: Postgres, role: string): Promise<boolean> =>
    (await server.query(`SELECT 1 FROM pg_roles WHERE rolname = '${role}'`)).length > 0;
  await fleet.until('both are kept', async () => (await isThere(at.server, 'alice')) && isThere(two, 'bob'));
  const passwordOf = async (secret: string): Promise<string> => {
    const { data } = (await at.kube.api('GET', at.path('secrets', secret))).json as { data: Record<string, string> };
    const password = Buffer.from(data['password'] ?? '', 'base64').toString();
    rememberPassword(password);
    return password;
  };
  for (const secret of ['one-admin', 'two-admin'])
    await at.kube.api('PATCH', at.path('secrets', secret), { metadata: { annotations: { 'pgsteward.dev/rotate-at': 'now' } } });
  await fleet.until('the new password is in the Secret and on the server', async () => {
    const password = await passwordOf('one-admin');
    return password !== 'old-of-one' && (await logsIn(at.server, 'adm', password));
  });
  expect([await logsIn(at.server, 'adm', 'old-of-one'), await passwordOf('two-admin')]).toEqual([false, 'old-of-two']);
  // It goes on with the new one.
  await fleet.users('one-users', [
    { username: 'alice', login: false },
    { username: 'carol', login: false },
  ]);
  await fleet.until('an edit after the rotation', () => isThere(at.server, 'carol'));
  await at.daemon.kill9();
  await resetServer(two);
});

it('discover finds the Secrets of the API server that lead to a server, and prints no password', async () => {
  await at.kube.component(at.namespace, 'bulk-secrets');
  const labels = { 'cnpg.io/cluster': 'orders', 'cnpg.io/userType': 'superuser' };
  await fleet.secret('orders-superuser', { username: 'postgres', password: 'of-the-superuser', host: 'orders-rw', port: '5432', dbname: '*' }, labels);
  await fleet.secret('user-alice-secret', { password: 'of-alice' });
  await fleet.servers([]);
  // The case ends a daemon; without one there is nothing to end.
  const daemon = await fleet.run();
  await fleet.until('it answers', async () => (await daemon.get('/healthz')).code === 200);
  const env = { SOURCE: 'kubernetes', KUBECONFIG: at.kube.kubeconfig(), NAMESPACE: at.namespace };
  const { code, stdout, stderr } = await callHere(['discover'], '', env);
  expect({ code, servers: parse(stdout) as unknown }).toMatchObject({
    code: 0,
    servers: { servers: [{ name: 'orders', adminSecretRef: { name: 'orders-superuser' } }] },
  });
  expect(stdout + stderr).not.toMatch(/of-the-superuser|of-alice/);
});

it('edits of servers.yaml that come one upon the other end with what the last one says', async () => {
  await at.kube.component(at.namespace, 'servers');
  await Promise.all([fleet.admin('one-admin', at.server), fleet.admin('two-admin', two)]);
  await fleet.users('one-users', [{ username: 'alice', login: false }]);
  await fleet.users('two-users', [{ username: 'bob', login: false }]);
  await fleet.servers([entry('one')]);
  await fleet.run();
  // Names, documents and servers change places, faster than any of them begins or ends.
  for (let round = 0; round < 12; round += 1) {
    await fleet.servers(
      [
        [entry('one'), entry('two')],
        [entry('two')],
        [{ ...entry('one'), documents: [{ name: 'two-users' }] }],
        [entry('two', { policy: { dryRun: true } }), entry('one')],
      ][round % 4] ?? [],
    );
    if (round % 3 === 0) await sleep(300);
  }
  await fleet.servers([entry('one'), entry('two')]);
  await fleet.users('one-users', [
    { username: 'alice', login: false },
    { username: 'last', login: false },
  ]);
  await fleet.users('two-users', [
    { username: 'bob', login: false },
    { username: 'final', login: false },
  ]);
  const rolesOn = async (server: Postgres): Promise<string> =>
    (await server.query<{ name: string }>(`SELECT rolname AS name FROM pg_roles WHERE rolname IN ('alice', 'bob', 'last', 'final') ORDER BY 1`))
      .map((row) => row.name)
      .join();
  await fleet.until(
    'each server has what its document says',
    async () => (await rolesOn(at.server)).includes('last') && (await rolesOn(two)).includes('final'),
  );
  expect(await rolesOn(two)).toBe('bob,final');
  const { servers } = JSON.parse((await at.daemon.get('/status')).body) as { servers: Readonly<Record<string, { readonly role: string }>> };
  expect(Object.entries(servers).map(([name, { role }]) => `${name}: ${role}`)).toEqual(['one: writer', 'two: writer']);
});
