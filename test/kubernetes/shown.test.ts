// What the author of the document sees in Kubernetes, and what annotations of the ConfigMap do, on a real API server with the shipped Role.
import { expect, it } from 'vitest';
import { KubeCase, type KubeEvent, NAME, type StatusObject } from '../support/kube-case.ts';
import { ddlOf } from '../support/steward.ts';

const at = new KubeCase();
interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
}
interface Shown {
  readonly counts: object;
  readonly conditions: readonly Condition[];
  readonly users: Readonly<Record<string, readonly Condition[]>>;
  readonly roles: Readonly<Record<string, readonly Condition[]>>;
}
const shown = (status: StatusObject | undefined): Shown => JSON.parse(status?.data['status.json'] ?? '{}') as Shown;
const until = async (check: (status: StatusObject) => boolean): Promise<StatusObject> => {
  let found: StatusObject | undefined;
  await at.until(async () => {
    found = await at.status();
    return found !== undefined && check(found);
  });
  return found as StatusObject;
};
const untilEvent = async (reason: string, check: (event: KubeEvent) => boolean = () => true): Promise<KubeEvent> => {
  let found: KubeEvent | undefined;
  await at.until(async () => {
    found = (await at.events()).find((event) => event.reason === reason && check(event));
    return found !== undefined;
  });
  return found as KubeEvent;
};
const resourceVersionOf = async (): Promise<string> =>
  ((await at.kube.api('GET', at.path('configmaps', NAME))).json['metadata'] as { resourceVersion: string }).resourceVersion;

it('the status says what holds, by name, and is written only when that changes, also by another process', async () => {
  await at.users([{ username: 'alice', roles: ['team'] }, { username: 'bob' }]);
  await at.secret('alice', 'alice-pass');
  await at.run();
  await at.daemon.ready();
  const first = await until((status) => status.data['ready'] === 'false');
  expect(first.data).toMatchObject({ reason: 'NotReady', observedResourceVersion: await resourceVersionOf() });
  expect(first.data['documentHash']).toMatch(/^[0-9a-f]{64}$/);
  expect(shown(first)).toMatchObject({
    counts: { users: 2, usersReady: 1, roles: 1, rolesReady: 1 },
    complete: true,
    users: { alice: [{ type: 'Ready', status: 'True', reason: 'Applied' }], bob: [{ type: 'Ready', status: 'False', reason: 'SecretNotUsable' }] },
    roles: { team: [{ status: 'True' }] },
  });
  for (let round = 0; round < 3; round += 1) await at.daemon.cycle();
  expect((await at.status())?.resourceVersion).toBe(first.resourceVersion);
  expect(await at.daemon.stop()).toBe(0);
  await at.run();
  await at.daemon.ready();
  await at.daemon.cycle();
  expect((await at.status())?.resourceVersion).toBe(first.resourceVersion);
  await at.secret('bob', 'bob-pass');
  await at.daemon.cycle();
  const second = await until((status) => status.data['ready'] === 'true');
  expect(shown(second).users['alice']).toEqual(shown(first).users['alice']);
  expect(shown(second).users['bob']?.[0]).toMatchObject({ status: 'True', reason: 'Applied' });
  expect(JSON.stringify(second)).not.toMatch(/alice-pass|bob-pass|SCRAM/);
});

it('the status tells a broken document from the one that is in force, and a process that previews writes none', async () => {
  await at.users([{ username: 'alice' }]);
  await at.secret('alice', 'alice-pass');
  await at.run({ DRY_RUN: 'true' });
  await at.daemon.ready();
  await at.daemon.cycle();
  expect(await at.status()).toBeUndefined();
  expect(await at.events()).toEqual([]);
  await at.daemon.stop();
  await at.run();
  const good = await until((status) => status.data['ready'] === 'true');
  await at.users('users: [');
  const bad = await until((status) => status.data['ready'] === 'false');
  expect(bad.data).toMatchObject({
    reason: 'DocumentInvalid',
    observedResourceVersion: good.data['observedResourceVersion'],
    documentHash: good.data['documentHash'],
  });
  expect((await untilEvent('Invalid')).note).toMatch(/^users\.yaml:1:/);
  await at.users([{ username: 'alice' }, { username: 'postgres' }]);
  const refused = await until((status) => status.data['reason'] === 'NotReady');
  expect(shown(refused).users['postgres']?.[0]).toMatchObject({ status: 'False', reason: 'Refused' });
});

