// Faults that a real API server cannot be made to show: each has a defined outcome, and no message repeats what the server sent.
import type { RequestListener, Server, ServerResponse } from 'node:http';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { afterEach, expect, it, vi } from 'vitest';
import type { Ports } from '../../src/sources/ports.ts';
import { secretAs as secret, sourceOn } from '../support/raw-kube.ts';
import { readSecrets } from '../support/read-secrets.ts';

let server: Server;
let source: Ports;
let folder: string;
const signal = new AbortController().signal;
afterEach(async () => {
  await source.close();
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true });
});

const start = async (listener: RequestListener, secretAccess: 'auto' | 'get' | 'list' = 'get'): Promise<void> => {
  ({ server, source, folder } = await sourceOn(listener, secretAccess));
};
const LEAK = 'hunter2';

it.each<[number, Record<string, string>, string, object]>([
  [401, {}, LEAK, { reason: 'unauthorized', retryable: false }],
  [403, {}, LEAK, { reason: 'forbidden', retryable: false }],
  [404, {}, LEAK, { reason: 'not_found', retryable: false }],
  [409, {}, LEAK, { reason: 'conflict', retryable: true }],
  [410, {}, LEAK, { reason: 'expired', retryable: true }],
  [429, { 'retry-after': '7' }, LEAK, { reason: 'throttled', retryable: true, retryAfterMs: 7000 }],
  [500, {}, LEAK, { reason: 'unavailable', retryable: true }],
  [200, {}, `{"data": ${LEAK}`, { reason: 'malformed', retryable: true }],
  [200, {}, `["${LEAK}"]`, { reason: 'malformed' }],
  [200, {}, `{"data":{"users.yaml":"${LEAK}"}}`, { reason: 'malformed' }],
  [200, {}, `{"metadata":{"name":"users","uid":"1","resourceVersion":"1"},"data":"${LEAK}"}`, { reason: 'malformed' }],
  [200, {}, '{"metadata":{"name":"users","uid":"1","resourceVersion":"1"}}', { reason: 'not_found' }],
])('%i with %j %s', async (status, headers, body, expected) => {
  await start((_request, response) => void response.writeHead(status, headers).end(body));
  const error: unknown = await source.documents.read(signal).catch((failure: unknown) => failure);
  expect(error).toMatchObject(expected);
  expect(String(error)).not.toContain(LEAK);
});

it('a server that hangs is given up after the deadline, and one that refuses is told as such', async () => {
  await start(() => undefined);
  await expect(source.documents.read(signal)).rejects.toMatchObject({ reason: 'timeout', retryable: true });
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await expect(source.documents.read(signal)).rejects.toMatchObject({ reason: 'unavailable', retryable: true });
});

it('one Secret that hangs or is malformed is unreadable, and the others are read', async () => {
  await start((request, response) => {
    const name = request.url?.split('/').at(-1) ?? '';
    if (name === 'hangs') return;
    if (name === 'gone') return void response.writeHead(404).end();
    response.end(name === 'bad' ? '{"metadata":{"name":"bad","uid":"u","resourceVersion":"1"},"data":{"password":"%%%"}}' : secret(name));
  });
  const refs = ['hangs', 'bad', 'gone', 'good'].map((name) => ({ name, key: 'password' }));
  const readings = await readSecrets(source, refs, signal);
  expect([...readings.values()].map((reading) => reading.kind)).toEqual(['unreadable', 'unreadable', 'missing', 'value']);
});

it('a server that throttles is left alone until the next cycle, and what was read before stays known', async () => {
  let requests = 0;
  let throttle = false;
  await start((request, response) => {
    requests += 1;
    if (throttle) return void response.writeHead(429, { 'retry-after': '60' }).end();
    response.end(secret(request.url?.split('/').at(-1) ?? ''));
  });
  const refs = Array.from({ length: 5 }, (_, index) => ({ name: `s${index}`, key: 'password' }));
  await readSecrets(source, refs, signal);
  expect(requests).toBe(5);
  throttle = true;
  const readings = await readSecrets(source, refs, signal);
  expect(requests).toBeLessThanOrEqual(7);
  expect([...readings.values()].every((reading) => reading.kind === 'value')).toBe(true);
});

