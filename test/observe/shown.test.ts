// What is shown in Kubernetes, piece by piece: Events that are joined and limited, conditions, and a status that stays as it is while nothing changes.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Change } from '../../src/changes/change.ts';
import { NOTICE_KINDS, type Notice } from '../../src/changes/notice.ts';
import { type CycleReport, summarize } from '../../src/steward/report.ts';
import { EMPTY } from '../../src/steward/report-parts.ts';
import type { KubeClient } from '../../src/kubernetes/client.ts';
import { createEventSink } from '../../src/kubernetes/events.ts';
import { statusData } from '../../src/kubernetes/status-data.ts';
import { createStatusConfigMap } from '../../src/kubernetes/status-configmap.ts';
import { createAnnouncer } from '../../src/observe/announcements.ts';
import { conditionsOf } from '../../src/observe/conditions.ts';
import { createLog } from '../../src/observe/log.ts';
import { createReportLog } from '../../src/observe/report-log.ts';
import { ROOT } from '../support/daemon.ts';
import { SourceError } from '../../src/model/source-error.ts';
import type { Announcement, Condition, Conditions } from '../../src/model/announced.ts';

const signal = new AbortController().signal;
const reference = readFileSync(join(ROOT, 'docs/shown.md'), 'utf8');
const REPORT: CycleReport = {
  ...EMPTY,
  result: 'converged',
  why: 'n/users@u/7',
  entities: new Map([
    ['alice', 'user'],
    ['team', 'role'],
  ]),
  users: 1,
  roles: 1,
  requests: { paused: false, reconcileAt: undefined },
  document: { version: 'u/7', hash: 'abc' },
  declared: new Map([['alice', 'user']]),
};
const change: Change = { kind: 'alter_role', role: 'alice', entity: 'user', attributes: { login: false } };
const notice = (kind: Notice['kind'], subject = 'alice'): Notice => ({ kind, subject, message: `it is ${kind}` });

/** A client that keeps what is sent, and answers as `answer` says. */
const fakeClient = (answer: (verb: string) => Record<string, unknown> = () => ({})) => {
  const sent: { readonly verb: string; readonly name: string | undefined; readonly body: Record<string, unknown> | undefined }[] = [];
  const client: KubeClient = {
    send: async ({ verb, name }, { body }) => {
      sent.push({ verb, name, body: body as Record<string, unknown> | undefined });
      return answer(verb);
    },
    stream: async () => {
      throw new Error('nobody watches here');
    },
    close: async () => undefined,
  };
  return { client, sent };
};
const say = (note: string, reason = 'Failed'): Announcement => ({ reason, type: 'Warning', note });
const sinkWith = (client: KubeClient, clock: { now: number }, warnings: string[] = []) => {
  const sink = createEventSink(client, { namespace: 'n', configMapName: 'users-', now: () => clock.now, warn: (message) => void warnings.push(message) });
  sink.setConfigMap({ uid: 'u', resourceVersion: '1' });
  return sink;
};

it('an Event that is said again within ten minutes counts in its series, and after them it is a new one', async () => {
  const clock = { now: 0 };
  const { client, sent } = fakeClient();
  const sink = sinkWith(client, clock);
  for (const now of [0, 1000, 2000, 30_000, 150_000, 800_000]) {
    clock.now = now;
    await sink.emit([say('x')], signal);
  }
  expect(sent.map(({ verb, body }) => [verb, (body?.['series'] as { count: number } | undefined)?.count])).toEqual([
    ['create', undefined],
    ['patch', 2],
    ['patch', 5],
    ['create', undefined],
  ]);
  expect(sent[0]?.body?.['metadata']).toMatchObject({ name: sent[1]?.name });
  expect(sent[1]?.name).toMatch(/^users\.[0-9a-f]+$/);
  expect(sent[0]?.body?.['eventTime']).toMatch(/\.\d{6}Z$/);
});

