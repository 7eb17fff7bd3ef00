// What is asked of the API server for Secrets, how much of an answer is read and kept, and what goes on while there is none.
import { rmSync } from 'node:fs';
import type { RequestListener, Server } from 'node:http';
import { afterEach, expect, it } from 'vitest';
import { LIMITS } from '../../src/model/limits.ts';
import { createSecretMemory } from '../../src/sources/secret-memory.ts';
import type { Ports } from '../../src/sources/ports.ts';
import { secretAs as secret, sourceOn } from '../support/raw-kube.ts';
import { readSecrets } from '../support/read-secrets.ts';

let server: Server;
let source: Ports;
let folder: string;
const signal = new AbortController().signal;
const start = async (listener: RequestListener, secretAccess: 'auto' | 'get' | 'list' = 'get', timeoutMs = 10_000): Promise<void> => {
  ({ server, source, folder } = await sourceOn(listener, secretAccess, timeoutMs));
};
afterEach(async () => {
  await source.close();
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true });
});

it('with LIST only metadata is asked for, and of all Secrets there those alone are read that the document names and that changed', async () => {
  const asked: string[] = [];
  const versions = new Map<string, string>([
    ...['a', 'b'].map((name) => [name, '1'] as [string, string]),
    ...Array.from({ length: 30 }, (_, index) => [`helm-${index}`, '1'] as [string, string]),
  ]);
  await start((request, response) => {
    const url = new URL(request.url ?? '', 'http://x');
    const name = url.pathname.split('/').at(-1) ?? '';
    asked.push(name === 'secrets' ? `list ${/PartialObjectMetadataList/.test(request.headers.accept ?? '') ? 'metadata' : 'everything'}` : name);
    const metadataOf = (of: string): object => ({ name: of, uid: 'u', resourceVersion: versions.get(of) });
    if (name === 'secrets')
      return void response.end(JSON.stringify({ metadata: { resourceVersion: '1' }, items: [...versions.keys()].map((of) => ({ metadata: metadataOf(of) })) }));
    response.end(JSON.stringify({ metadata: metadataOf(name), data: { password: Buffer.from(`${name} ${versions.get(name)}`).toString('base64') } }));
  }, 'auto');
  const refs = ['a', 'b', 'c'].map((name) => ({ name, key: 'password' }));
  const read = async (): Promise<string[]> =>
    [...(await readSecrets(source, refs, signal)).values()].map((reading) => (reading.kind === 'value' ? Buffer.from(reading.value).toString() : reading.kind));
  expect([await read(), asked.splice(0)]).toEqual([
    ['a 1', 'b 1', 'missing'],
    ['list metadata', 'a', 'b'],
  ]);
  expect([await read(), asked.splice(0)]).toEqual([['a 1', 'b 1', 'missing'], ['list metadata']]);
  versions.set('b', '2');
  versions.set('c', '1');
  versions.set('helm-3', '2');
  expect([await read(), asked.splice(0)]).toEqual([
    ['a 1', 'b 2', 'c 1'],
    ['list metadata', 'b', 'c'],
  ]);
});

it.each([
  ['no Secrets at all', { metadata: { resourceVersion: '1' }, items: null }, ['missing']],
  ['what is no list', { metadata: {} }, ['value']],
])('a LIST of %s holds up nobody', async (_, list, expected) => {
  await start((request, response) => response.end(request.url?.includes('limit=') === true ? JSON.stringify(list) : secret('a')), 'auto');
  const readings = await readSecrets(source, [{ name: 'a', key: 'password' }], signal);
  expect([...readings.values()].map(({ kind }) => kind)).toEqual(expected);
});

it.each([
  ['fails', 500],
  ['never comes', undefined],
])('where a LIST %s the next cycle reads each Secret by its name', async (_, status) => {
  await start(
    (request, response) => {
      if (request.url?.includes('limit=') !== true) return void response.end(secret('a'));
      if (status !== undefined) response.writeHead(status).end('{}');
    },
    'auto',
    500,
  );
  const read = async (): Promise<string[]> => [...(await readSecrets(source, [{ name: 'a', key: 'password' }], signal)).values()].map(({ kind }) => kind);
  expect([await read(), await read(), await read()]).toEqual([['unreadable'], ['value'], ['value']]);
});

