// Three replicas share twelve servers on a real API server: each is with whom the hash prefers, only those of a replica that goes move, and everything that is declared happens meanwhile.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { ranking } from '../../src/model/rendezvous.ts';
import { KubeCase } from '../support/kube-case.ts';
import { KubeReplicas } from '../support/kube-replicas.ts';
import { rememberPassword } from '../support/secrets.ts';
import { fencedTwice } from '../support/terms.ts';

/** Each is a login and a database of its own: a writer lock is for a login. */
const SERVERS = Array.from({ length: 12 }, (_, index) => `server-${index}`);
const PASSWORD = 'a password of the stewards';

const at = new KubeCase();
let replicas: KubeReplicas;
beforeEach(async () => {
  replicas = new KubeReplicas(at, { SERVERS_CONFIGMAP: 'servers', DB_POOL_MAX_CONN: '1', MAX_LISTENERS: '0', EVENT_TRIGGERS: 'off', SYNC_INTERVAL: '20' });
  rememberPassword(PASSWORD);
  await at.kube.component(at.namespace, 'replicas');
  const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${at.namespace}`;
  const rules = [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list', 'watch', 'patch'] }];
  await at.kube.api('POST', `${rbac}/roles`, { metadata: { name: 'fleet' }, rules });
  await at.kube.api('POST', `${rbac}/rolebindings`, {
    metadata: { name: 'fleet' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'fleet' },
    subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'pgsteward-controller' }],
  });
  for (const name of SERVERS) {
    await at.server.query(`CREATE ROLE "${name}" LOGIN SUPERUSER PASSWORD '${PASSWORD}'`);
    await at.server.query(`CREATE DATABASE "${name}" OWNER "${name}"`);
    const login = { username: name, password: PASSWORD, host: at.server.host, port: String(at.server.port), dbname: name };
    await at.kube.api('POST', at.path('secrets'), { metadata: { name: `${name}-admin` }, stringData: login });
    await document(name, 1);
  }
  const servers = SERVERS.map((name) => ({ name, adminSecretRef: { name: `${name}-admin` }, documents: [{ name: `${name}-users` }] }));
  await at.kube.api('POST', at.path('configmaps'), { metadata: { name: 'servers' }, data: { 'servers.yaml': stringify({ servers }) } });
});
afterEach(async () => {
  await replicas.endAll();
  for (const name of SERVERS) {
    await at.server.query(`DROP DATABASE "${name}" WITH (FORCE)`);
    await at.server.query(`DROP OWNED BY "${name}"`).catch(() => undefined);
  }
});

async function document(server: string, limit: number): Promise<void> {
  const users = [{ username: `user-of-${server}`, login: false, connectionLimit: limit }];
  const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `${server}-users` }, data: { 'users.yaml': stringify({ users }) } };
  if ((await at.kube.api('POST', at.path('configmaps'), body)).status === 409) await at.kube.api('PATCH', at.path('configmaps', `${server}-users`), body);
}

/** Server → who writes there. */
async function writers(): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const [replica, daemon] of replicas.running) {
    const shown = JSON.parse((await daemon.get('/status').catch(() => ({ body: '{}' }))).body) as {
      servers?: Readonly<Record<string, { readonly role: string }>>;
    };
    for (const [server, { role }] of Object.entries(shown.servers ?? {})) if (role === 'writer') found.set(server, replica);
  }
  return found;
}
const preferred = (): ReadonlyMap<string, string> => new Map(SERVERS.map((server) => [server, ranking(server, [...replicas.running.keys()])[0] ?? '']));
const isShared = async (): Promise<boolean> => {
  const now = await writers();
  return [...preferred()].every(([server, replica]) => now.get(server) === replica);
};

/** Milliseconds until a change is in force on each server. */
async function editAll(limit: number): Promise<readonly number[]> {
  const began = performance.now();
  const done = new Map<string, number>();
  for (const server of SERVERS) await document(server, limit);
  await at.until(async () => {
    const rows = await at.server.query<{ name: string }>(
      `SELECT rolname AS name FROM pg_roles WHERE starts_with(rolname, 'user-of-') AND rolconnlimit = ${limit}`,
    );
    for (const { name } of rows) if (!done.has(name)) done.set(name, performance.now() - began);
    return done.size === SERVERS.length;
  }, 100);
  return [...done.values()].toSorted((a, b) => a - b);
}
const show = (what: string, times: readonly number[]): void =>
  console.log(`${what}: median ${((times[Math.floor(times.length / 2)] ?? 0) / 1000).toFixed(1)} s, longest ${((times.at(-1) ?? 0) / 1000).toFixed(1)} s`);

it('each of twelve servers is with the replica that is preferred for it, and only those of one that is killed, or stands still, move', async () => {
  await at.server.query('ALTER SYSTEM SET log_statement = none');
  await at.server.query('ALTER SYSTEM SET log_min_duration_statement = 0');
  await at.server.query('SELECT pg_reload_conf()');
  const names = [await replicas.start(), await replicas.start(), await replicas.start()];
  await replicas.together();
  await at.until(isShared, 500);
  show('a change on each of twelve servers', await editAll(2));
  at.server.mark();
  for (const [signal, limit] of [
    ['SIGKILL', 3],
    ['SIGSTOP', 4],
  ] as const) {
    const before = await writers();
    const victim = names.find((name) => replicas.running.has(name) && [...before.values()].includes(name)) ?? '';
    replicas.get(victim).process.kill(signal);
    const times = await editAll(limit);
    show(`${signal} of a replica with ${[...before.values()].filter((name) => name === victim).length} of them, a change on each`, times);
    expect(times.at(-1)).toBeLessThan(15_000);
    await replicas.end(victim);
    const after = await writers();
    for (const [server, replica] of before) if (replica !== victim) expect(after.get(server)).toBe(replica);
    expect(after.size).toBe(SERVERS.length);
    await replicas.forget(victim);
    await replicas.start(`${victim}-again`);
    await replicas.together();
    names.push(`${victim}-again`);
    await at.until(isShared, 500);
  }
  const { terms, violations } = fencedTwice(at.server.log());
  expect(violations).toBe(0);
  expect(terms).toBeGreaterThanOrEqual(SERVERS.length);
  await at.server.query("ALTER SYSTEM SET log_statement = 'all'");
  await at.server.query('ALTER SYSTEM RESET log_min_duration_statement');
  await at.server.query('SELECT pg_reload_conf()');
});
