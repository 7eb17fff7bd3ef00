// Users who stop to take turns: what programs hold works until they are told otherwise, and for as long as the drain says.
import { expect, it } from 'vitest';
import { KubeCase } from '../support/kube-case.ts';
import { kubeSecrets, loginBy } from '../support/kube-secrets.ts';

const at = new KubeCase();
const secrets = kubeSecrets(at);

const run = (env: Record<string, string> = {}): Promise<void> => at.run({ CONNECTION_SSLMODE: 'disable', ...env });
const web = (rotation: object | undefined, more: object = {}): object => ({
  username: 'web',
  password: { generate: {} },
  connectionSecret: 'web-db',
  ...(rotation === undefined ? {} : { rotation }),
  ...more,
});
const twoUsers = { strategy: 'two-users', overlap: '2s' };
const withRights = async (): Promise<void> => {
  await at.kube.component(at.namespace, 'connection-secrets');
  await at.kube.component(at.namespace, 'bulk-secrets');
};
const connected = async (): Promise<{ login: string; works: string } | undefined> => loginBy((await secrets.valuesOf('web-db'))['uri']);

it('the user stays while a session of one of the two goes on, as its drain allows', async () => {
  await withRights();
  await at.users([web(twoUsers, { roles: ['team'], drain: '1h' }), { username: 'other', password: 'none' }]);
  await run();
  await at.daemon.ready();
  await at.until(async () => (await connected())?.login === 'web-1');
  const { password } = await secrets.valuesOf('web-db');
  const session = await at.server.client('postgres', { user: 'web-1', password: password ?? '' });
  session.on('error', () => undefined);
  await at.users([{ username: 'other', password: 'none' }]);
  await at.daemon.cycle();
  await at.daemon.cycle();
  expect(await at.exists('web-1')).toBe(true);
  expect(await at.exists('web')).toBe(true);
  const { rows } = await session.query(`SELECT current_user AS works, pg_has_role('team', 'MEMBER') AS member`);
  expect(rows).toEqual([{ works: 'web', member: true }]);
  await session.end();
  await at.until(async () => {
    await at.daemon.cycle();
    return !(await at.exists('web')) && !(await at.exists('web-1')) && !(await at.exists('web-2'));
  }, 500);
});

it('from two users to one nobody is removed whom the connection Secret still tells programs of', async () => {
  await withRights();
  await at.users([web(twoUsers, { roles: ['team'] })]);
  await run();
  await at.daemon.ready();
  await at.until(async () => (await connected())?.login === 'web-1');
  // Something else of the user cannot be had, so the connection Secret waits.
  await at.users([web({}, { roles: ['team', 'postgres'] })]);
  await at.daemon.cycle();
  await at.daemon.cycle();
  expect(await connected()).toMatchObject({ works: 'web' });
  await at.users([web({}, { roles: ['team'] })]);
  await at.until(async () => {
    await at.daemon.cycle();
    return (await connected())?.login === 'web';
  }, 500);
  await at.until(async () => !(await at.exists('web-1')) && !(await at.exists('web-2')));
  expect((await secrets.valuesOf('user-web-secret'))['username']).not.toBe('web-1');
});

it('where the connection Secret can be neither read nor written nobody loses what programs hold, also when the password Secret is deleted', async () => {
  await withRights();
  const team = `${at.namespace}-team`;
  const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${team}`;
  const rules = (verbs: readonly string[]): object => ({ metadata: { name: 'let-in' }, rules: [{ apiGroups: [''], resources: ['secrets'], verbs }] });
  await at.kube.api('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: team } });
  await at.kube.api('POST', `${rbac}/roles`, rules(['get', 'patch', 'create']));
  await at.kube.api('POST', `${rbac}/rolebindings`, {
    metadata: { name: 'let-in' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'let-in' },
    subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'pgsteward-controller' }],
  });
  const uri = async (): Promise<string> => {
    const { json } = await at.kube.api('GET', `/api/v1/namespaces/${team}/secrets/web-db`);
    return Buffer.from((json['data'] as Record<string, string> | undefined)?.['uri'] ?? '', 'base64').toString();
  };
  await at.users([web({ ...twoUsers, every: '3s' }, { connectionSecret: { name: 'web-db', namespace: team } })]);
  await run();
  await at.daemon.ready();
  await at.until(async () => (await loginBy(await uri()))?.login === 'web-1');
  await at.kube.api('PUT', `${rbac}/roles/let-in`, rules(['list']));
  await at.until(async () => (await at.daemon.cycle()).notices.some(({ kind }) => kind === 'cannot'), 500);
  for (let round = 0; round < 3; round += 1) {
    await at.daemon.cycle();
    expect((await loginBy(await uri()))?.works, `round ${round}`).toBe('web');
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  await at.daemon.kill9();
  await run();
  await at.daemon.ready();
  expect((await loginBy(await uri()))?.works).toBe('web');
  // It can be read, and not be written: the password Secret goes ahead, and what programs hold stays.
  await at.kube.api('PUT', `${rbac}/roles/let-in`, rules(['get']));
  for (let round = 0; round < 4; round += 1) {
    await at.daemon.cycle();
    expect((await loginBy(await uri()))?.works, `readable ${round}`).toBe('web');
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  for (const verbs of [['list'], ['get']]) {
    await at.kube.api('PUT', `${rbac}/roles/let-in`, rules(verbs));
    await secrets.remove('user-web-secret');
    for (let round = 0; round < 3; round += 1) {
      await at.daemon.cycle();
      expect((await loginBy(await uri()))?.works, `deleted ${verbs.join()} ${round}`).toBe('web');
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
  }
  await at.kube.api('PUT', `${rbac}/roles/let-in`, rules(['get', 'patch']));
  await at.until(async () => {
    await at.daemon.cycle();
    return (await loginBy(await uri()))?.login === 'web-2';
  }, 500);
}, 120_000);