it('an answer that is longer than any object can be is not read to its end, and pages of a list get shorter until one fits', async () => {
  const page = { metadata: { resourceVersion: '1' }, items: [JSON.parse(secret('big')) as object] };
  const limits: number[] = [];
  await start(
    (request, response) => {
      const limit = Number(new URL(request.url ?? '', 'http://x').searchParams.get('limit'));
      if (limit > 0) limits.push(limit);
      const padding = limit === 0 ? 3 : limit > 10 ? 9 : 0;
      response.end(`${' '.repeat(padding * 1024 * 1024)}${limit === 0 ? secret('big') : JSON.stringify(page)}`);
    },
    'list',
    10_000,
  );
  const readings = await readSecrets(source, [{ name: 'big', key: 'password' }], signal);
  expect([...readings.values()]).toEqual([
    { kind: 'unreadable', detail: `the API server's answer for secrets big in namespace postgres is longer than 2 MiB` },
  ]);
  expect(limits).toEqual([500, 20, 1]);
});

it('of a Secret that is wanted as a whole what others put into it has a bound, and of another one only the keys that are named are kept', async () => {
  await start((request, response) => {
    const name = request.url?.split('/').at(-1) ?? '';
    const data = { password: 'cHc=', big: Buffer.alloc(name === 'fits' ? 1000 : 300_000).toString('base64') };
    response.end(JSON.stringify({ metadata: { name, uid: 'u', resourceVersion: '1' }, data }));
  });
  const places = ['fits', 'full'].map((name) => ({ namespace: 'postgres', name }));
  const readings = await readSecrets(source, [{ name: 'full-too', key: 'password' }], signal, places);
  expect([...readings.values()]).toMatchObject([{ kind: 'value' }]);
  const known = (name: string): unknown => source.wholeSecrets?.of({ namespace: 'postgres', name });
  expect([known('fits'), known('full'), known('full-too')]).toMatchObject([
    { kind: 'read', object: { data: { password: 'cHc=' } } },
    { kind: 'unreadable', detail: 'it holds more than 256 KiB' },
    { kind: 'read', object: { data: {} } },
  ]);
});

it('what was read before goes on while the API server does not answer, and is read first when it does', async () => {
  let hang = false;
  let value = 'old';
  await start(
    (request, response) => {
      if (hang) return;
      const name = request.url?.split('/').at(-1) ?? '';
      response.end(JSON.stringify({ metadata: { name, uid: 'u', resourceVersion: value }, data: { password: Buffer.from(value).toString('base64') } }));
    },
    'get',
    2000,
  );
  const refs = ['a', 'b', 'c'].map((name) => ({ name, key: 'password' }));
  const values = async (): Promise<string[]> =>
    [...(await readSecrets(source, refs, signal)).values()].map((reading) => (reading.kind === 'value' ? Buffer.from(reading.value).toString() : reading.kind));
  expect(await values()).toEqual(['old', 'old', 'old']);
  hang = true;
  value = 'new';
  for (let round = 0; round < 2; round += 1) expect(await values()).toEqual(['old', 'old', 'old']);
  hang = false;
  // Beyond the budget of two, as whoever did not answer is asked again at once.
  expect(await values()).toEqual(['new', 'new', 'new']);
});

it('a value is kept up to its limit, and one byte more is told and not kept', async () => {
  const values: Readonly<Record<string, number>> = { most: LIMITS.secretValue, more: LIMITS.secretValue + 1 };
  await start((request, response) => {
    const name = new URL(request.url ?? '', 'http://x').pathname.split('/').at(-1) ?? '';
    const data = { password: Buffer.alloc(values[name] ?? 0, 'x').toString('base64') };
    response.end(JSON.stringify({ metadata: { name, uid: 'u', resourceVersion: '1' }, data }));
  });
  const readings = await readSecrets(
    source,
    ['most', 'more'].map((name) => ({ name, key: 'password' })),
    signal,
  );
  expect(readings.get('most/password')).toMatchObject({ kind: 'value' });
  expect(readings.get('more/password')).toEqual({
    kind: 'unreadable',
    detail: `its key password has ${LIMITS.secretValue + 1} bytes; at most ${LIMITS.secretValue} are read`,
  });
});

it('names that documents no longer have are not remembered for ever', async () => {
  await start((_, response) => void response.end());
  const memory = createSecretMemory('postgres');
  for (let document = 0; document < 50; document += 1) {
    memory.want({ refs: Array.from({ length: 100 }, (_, index) => ({ name: `user-${document}-${index}`, key: 'password' })), whole: [] });
    memory.choose(0, new Map());
  }
  const names = [...memory.names()];
  expect(names.filter((name) => name.startsWith('user-49-')).length).toBeGreaterThanOrEqual(100);
  expect(names.length).toBeLessThan(1500);
});
