// Two servers that a ConfigMap declares, on a real API server with the shipped Role and the component `servers`: watched, told in Kubernetes by server, each with its own Secrets.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { KubeCase } from '../support/kube-case.ts';
import { KubeFleet } from '../support/kube-fleet.ts';
import { logsIn } from '../support/logs-in.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';

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