it('a pause stops all writing and nothing else, and what waited is done when it ends', async () => {
  await at.users([{ username: 'alice' }]);
  await at.secret('alice', 'alice-pass');
  await at.run();
  await until((status) => status.data['ready'] === 'true');
  await at.annotate({ 'pgsteward.dev/paused': 'true' });
  await untilEvent('Paused');
  at.server.mark();
  await at.server.query('SET log_statement = none; ALTER ROLE alice CONNECTION LIMIT 3');
  await at.users([{ username: 'alice' }, { username: 'bob', login: false }]);
  await at.until(() => at.daemon.output().includes('[PAUSED] Would create user: bob'));
  const { lastCycle } = await at.daemon.cycle();
  expect(lastCycle).toMatchObject({ result: 'paused', drift: 1 });
  expect(ddlOf(at.server.log()).filter((line) => !/log_statement/.test(line))).toEqual([]);
  expect(JSON.parse((await at.daemon.get('/status')).body)).toMatchObject({ paused: true });
  expect([await at.metric('paused'), await at.metric('pending_changes{kind="create_role"}'), await at.exists('bob')]).toEqual([1, 1, false]);
  const paused = await until((status) => status.data['reason'] === 'Paused');
  expect(paused.data['observedResourceVersion']).not.toBe(await resourceVersionOf());
  await at.annotate({ 'pgsteward.dev/paused': null });
  await at.until(() => at.exists('bob'));
  await untilEvent('Resumed');
  const over = await until((status) => status.data['ready'] === 'true');
  expect(over.data['observedResourceVersion']).toBe(await resourceVersionOf());
  await untilEvent('DriftRepaired', (event) => event.note.includes('alter user: alice'));
  expect(await at.metric('paused')).toBe(0);
  expect(at.daemon.lines().filter((line) => /paused by|pause is over/.test(line.message))).toHaveLength(2);
});

it('reconcile-at starts a full look, and an Event says how it ended', async () => {
  await at.users([{ username: 'alice', login: false }]);
  await at.run();
  await until((status) => status.data['ready'] === 'true');
  const cycles = await at.metric('cycles_total{result="converged"}');
  at.server.mark();
  await at.annotate({ 'pgsteward.dev/reconcile-at': '2026-11-21T12:00:00Z' });
  expect((await untilEvent('ReconcileRequested')).note).toBe('pgsteward.dev/reconcile-at=2026-11-21T12:00:00Z asked for a cycle, which ended as converged');
  expect(await at.metric('cycles_total{result="converged"}')).toBeGreaterThan(cycles);
  // The shortcut of a cycle that finds everything as it was would not have read the roles.
  expect(at.server.log()).toMatch(/rolconnlimit/);
});

it('what is said again counts in the series of its Event', async () => {
  await at.users([{ username: 'alice' }]);
  await at.run();
  await at.daemon.ready();
  const first = await untilEvent('SecretNotUsable');
  await at.daemon.cycle();
  const again = await untilEvent('SecretNotUsable', (event) => event.series !== undefined);
  expect(again).toMatchObject({ metadata: { name: first.metadata.name }, series: { count: 2 } });
  expect(again.series?.lastObservedTime).toMatch(/\.\d{6}Z$/);
  await at.daemon.cycle();
  expect((await at.events()).filter((event) => event.reason === 'SecretNotUsable')).toHaveLength(1);
});

it.each([
  ['immutable', () => ({ immutable: true })],
  ['full', (bytes: number) => ({ data: { other: 'x'.repeat(2 ** 20 - bytes - 'other'.length) } })],
])(
  'a status that somebody made %s is told to be old in the log, /status, the metrics and an Event, and is written again after what the message says',
  async (_, change) => {
    await at.users([{ username: 'alice' }]);
    await at.secret('alice', 'alice-pass');
    await at.run({ SYNC_INTERVAL: '1' });
    const { data: before } = await until(({ data }) => data['ready'] === 'true');
    const bytes = Buffer.byteLength(Object.entries(before).flat().join(''));
    const path = at.path('configmaps', `${NAME}-status`);
    expect((await at.kube.api('PATCH', path, change(bytes))).status).toBe(200);
    await at.users([{ username: 'alice' }, { username: 'bob' }]);
    const { note } = await untilEvent('StatusNotWritten');
    expect(note).toContain(`delete configmap ${NAME}-status`);
    expect((await at.status())?.data['ready']).toBe('true');
    expect(await at.metric('status_stale')).toBe(1);
    expect(JSON.parse((await at.daemon.get('/status')).body)).toMatchObject({ statusNotWritten: expect.stringContaining('(422)') as string });
    expect(at.daemon.lines().filter(({ level, message }) => level === 'WARN' && message.startsWith('the status is not written down:'))).toHaveLength(1);
    expect((await at.kube.api('DELETE', path)).status).toBe(200);
    await until(({ data }) => data['ready'] === 'false');
    await at.until(async () => (await at.metric('status_stale')) === 0);
  },
);
