// One moment a plan: what waits is asked about many times while a plan is made, and time goes on meanwhile.
import { expect, it } from 'vitest';
import { createBackoff } from '../../src/steward/backoff.ts';
import { readCredentials } from '../../src/steward/credentials.ts';
import { createSecrets, type SecretsOptions } from '../../src/steward/secrets.ts';
import { readForPlan, type ServerReader } from '../../src/steward/read-for-plan.ts';
import type { Server } from '../../src/steward/server.ts';
import { keyOf } from '../../src/changes/change.ts';
import { read } from '../document/read.ts';
import { catalogOf, planFor, policyOfPlans } from '../support/pure-plan.ts';

const names = Array.from({ length: 50 }, (_, index) => `r${index}`);
const document = read(
  `roles:\n${names.map((name) => `- {name: ${name}}\n`).join('')}users: [{username: somebody, login: false, roles: [${names.join(', ')}]}]\n`,
);

it('what may be tried again since a plan was begun, which left it out, is tried at once, and told once', () => {
  let now = 0;
  const backoff = createBackoff(2, () => now);
  backoff.fail('a change');
  expect(backoff.nextIn()).toBeGreaterThan(1000);
  const waiting = backoff.atThisMoment();
  now = 10_000;
  expect(waiting.isDeferred('a change')).toBe(true);
  expect([backoff.nextIn(), backoff.nextIn()]).toEqual([0, undefined]);
  // A plan that begins later has it.
  backoff.fail('a change');
  now = 20_000;
  expect(backoff.atThisMoment().isDeferred('a change')).toBe(false);
  expect(backoff.nextIn()).toBeUndefined();
});

it('whether a Secret is made is asked of the same moment', () => {
  const generating = read(`users:\n${names.map((name) => `- {username: ${name}, password: {generate: {}}}\n`).join('')}`);
  let now = 0;
  const backoff = createBackoff(2, () => (now += 500));
  const secrets = createSecrets({
    secrets: {
      want: () => undefined,
      refresh: () => Promise.resolve(),
      valueOf: () => ({ kind: 'missing', what: 'secret', detail: '' }),
      version: () => '',
      forgetAll: () => undefined,
    },
    secretStore: {} as never,
    namespace: 'postgres',
    sourceId: 'postgres/users',
    connection: { host: 'db', port: 5432, sslmode: undefined, database: 'postgres' },
  } as unknown as SecretsOptions);
  for (const { username } of generating.users) {
    const { secret, password } = generating.users.find((user) => user.username === username) ?? {};
    backoff.fail(keyOf({ kind: 'create_secret', role: username, secret: secret?.name ?? '', key: 'password', spec: password as never }));
  }
  now = 0;
  const { toGenerate, notGenerated } = secrets.credentials(generating, backoff.atThisMoment());
  expect([toGenerate.size, notGenerated.size]).toEqual([0, names.length]);
});

it('whatever waits at the moment a plan is begun waits in all of it, and nothing else does', async () => {
  const catalog = { ...catalogOf([], []), hasLedger: true, imported: [] };
  let now = 0;
  const backoff = createBackoff(2, () => {
    now += 500;
    return now;
  });
  const wanted = planFor(document, catalog).changes;
  for (const change of wanted) backoff.fail(keyOf(change));
  // Each waits some two seconds, and half of one goes by with each question: the first few would be told that it waits, and the others that it does not.
  now = 0;
  const reader: ServerReader = {
    catalog: () => Promise.resolve(catalog),
    passwords: (_document, _credentials, _catalog, stale) => Promise.resolve(stale),
    isChanged: () => false,
    databases: { read: () => Promise.resolve({ readings: new Map(), guarded: new Map() }), passedOn: () => Promise.resolve(new Map()) },
  };
  const server = { adminDatabase: 'postgres', policy: { ...policyOfPlans, movedFrom: undefined } } as Partial<Server> as Server;
  const credentials = readCredentials(
    document,
    () => ({ kind: 'missing', what: 'secret', detail: '' }),
    () => false,
  );
  const wishes = () => ({ create: [], rotate: [], rotationDue: new Map(), write: [], told: new Map(), notices: [] });
  const { plan } = await readForPlan(server, { document, version: '1', credentials, wishes, waiting: backoff.atThisMoment() }, reader);
  expect(plan.changes).toEqual([]);
  expect(plan.deferred).toEqual(wanted);
});