it('a process writes 25 Events at once and then one in 20 seconds, and repeats leave room for what is new', async () => {
  const clock = { now: 0 };
  const { client, sent } = fakeClient();
  const sink = sinkWith(client, clock);
  const many = Array.from({ length: 1000 }, (_, index) => say(`note ${index}`));
  await sink.emit(many.slice(0, 15), signal);
  await sink.emit(many.slice(0, 15), signal);
  expect(sent.filter(({ verb }) => verb === 'patch')).toHaveLength(0);
  await sink.emit(many, signal);
  expect(sent.filter(({ verb }) => verb === 'create')).toHaveLength(25);
  clock.now = 60_000;
  await sink.emit(many.slice(500), signal);
  expect(sent.filter(({ verb }) => verb === 'create')).toHaveLength(28);
});

it('an Event that the API server has forgotten is made anew, and a right that stays missing is named once', async () => {
  const clock = { now: 0 };
  const warnings: string[] = [];
  let reason: 'not_found' | 'forbidden' = 'not_found';
  const { client, sent } = fakeClient((verb) => {
    if (verb === 'patch')
      throw new SourceError(reason, `we may not patch events ${String(Math.random())} in namespace n; the Role needs the verb patch on events`);
    return {};
  });
  const sink = sinkWith(client, clock, warnings);
  for (let round = 0; round < 3; round += 1) await sink.emit([say('x')], signal);
  expect(sent.map(({ verb }) => verb)).toEqual(['create', 'patch', 'create']);
  reason = 'forbidden';
  for (let round = 0; round < 4; round += 1) {
    clock.now += 200_000;
    await sink.emit([say('x')], signal);
  }
  expect(warnings).toEqual(['an Event is not written: we may not patch events in namespace n; the Role needs the verb patch on events']);
});

it('announcements say each thing that a cycle did or found, and what annotations began and ended', () => {
  const announcementsOf = createAnnouncer();
  const reasons = (report: Partial<CycleReport>): string[] =>
    announcementsOf({ ...REPORT, ...report }).map(({ reason }) => {
      expect(reference).toContain(`\`${reason}\``);
      return reason;
    });
  expect(reasons({ requests: { paused: false, reconcileAt: 'before we came' } })).toEqual([]);
  expect(reasons({ requests: { paused: false, reconcileAt: 'now' } })).toEqual(['ReconcileRequested']);
  expect(reasons({ requests: { paused: true, reconcileAt: 'now' }, result: 'paused', drift: [change], planned: [change] })).toEqual(['Paused']);
  expect(reasons({ requests: undefined, result: 'failed', error: { outage: 'failed', reason: 'connection', message: 'no' } })).toEqual(['Failed']);
  expect(reasons({ requests: { paused: true, reconcileAt: 'now' }, result: 'paused' })).toEqual([]);
  expect(reasons({ requests: { paused: false, reconcileAt: 'now' }, drift: [change], outcomes: [{ change, result: 'applied' }] })).toEqual([
    'Resumed',
    'Applied',
    'DriftRepaired',
  ]);
  const told = announcementsOf({
    ...REPORT,
    notices: ['refused', 'pending', 'secret', 'breaker', 'cannot', 'failed'].map((kind) => notice(kind as Notice['kind'])),
  });
  expect(told.map(({ reason, type }) => `${type} ${reason}`)).toEqual([
    'Warning Refused',
    'Normal Pending',
    'Warning SecretNotUsable',
    'Warning BreakerTripped',
    'Warning Cannot',
    'Warning Failed',
  ]);
});

it('every kind of notice has a condition, and only those that hold something back are not ready', () => {
  for (const kind of NOTICE_KINDS) {
    const { overall, entities } = conditionsOf({ ...REPORT, notices: [notice(kind), notice('unmanaged')] });
    const isFine = ['guardrail_broken', 'pending', 'held', 'kept', 'unmanaged', 'fallback'].includes(kind);
    expect([kind, entities?.users.get('alice')?.ready, overall.ready]).toEqual([kind, isFine, isFine]);
    expect(entities?.users.get('alice')?.message).toBe(`it is ${kind}`);
    expect(reference).toContain(`\`${entities?.users.get('alice')?.reason}\``);
    expect(entities?.roles.get('team')).toEqual({ ready: true, reason: 'Applied', message: '' });
  }
});

it('a user is as ready as those who log in for it', () => {
  const turns = new Map([['alice-1', 'alice']]);
  const { overall, entities } = conditionsOf({ ...REPORT, turns, notices: [notice('secret', 'alice-1')] });
  expect(entities?.users.get('alice')).toMatchObject({ ready: false, reason: 'SecretNotUsable' });
  expect(overall).toMatchObject({ ready: false, reason: 'NotReady' });
});