it('a list whose pages expired is begun again once, and one that is forbidden becomes reading by name', async () => {
  let expired = 0;
  await start((request, response) => {
    if (request.url?.includes('continue=') === true && expired++ === 0) return void response.writeHead(410).end();
    if (request.url?.includes('limit=') !== true) return void response.end(secret(request.url?.split('/').at(-1) ?? ''));
    const page = request.url.includes('continue=')
      ? { metadata: { resourceVersion: '1' }, items: [JSON.parse(secret('b'))] }
      : { metadata: { resourceVersion: '1', continue: 'more' }, items: [JSON.parse(secret('a'))] };
    response.end(JSON.stringify(page));
  }, 'list');
  const refs = ['a', 'b'].map((name) => ({ name, key: 'password' }));
  expect([...(await readSecrets(source, refs, signal)).values()].map((reading) => reading.kind)).toEqual(['value', 'value']);
  await source.close();
  server.close();
  rmSync(folder, { recursive: true });
  await start(
    (request, response) =>
      void (request.url?.includes('limit=') === true ? response.writeHead(403).end() : response.end(secret(request.url?.split('/').at(-1) ?? ''))),
    'auto',
  );
  expect([...(await readSecrets(source, refs, signal)).values()].map((reading) => reading.kind)).toEqual(['value', 'value']);
});

it('an answer whose body never ends is given up after the deadline', async () => {
  await start((_request, response) => void response.writeHead(200).write('{"metadata":'));
  await expect(source.documents.read(signal)).rejects.toMatchObject({ reason: 'timeout', retryable: true });
});

it('a key that holds no text is malformed, not missing', async () => {
  await start((_request, response) => void response.end('{"metadata":{"name":"users","uid":"1","resourceVersion":"1"},"data":{"users.yaml":7}}'));
  await expect(source.documents.read(signal)).rejects.toMatchObject({ reason: 'malformed' });
});

it('a server that hangs for every Secret ends the sweep after two deadlines, and what was read before stays known', async () => {
  let hang = false;
  await start((request, response) => {
    if (!hang) response.end(secret(request.url?.split('/').at(-1) ?? ''));
  });
  const known = Array.from({ length: 3 }, (_, index) => ({ name: `known-${index}`, key: 'password' }));
  await readSecrets(source, known, signal);
  hang = true;
  const fresh = Array.from({ length: 200 }, (_, index) => ({ name: `new-${index}`, key: 'password' }));
  const from = performance.now();
  const readings = await readSecrets(source, [...fresh, ...known], signal);
  expect(performance.now() - from).toBeLessThan(2000);
  expect([...readings.values()].map((reading) => reading.kind)).toEqual([...fresh.map(() => 'unreadable'), ...known.map(() => 'value')]);
});

it('Retry-After is honoured by the sweeps that follow, and then everything is read', async () => {
  let requests = 0;
  let throttle = true;
  await start((request, response) => {
    requests += 1;
    if (throttle) return void response.writeHead(429, { 'retry-after': '1' }).end();
    response.end(secret(request.url?.split('/').at(-1) ?? ''));
  });
  const refs = Array.from({ length: 50 }, (_, index) => ({ name: `s${index}`, key: 'password' }));
  await readSecrets(source, refs, signal);
  expect(requests).toBeLessThanOrEqual(16);
  throttle = false;
  const before = requests;
  const readings = await readSecrets(source, refs, signal);
  expect([requests, [...readings.values()].filter((reading) => reading.kind === 'unreadable').length]).toEqual([before, 50]);
  const allRead = async (): Promise<boolean> => [...(await readSecrets(source, refs, signal)).values()].every((reading) => reading.kind === 'value');
  // A second after the last refusal, whenever that came.
  await expect.poll(allRead, { timeout: 60_000, interval: 200 }).toBe(true);
});

