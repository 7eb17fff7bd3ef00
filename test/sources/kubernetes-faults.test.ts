// Faults that a real API server cannot be made to show: each has a defined outcome, and no message repeats what the server sent.
import { createServer, type RequestListener, type Server } from 'node:http';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { createKubernetesSource } from '../../src/sources/kubernetes.ts';
import type { Source } from '../../src/sources/source.ts';

let server: Server;
let source: Source;
let folder: string;
const signal = new AbortController().signal;
afterEach(async () => {
  await source.close();
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true });
});

async function start(listener: RequestListener, secretAccess: 'auto' | 'get' | 'list' = 'get'): Promise<void> {
  server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  folder = mkdtempSync(join(tmpdir(), 'pgsteward-faults-'));
  const kubeconfig = join(folder, 'config');
  writeFileSync(
    kubeconfig,
    JSON.stringify({
      clusters: [{ name: 'c', cluster: { server: `http://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'u', user: { token: 't' } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    }),
  );
  source = createKubernetesSource({ namespace: 'postgres', configMapName: 'users', secretAccess, secretReadsPerCycle: 2, kubeconfig, timeoutMs: 300 });
}
const LEAK = 'hunter2';
const secret = (name: string) =>
  JSON.stringify({ metadata: { name, uid: 'u', resourceVersion: '1' }, data: { password: Buffer.from('pw').toString('base64') } });

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
  const error: unknown = await source.readDocument(signal).catch((failure: unknown) => failure);
  expect(error).toMatchObject(expected);
  expect(String(error)).not.toContain(LEAK);
});

it('a server that hangs is given up after the deadline, and one that refuses is told as such', async () => {
  await start(() => undefined);
  await expect(source.readDocument(signal)).rejects.toMatchObject({ reason: 'timeout', retryable: true });
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await expect(source.readDocument(signal)).rejects.toMatchObject({ reason: 'unavailable', retryable: true });
});

it('one Secret that hangs or is malformed is unreadable, and the others are read', async () => {
  await start((request, response) => {
    const name = request.url?.split('/').at(-1) ?? '';
    if (name === 'hangs') return;
    if (name === 'gone') return void response.writeHead(404).end();
    response.end(name === 'bad' ? '{"metadata":{"name":"bad","uid":"u","resourceVersion":"1"},"data":{"password":"%%%"}}' : secret(name));
  });
  const refs = ['hangs', 'bad', 'gone', 'good'].map((name) => ({ name, key: 'password' }));
  const readings = await source.readSecrets(refs, signal);
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
  await source.readSecrets(refs, signal);
  expect(requests).toBe(5);
  throttle = true;
  const readings = await source.readSecrets(refs, signal);
  expect(requests).toBeLessThanOrEqual(7);
  expect([...readings.values()].every((reading) => reading.kind === 'value')).toBe(true);
});

it('a list whose pages expired is begun again once, and one that is forbidden becomes reading by name', async () => {
  let expired = 0;
  await start((request, response) => {
    if (request.url?.includes('continue=') === true && expired++ === 0) return void response.writeHead(410).end();
    const page =
      request.url?.includes('continue=') === true
        ? { metadata: {}, items: [JSON.parse(secret('b'))] }
        : { metadata: { continue: 'more' }, items: [JSON.parse(secret('a'))] };
    response.end(JSON.stringify(page));
  }, 'list');
  const refs = ['a', 'b'].map((name) => ({ name, key: 'password' }));
  expect([...(await source.readSecrets(refs, signal)).values()].map((reading) => reading.kind)).toEqual(['value', 'value']);
  await source.close();
  server.close();
  rmSync(folder, { recursive: true });
  await start(
    (request, response) =>
      void (request.url?.includes('limit=') === true ? response.writeHead(403).end() : response.end(secret(request.url?.split('/').at(-1) ?? ''))),
    'auto',
  );
  expect([...(await source.readSecrets(refs, signal)).values()].map((reading) => reading.kind)).toEqual(['value', 'value']);
});
