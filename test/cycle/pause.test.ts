// What somebody asks for by annotations of the ConfigMap: a pause that writes nothing, and a full look.
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { requestsOf } from '../../src/model/requests.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, ddlOf, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  {},
  (started) => (server = started),
  () => steward,
);

const PAUSED = { 'pgsteward.dev/paused': 'true' };
const start = async (users: readonly object[], annotations: Readonly<Record<string, string>>): Promise<void> => {
  steward = await createSteward(server);
  steward.manifests.users(users);
  steward.manifests.annotate(annotations);
};

it('a pause from the start writes nothing anywhere, and its plan is done when it is over', async () => {
  await start([{ username: 'alice', login: false, roles: ['team'] }], PAUSED);
  server.mark();
  const paused = await steward.cycle();
  expect(paused).toMatchObject({ result: 'paused', requests: { paused: true }, outcomes: [] });
  expect(paused.planned.map((change) => change.kind)).toContain('create_role');
  expect(ddlOf(server.log())).toEqual([]);
  expect(existsSync(steward.config.stateFile)).toBe(false);
  expect(await server.query(`SELECT 1 FROM pg_namespace WHERE nspname = 'pgsteward'`)).toEqual([]);
  steward.manifests.annotate({ 'pgsteward.dev/paused': 'false' });
  expect((await steward.cycle()).result).toBe('changed');
  expect((await steward.cycle()).result).toBe('converged');
});

it('a pause in between counts drift and repairs none, whatever else goes wrong', async () => {
  await start([{ username: 'alice', login: false }], {});
  await steward.cycle();
  steward.manifests.annotate(PAUSED);
  await server.query('ALTER ROLE alice LOGIN');
  server.mark();
  expect((await steward.cycle()).drift).toHaveLength(1);
  steward.manifests.users('users: [');
  expect((await steward.cycle()).result).toBe('paused');
  expect(ddlOf(server.log())).toEqual([]);
  steward.manifests.annotate({});
  steward.manifests.users([{ username: 'alice', login: false }]);
  expect(await steward.cycle()).toMatchObject({ result: 'changed', requests: { paused: false } });
});

it('a ConfigMap that cannot be read keeps the pause that it asked for', async () => {
  await start([{ username: 'alice', login: false }], PAUSED);
  await steward.cycle();
  steward.manifests.remove();
  const report = await steward.cycle();
  expect(report.sourceFailure?.reason).toBe('not_found');
  expect([report.result, report.requests?.paused]).toEqual(['paused', true]);
});

it('a ConfigMap without its document may ask for a pause, and for its end', async () => {
  await start([{ username: 'alice', login: false }], {});
  await steward.cycle();
  await server.query('ALTER ROLE alice LOGIN');
  const write = (annotations: object): void =>
    writeFileSync(
      join(steward.manifests.folder, 'configmap.yaml'),
      JSON.stringify({ kind: 'ConfigMap', metadata: { name: 'postgres-users-config', annotations }, data: {} }),
    );
  write(PAUSED);
  expect(await steward.cycle()).toMatchObject({ result: 'paused', sourceFailure: { reason: 'not_found' } });
  write({});
  expect((await steward.cycle()).outcomes).toHaveLength(1);
});

it('a new reconcile-at looks at everything, also where nothing has changed', async () => {
  await start([{ username: 'alice', login: false }], {});
  await steward.cycle();
  await steward.cycle();
  expect((await steward.cycle()).unchanged).toBe(true);
  steward.manifests.annotate({ 'pgsteward.dev/reconcile-at': 'now' });
  expect(await steward.cycle()).toMatchObject({ unchanged: false, result: 'converged', requests: { reconcileAt: 'now' } });
  expect((await steward.cycle()).unchanged).toBe(true);
});

it('only words that say no do not pause', () => {
  const isPaused = (value: unknown): boolean => requestsOf({ 'pgsteward.dev/paused': value }).paused;
  expect(['true', 'True', 'yes', 'ture', '1', true].filter((value) => !isPaused(value))).toEqual([]);
  expect(['false', 'False', ' no ', 'off', '0', '', false, undefined, {}].filter(isPaused)).toEqual([]);
});
