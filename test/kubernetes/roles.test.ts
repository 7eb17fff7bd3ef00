// What the shipped Role is enough for, and what is left where it gives less, on a real API server.
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { KubeCase } from '../support/kube-case.ts';

const at = new KubeCase();
const edit = async (limit: number): Promise<void> => {
  await at.users([{ username: 'alice', connectionLimit: limit }, { username: 'bob' }]);
  await at.until(async () => (await at.server.query(`SELECT 1 FROM pg_roles WHERE rolname = 'alice' AND rolconnlimit = ${limit}`)).length === 1);
};

it('with the shipped Role edits are followed at once, Secrets by the interval, and no other right is missed', async () => {
  await at.users([{ username: 'alice' }, { username: 'bob' }]);
  await at.secret('alice', 'alice-pass');
  await at.secret('bob', 'bob-pass');
  await at.run();
  await at.daemon.ready();
  await edit(5);
  await at.until(async () => (await at.events()).some((event) => event.reason === 'Applied'));
  expect((await at.status())?.data['ready']).toBe('true');
  await at.secret('bob', 'bob-pass-two');
  expect(await at.canLogin('bob', 'bob-pass-two')).toBe(false);
  await at.until(async () => {
    await at.daemon.cycle();
    return at.canLogin('bob', 'bob-pass-two');
  });
  const missed = at.daemon.output().match(/we may not \w+ \w+/g) ?? [];
  expect(missed.filter((right) => right !== 'we may not list secrets')).toEqual([]);
});

it('where every watch is refused the interval alone leads there, and the log names each missing right once', async () => {
  const role = `/apis/rbac.authorization.k8s.io/v1/namespaces/${at.namespace}/roles/pgsteward`;
  const { json } = await at.kube.api('GET', role);
  const rules = [
    { apiGroups: [''], resources: ['configmaps'], resourceNames: ['postgres-users-config'], verbs: ['get'] },
    { apiGroups: [''], resources: ['secrets'], verbs: ['get'] },
  ];
  expect((await at.kube.api('PUT', role, { ...json, rules })).status).toBe(200);
  await at.users([{ username: 'alice' }, { username: 'bob' }]);
  await at.secret('alice', 'alice-pass');
  await at.secret('bob', 'bob-pass');
  await sleep(300);
  await at.run({ SYNC_INTERVAL: '1' });
  await at.daemon.ready();
  await edit(5);
  await at.secret('bob', 'bob-pass-two');
  await at.until(() => at.canLogin('bob', 'bob-pass-two'));
  await edit(6);
  const timesSaid = (right: string): number =>
    at.daemon.lines().filter((line) => line.level !== 'DEBUG' && line.message.includes(`the Role needs the verb ${right}`)).length;
  const rights = ['list on configmaps', 'list on secrets', 'create on events', 'get on configmaps'];
  await at.until(() => rights.every((right) => timesSaid(right) > 0));
  await sleep(2500);
  expect(rights.map(timesSaid)).toEqual([1, 1, 1, 1]);
  expect(await at.metric('watch_connected{watch="document"}')).toBe(0);
});