it('one GET brings all keys of a Secret that several users share', async () => {
  let requests = 0;
  await start((_request, response) => {
    requests += 1;
    response.end(JSON.stringify({ metadata: { name: 's', uid: 'u', resourceVersion: '1' }, data: { a: 'YQ==', b: 'Yg==' } }));
  });
  const refs = ['a', 'b', 'c'].map((key) => ({ name: 's', key }));
  const readings = await readSecrets(source, refs, signal);
  expect([...readings.values()].map((reading) => reading.kind)).toEqual(['value', 'value', 'missing']);
  expect(requests).toBe(1);
});

it('a token that was rotated is read again at once, also by requests side by side', async () => {
  let valid = 'first';
  let requests = 0;
  await start((request, response) => {
    requests += 1;
    if (request.headers.authorization !== `Bearer ${valid}`) return void setTimeout(() => response.writeHead(401).end(), (requests % 8) * 5);
    response.end(secret(request.url?.split('/').at(-1) ?? ''));
  });
  const token = join(folder, 'token');
  writeFileSync(token, 'first\n');
  const kubeconfig = join(folder, 'config');
  writeFileSync(
    kubeconfig,
    readFileSync(kubeconfig, 'utf8').replace('{"token":"t"}', JSON.stringify({ 'auth-provider': { name: 'tokenFile', config: { tokenFile: token } } })),
  );
  const refs = Array.from({ length: 64 }, (_, index) => ({ name: `s${index}`, key: 'password' }));
  const kinds = async (): Promise<string[]> => [...new Set([...(await readSecrets(source, refs, signal)).values()].map((reading) => reading.kind))];
  for (const next of ['first', 'second', 'third', 'fourth', 'fifth']) {
    valid = next;
    writeFileSync(token, `${next}\n`);
    expect(await kinds()).toEqual(['value']);
  }
});

it('after a connection failed the configuration is read again: a new address or a new CA is found without a restart', async () => {
  await start((request, response) => void response.end(secret(request.url?.split('/').at(-1) ?? '')));
  const kubeconfig = join(folder, 'config');
  const good = readFileSync(kubeconfig, 'utf8');
  writeFileSync(kubeconfig, good.replace(/127\.0\.0\.1:\d+/, '127.0.0.1:1'));
  const refs = [{ name: 's', key: 'password' }];
  expect([...(await readSecrets(source, refs, signal)).values()].map((reading) => reading.kind)).toEqual(['unreadable']);
  writeFileSync(kubeconfig, good);
  expect([...(await readSecrets(source, refs, signal)).values()].map((reading) => reading.kind)).toEqual(['value']);
});

it('a value that LIST replaced is never answered from memory once LIST is forbidden again', async () => {
  let value = 'old';
  let mayList = false;
  await start((request, response) => {
    const body = (name: string): object => ({
      metadata: { name, uid: 'u', resourceVersion: value },
      data: { password: Buffer.from(value).toString('base64') },
    });
    const names = ['a', 'b', 'c', 'd'];
    if (request.url?.includes('limit=') !== true) return void response.end(JSON.stringify(body(request.url?.split('/').at(-1) ?? '')));
    if (!mayList) return void response.writeHead(403).end();
    response.end(JSON.stringify({ metadata: { resourceVersion: '1' }, items: names.map(body) }));
  }, 'auto');
  const refs = ['a', 'b', 'c', 'd'].map((name) => ({ name, key: 'password' }));
  const values = async (): Promise<string[]> =>
    [...(await readSecrets(source, refs, signal)).values()].map((reading) => (reading.kind === 'value' ? Buffer.from(reading.value).toString() : reading.kind));
  expect(await values()).toEqual(['old', 'old', 'old', 'old']);
  const now = vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 601_000);
  mayList = true;
  value = 'new';
  expect(await values()).toEqual(['new', 'new', 'new', 'new']);
  mayList = false;
  expect(await values()).toEqual(['new', 'new', 'new', 'new']);
  now.mockRestore();
});