it('the whole is ready only where everything is, and what a cycle could not tell is left as it was', () => {
  const reasonOf = (report: Partial<CycleReport>): string => {
    const { reason } = conditionsOf({ ...REPORT, ...report }).overall;
    expect(reference).toContain(`\`${reason}\``);
    return reason;
  };
  expect(reasonOf({})).toBe('Applied');
  expect(reasonOf({ notices: [notice('failed', 'somebody who left')] })).toBe('NotReady');
  expect(reasonOf({ breakerTripped: true })).toBe('BreakerTripped');
  expect(reasonOf({ result: 'paused', requests: { paused: true, reconcileAt: undefined } })).toBe('Paused');
  expect(reasonOf({ result: 'incomplete', sourceFailure: { reason: 'not_found', message: 'gone' } })).toBe('SourceUnreadable');
  const failed = conditionsOf({ ...REPORT, result: 'failed', error: { outage: 'failed', reason: 'connection', message: 'no' } });
  expect([failed.overall.reason, failed.entities, failed.applied]).toEqual(['CycleFailed', undefined, undefined]);
  const paused = conditionsOf({ ...REPORT, result: 'paused', requests: { paused: true, reconcileAt: undefined }, planned: [change] });
  expect(paused.entities?.users.get('alice')).toMatchObject({ ready: false, reason: 'Paused' });
  expect(paused.applied).toBeUndefined();
});

const FINE: Condition = { ready: true, reason: 'Applied', message: '' };
const BAD: Condition = { ready: false, reason: 'Failed', message: 'no' };
const conditions = (users: readonly (readonly [string, Condition])[], overall = FINE): Conditions => ({
  overall,
  applied: { version: 'u/7', hash: 'abc' },
  entities: { users: new Map(users), roles: new Map() },
});
const at = (second: number): Date => new Date(Date.UTC(2026, 0, 1, 0, 0, second));
interface Json {
  readonly complete: boolean;
  readonly counts: { readonly users: number; readonly usersReady: number };
  readonly users: Record<string, readonly { readonly status: string; readonly lastTransitionTime: string }[]>;
}
const json = (data: Readonly<Record<string, string>>): Json => JSON.parse(data['status.json'] ?? '') as Json;

it('a status changes its bytes only with its content, and a time only with its status', () => {
  const first = statusData(
    conditions([
      ['alice', FINE],
      ['bob', BAD],
    ]),
    {},
    at(1),
  );
  expect(first).toMatchObject({ ready: 'true', reason: 'Applied', observedResourceVersion: '7', documentHash: 'abc' });
  expect(
    statusData(
      conditions([
        ['bob', BAD],
        ['alice', FINE],
      ]),
      first,
      at(2),
    ),
  ).toEqual(first);
  const other = statusData(
    conditions([
      ['alice', FINE],
      ['bob', { ...BAD, message: 'still not' }],
    ]),
    first,
    at(3),
  );
  expect(json(other).users['bob']?.[0]).toMatchObject({ message: 'still not', lastTransitionTime: '2026-01-01T00:00:01Z' });
  const mended = statusData(
    conditions([
      ['alice', FINE],
      ['bob', FINE],
    ]),
    other,
    at(4),
  );
  expect(json(mended).users['bob']?.[0]).toMatchObject({ status: 'True', lastTransitionTime: '2026-01-01T00:00:04Z' });
  expect(json(mended).users['alice']).toEqual(json(first).users['alice']);
  const failed = statusData({ overall: BAD, applied: undefined, entities: undefined }, mended, at(5));
  expect(failed).toMatchObject({ ready: 'false', observedResourceVersion: '7' });
  expect([json(failed).users, json(failed).counts]).toEqual([json(mended).users, json(mended).counts]);
});

