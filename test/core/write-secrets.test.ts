// Writing Secrets with passwords: by whose clock their age counts, and what follows when somebody else was faster.
import { expect, it } from 'vitest';
import type { KubernetesChange } from '../../src/changes/table.ts';
import type { UserEntry } from '../../src/model/entries.ts';
import { GENERATED_AT } from '../../src/model/secret-annotations.ts';
import { type SecretWriting, writeSecrets } from '../../src/steward/write-secrets.ts';
import type { ApplyContext } from '../../src/postgres/run.ts';
import { rememberingStore } from '../../src/sources/remembering-store.ts';
import { createSecretMemory } from '../../src/sources/secret-memory.ts';
import { SourceError } from '../../src/model/source-error.ts';
import type { SecretObject, SecretStore } from '../../src/sources/ports.ts';

const NOW = Date.parse('2031-01-01T00:00:00Z');
const SPEC = { kind: 'generate', length: 32, alphabet: 'hex' } as const;
const ROTATE: KubernetesChange = { kind: 'rotate_secret', role: 'web', secret: 's', key: 'password', spec: SPEC, reason: 'schedule' };
const CREATE: KubernetesChange = { kind: 'create_secret', role: 'web', secret: 's', key: 'password', spec: SPEC };
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
  change: KubernetesChange,
  known: SecretObject | undefined,
  present: SecretObject | undefined,
): Promise<{ outcome: string; known: unknown; sent: unknown[] }> {
  const sent: unknown[] = [];
  const write = (content: { annotations: unknown }, isCurrent: boolean): Promise<SecretObject> => {
    if (!isCurrent) return Promise.reject(new SourceError('conflict', 'it is another one'));
    sent.push(content.annotations);
    return Promise.resolve(object('new'));
  };
  const store: SecretStore = {
    create: (_, content) => write(content, present === undefined),
    change: (_, content, before) => write(content, present?.resourceVersion === before.resourceVersion),
    read: () => Promise.resolve(present),
    apply: () => Promise.reject(new SourceError('conflict', 'not asked for')),
  };
  const memory = createSecretMemory('n');
  const place = { namespace: 'n', name: 's' };
  memory.want({ refs: [], whole: [place] });
  memory.note(place, known);
  const writing: SecretWriting = {
    store: rememberingStore(store, memory),
    namespace: 'n',
    sourceId: 'n/c',
    userOf: () => ({ username: 'web', rotation: {} }) as unknown as UserEntry,
    factsOf: () => undefined,
    passwordOf: () => undefined,
    now: NOW,
    wholeSecrets: memory,
  };
  const [outcome] = await writeSecrets([change], CONTEXT, writing);
  const reading = memory.of(place);
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

it('beyond the budget of a cycle Secrets are read later, and when they are forgotten all of them at once', () => {
  const memory = createSecretMemory('n');
  const places = ['a', 'b', 'c', 'd', 'e'].map((name) => ({ namespace: 'n', name }));
  const reads = (): number => {
    memory.want({ refs: [], whole: places });
    const chosen = memory.choose(2, undefined);
    for (const place of chosen) memory.note(place, object('1'));
    return chosen.length;
  };
  expect([reads(), reads()]).toEqual([5, 2]);
  memory.forgetAll();
  expect([reads(), reads()]).toEqual([5, 2]);
});