it('a watch tells only what the cycle has not read yet, of Secrets that users name, and asks for none where they are read by name', async () => {
  const objects = (resource: string): object[] =>
    resource === 'configmaps'
      ? [{ metadata: { name: 'users', uid: 'u', resourceVersion: '1' }, data: { 'users.yaml': '' } }]
      : ['a', 'b'].map((name) => JSON.parse(secret(name)) as object);
  const asked = new Set<string>();
  const streams: ServerResponse[] = [];
  const listener: RequestListener = (request, response) => {
    const url = new URL(request.url ?? '', 'http://x');
    const [resource = '', name] = url.pathname.split('/').slice(5);
    asked.add(`${url.searchParams.has('watch') ? 'watch' : 'read'} ${resource}`);
    if (url.searchParams.has('watch')) {
      response.writeHead(200).flushHeaders();
      if (resource === 'secrets') streams.push(response);
      return;
    }
    const items = objects(resource);
    response.end(JSON.stringify(name === undefined ? { metadata: { resourceVersion: '1' }, items } : items[0]));
  };
  const changes: string[] = [];
  const quiet = (): void => undefined;
  const observer = { changed: (what: string) => void changes.push(what), connected: quiet, heard: quiet, restarted: quiet, refused: quiet };
  await start(listener, 'list');
  await source.documents.read(signal);
  await readSecrets(source, [{ name: 'a', key: 'password' }], signal);
  const stop = new AbortController();
  const watching = source.watcher?.watch(observer, stop.signal);
  await expect.poll(() => streams.length).toBe(1);
  const say = (type: string, name: string, resourceVersion: string): void =>
    void streams[0]?.write(`${JSON.stringify({ type, object: { metadata: { name, uid: 'u', resourceVersion } } })}\n`);
  say('ADDED', 'a', '1');
  say('MODIFIED', 'b', '2');
  say('DELETED', 'b', '3');
  await sleep(100);
  expect(changes).toEqual([]);
  say('MODIFIED', 'a', '4');
  await expect.poll(() => changes).toEqual(['secret']);
  stop.abort();
  await watching;
  await source.close();
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true });
  asked.clear();
  await start(listener, 'get');
  const until = new AbortController();
  const byName = source.watcher?.watch(observer, until.signal);
  await expect.poll(() => asked.has('watch configmaps')).toBe(true);
  await sleep(100);
  until.abort();
  await byName;
  expect([...asked].filter((request) => request.endsWith('secrets'))).toEqual([]);
  // Nothing was read before: the document may be news.
  expect(changes).toEqual(['secret', 'document']);
});

it('Retry-After holds for LIST as well', async () => {
  let requests = 0;
  await start((_request, response) => {
    requests += 1;
    response.writeHead(429, { 'retry-after': '60' }).end();
  }, 'list');
  for (let cycle = 0; cycle < 3; cycle++)
    expect([...(await readSecrets(source, [{ name: 's', key: 'password' }], signal)).values()].map((reading) => reading.kind)).toEqual(['unreadable']);
  expect(requests).toBe(1);
});

it.each([409, 403, 422, 500])('a Secret that the server answers with %i and its own content is in no message', async (status) => {
  // An API server does repeat what it refuses.
  await start((request, response) => void request.on('data', () => undefined).on('end', () => response.writeHead(status).end(LEAK)));
  const place = { namespace: 'postgres', name: 's' };
  const content = { labels: {}, annotations: {}, data: new Map([['password', LEAK]]) };
  const { secretStore } = source;
  const errors: unknown[] = await Promise.all([
    secretStore?.create(place, content, signal).catch((failure: unknown) => failure),
    secretStore?.apply(place, content, undefined, signal).catch((failure: unknown) => failure),
    secretStore
      ?.change(place, content, { ...content, type: '', createdAt: '', data: {}, resourceVersion: '1', version: '' }, signal)
      .catch((failure: unknown) => failure),
    secretStore?.read(place, signal).catch((failure: unknown) => failure),
  ]);
  for (const error of errors) {
    expect(error).toMatchObject({ name: 'SourceError', reason: { 409: 'conflict', 403: 'forbidden' }[status] ?? 'unavailable' });
    expect(inspect(error, { depth: 9 })).not.toMatch(new RegExp(`${LEAK}|${Buffer.from(LEAK).toString('base64')}`));
  }
});