it('a status of 10,000 users names those that are not ready, and stays below the limit of a ConfigMap whatever they are called', () => {
  const users = (bad: number, name: (index: number) => string, message = 'no') =>
    Array.from({ length: 10_000 }, (_, index) => [name(index), index < bad ? { ...BAD, message } : FINE] as const);
  const few = json(statusData(conditions(users(3, (index) => `user-${index}`)), {}, at(1)));
  expect([few.complete, few.counts, Object.keys(few.users)]).toEqual([
    false,
    { users: 10_000, usersReady: 9997, roles: 0, rolesReady: 0 },
    ['user-0', 'user-1', 'user-2'],
  ]);
  const long = '\u0001'.repeat(56);
  const worst = statusData(conditions(users(10_000, (index) => `${long}${index}`, '\u0001'.repeat(5000))), {}, at(1));
  expect(Buffer.byteLength(JSON.stringify(worst))).toBeLessThan(2 ** 20);
  expect(json(worst).counts.usersReady).toBe(0);
  for (const rubbish of ['', '[]', '{"users":[1]}', '{"users":{"alice":"x"},"conditions":{}}', '{'])
    expect(json(statusData(conditions([['alice', FINE]]), { 'status.json': rubbish }, at(1))).users['alice']).toHaveLength(1);
});

it('the status is looked up once, written when it differs, and looked up again after a failure', async () => {
  let data: Record<string, string> = {};
  let broken = false;
  const { client, sent } = fakeClient((verb) => {
    if (verb === 'patch' && broken) throw new SourceError('unavailable', 'no');
    return { metadata: { name: 's', uid: 'u', resourceVersion: '1' }, data };
  });
  const warnings: string[] = [];
  const status = createStatusConfigMap(client, { namespace: 'n', configMapName: 'users', warn: (message) => void warnings.push(message) });
  const verbs = (): string[] => sent.splice(0).map(({ verb }) => verb);
  await status.publish(conditions([['alice', FINE]]), signal);
  await status.publish(conditions([['alice', FINE]]), signal);
  expect(verbs()).toEqual(['get', 'patch']);
  broken = true;
  await status.publish(conditions([['alice', BAD]]), signal);
  broken = false;
  await status.publish(conditions([['alice', BAD]]), signal);
  expect(verbs()).toEqual(['patch', 'get', 'patch']);
  data = statusData(conditions([['alice', BAD]]), {}, new Date());
  const another = createStatusConfigMap(client, { namespace: 'n', configMapName: 'users', warn: () => undefined });
  await another.publish(conditions([['alice', BAD]]), signal);
  expect([verbs(), warnings]).toEqual([['get'], []]);
});

it('the summary counts what is given and what is taken away apart, whatever it is', () => {
  const on = { object: 'table', database: 'app', schema: 'public', name: 't' };
  const privilege = (kind: string): Change => ({ kind, role: 'alice', on, privileges: ['DELETE'] }) as unknown as Change;
  const some = (kind: string, times: number): Change[] => Array.from({ length: times }, () => privilege(kind));
  const planned = [
    ...some('grant_privilege', 2),
    ...some('grant_default_privilege', 1),
    ...some('revoke_privilege', 20),
    ...some('revoke_default_privilege', 1),
    ...some('revoke_membership', 1),
    ...some('release_owned', 1),
    ...some('set_password', 3),
  ];
  expect(summarize({ ...REPORT, result: 'dry_run', planned })).toMatchObject({ grants: 3, revokes: 23, passwords: 3 });
  const outcomes = planned.map((one) => ({ change: one, result: 'applied' }) as const);
  expect(summarize({ ...REPORT, outcomes })).toMatchObject({ grants: 3, revokes: 23, passwords: 3 });
  expect(summarize(REPORT)).toMatchObject({ grants: 0, revokes: 0, passwords: 0 });
});

it('a notice for which nothing has to be done is a warning in the log, and one that holds something back an error', async () => {
  for (const kind of NOTICE_KINDS) {
    const lines: string[] = [];
    await createReportLog(createLog('info', { write: (line) => void lines.push(line), onLeftOut: () => undefined }), {
      room: async () => undefined,
      together: (work) => work(),
    })({
      ...REPORT,
      notices: [notice(kind)],
    });
    const { level } = JSON.parse(lines.find((line) => line.includes(`it is ${kind}`)) ?? '{}') as { level?: string };
    expect([kind, level]).toEqual([kind, ['guardrail_broken', 'pending', 'held', 'kept', 'unmanaged', 'fallback'].includes(kind) ? 'WARN' : 'ERROR']);
  }
});
