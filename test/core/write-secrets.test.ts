// Writing Secrets with passwords: by whose clock their age counts, and what follows when somebody else was faster.
import { expect, it } from 'vitest';
import type { Change } from '../../src/core/change.ts';
import type { UserEntry } from '../../src/core/document/types.ts';
import { GENERATED_AT } from '../../src/core/secret-annotations.ts';
import { type SecretWriting, writeSecrets } from '../../src/cycle/write-secrets.ts';
import { createSecretReadings } from '../../src/cycle/secret-readings.ts';
import type { ApplyContext } from '../../src/postgres/run-batch.ts';
import { type SecretObject, type SecretStore, SourceError } from '../../src/sources/source.ts';

const NOW = Date.parse('2031-01-01T00:00:00Z');
const SPEC = { kind: 'generate', length: 32, alphabet: 'hex' } as const;
const ROTATE: Change = { kind: 'rotate_secret', role: 'web', secret: 's', key: 'password', spec: SPEC, reason: 'schedule' };
const CREATE: Change = { kind: 'create_secret', role: 'web', secret: 's', key: 'password', spec: SPEC };
const object = (resourceVersion: string): SecretObject => ({
  labels: {},
  annotations: {},
  type: 'Opaque',
  data: {},
  createdAt: '',
  resourceVersion,
  version: resourceVersion,
});
const CONTEXT = {
  connections: { withAdmin: () => Promise.resolve(undefined) },
  statementTimeout: 1,
  lockTimeout: 1,
  fence: '',
  ledger: false,
  signal: new AbortController().signal,
  onProgress: () => undefined,
  isNewFailure: () => true,
} as unknown as ApplyContext;

/** A store whose Secret is what `present` says, whatever was known of it before. */
async function after(
  change: Change,
  known: SecretObject | undefined,
  present: SecretObject | undefined,
): Promise<{ outcome: string; known: unknown; sent: unknown[] }> {
  const sent: unknown[] = [];
  const write = (content: { annotations: unknown }, isCurrent: boolean): Promise<SecretObject> => {
    if (!isCurrent) return Promise.reject(new SourceError('conflict', 'it is another one'));
    sent.push(content.annotations);
    return Promise.resolve(object('new'));
  };
  let now = known;
  const store: SecretStore = {
    create: (_, content) => write(content, present === undefined),
    change: (_, content, before) => write(content, present?.resourceVersion === before.resourceVersion),
    read: () => Promise.resolve(now),
    apply: () => Promise.reject(new SourceError('conflict', 'not asked for')),
  };
  const readings = createSecretReadings(store, 10);
  const place = { namespace: 'n', name: 's' };
  await readings.read([place], CONTEXT.signal);
  now = present;
  const writing: SecretWriting = {
    store,
    namespace: 'n',
    sourceId: 'n/c',
    userOf: () => ({ username: 'web', rotation: {} }) as unknown as UserEntry,
    factsOf: () => undefined,
    passwordOf: () => undefined,
    now: NOW,
    readings,
  };
  const [outcome] = await writeSecrets([change], CONTEXT, writing);
  const reading = readings.of(place);
  return { outcome: outcome?.result ?? '', known: reading.kind === 'read' ? reading.object?.resourceVersion : undefined, sent };
}

it('the age of a password counts by the clock that it is measured with', async () => {
  const at = { [GENERATED_AT]: '2031-01-01T00:00:00.000Z' };
  expect(await after(CREATE, undefined, undefined)).toMatchObject({ outcome: 'applied', known: 'new', sent: [at] });
  expect(await after(ROTATE, object('1'), object('1'))).toMatchObject({ outcome: 'applied', known: 'new', sent: [at] });
});

it('where somebody else was faster, what is there now is known at once', async () => {
  expect(await after(CREATE, undefined, object('2'))).toEqual({ outcome: 'skipped', known: '2', sent: [] });
  expect(await after(ROTATE, object('1'), object('2'))).toEqual({ outcome: 'skipped', known: '2', sent: [] });
});

it('beyond the budget of a cycle Secrets are read later, and after a doubt all of them at once', async () => {
  let reads = 0;
  const store = { read: () => Promise.resolve(object(`${(reads += 1)}`)) } as unknown as SecretStore;
  const readings = createSecretReadings(store, 2);
  const places = ['a', 'b', 'c', 'd', 'e'].map((name) => ({ namespace: 'n', name }));
  const readsOf = async (): Promise<number> => {
    const before = reads;
    await readings.read(places, CONTEXT.signal);
    return reads - before;
  };
  expect([await readsOf(), await readsOf()]).toEqual([5, 2]);
  readings.doubtAll();
  expect([await readsOf(), await readsOf()]).toEqual([5, 2]);
});
