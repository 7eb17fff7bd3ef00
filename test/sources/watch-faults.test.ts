// The watch against an API server that misbehaves in ways that a real one cannot be made to.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { eventsOf } from '../../src/kubernetes/watch-events.ts';
import { createKubeClient, type KubeClient } from '../../src/kubernetes/client.ts';
import type { WatchTimes } from '../../src/kubernetes/list-and-watch.ts';
import { runWatch } from '../../src/kubernetes/watch.ts';

const LEAK = 'hunter2';
const TIMES = { answer: 200, idle: 300, backoff: [20, 100], forbidden: 5000 } as const;

/** What the fake holds of the one ConfigMap; undefined: there is none. */
let version: string | undefined;
/** What a cycle has read last. */
let read: string | undefined;
let onWatch: (response: ServerResponse, request: IncomingMessage) => void;
let onList: ((response: ServerResponse, request: IncomingMessage) => boolean) | undefined;
let lists: number;
let watches: string[];
let told: string[];
let accepts: Set<string | undefined>;
let server: Server;
let client: KubeClient;
let folder: string;
let stop: AbortController;
let running: Promise<void>;

const object = (at: string): object => ({ metadata: { name: 'users', uid: 'u', resourceVersion: at } });
/** Begins to answer and says nothing. */
const quiet = (response: ServerResponse): void => response.writeHead(200).flushHeaders();
const event = (type: string, at: string): string => `${JSON.stringify({ type, object: object(at) })}\n`;
const kubeconfig = (token: string): void => {
  const address = server.address();
  writeFileSync(
    join(folder, 'config'),
    JSON.stringify({
      clusters: [
        {
          name: 'c',
          cluster: { server: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`, 'insecure-skip-tls-verify': true },
        },
      ],
      users: [{ name: 'u', user: { token } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    }),
  );
};
const begin = (patience: WatchTimes = TIMES): void => {
  const note = (word: string): void => void told.push(word);
  running = runWatch(
    client,
    {
      what: 'document',
      resource: 'configmaps',
      namespace: 'n',
      name: 'users',
      names: () => ['users'],
      isNews: (_name, at) => (at === undefined ? undefined : at.split('/')[1]) !== read,
    },
    {
      changed: () => note('changed'),
      connected: () => undefined,
      heard: () => undefined,
      restarted: (_what, reason, message) => {
        expect(message).not.toContain(LEAK);
        note(reason);
      },
      refused: () => note('refused'),
    },
    stop.signal,
    patience,
  );
};
const times = (word: string): number => told.filter((said) => said === word).length;

beforeEach(async () => {
  [version, read, onWatch, onList] = ['1', '1', quiet, undefined];
  [lists, watches, told, accepts] = [0, [], [], new Set()];
  server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://x');
    accepts.add(request.headers.accept);
    expect(url.searchParams.get('fieldSelector')).toBe('metadata.name=users');
    if (url.searchParams.get('watch') === 'true') {
      watches.push(url.searchParams.get('resourceVersion') ?? '');
      expect(url.searchParams.get('allowWatchBookmarks')).toBe('true');
      return onWatch(response, request);
    }
    lists += 1;
    if (onList?.(response, request) === true) return;
    response.end(JSON.stringify({ metadata: { resourceVersion: version ?? '0' }, items: version === undefined ? [] : [object(version)] }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  folder = mkdtempSync(join(tmpdir(), 'pgsteward-watch-'));
  kubeconfig('t');
  client = createKubeClient({ kubeconfig: join(folder, 'config'), timeoutMs: 300 });
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await running;
  await client.close();
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true });
});

it('silence is no failure: the watch begins again from where it was, and what happened meanwhile is seen', async () => {
  onWatch = (response) => {
    response.writeHead(200).flushHeaders();
    if (watches.length === 1) response.write(event('BOOKMARK', '5'));
    if (watches.length === 3) response.write(event('MODIFIED', '6'));
  };
  begin();
  await expect.poll(() => times('changed'), { timeout: 5000 }).toBe(1);
  expect([lists, watches, told]).toEqual([1, ['1', '5', '5'], ['silent', 'silent', 'changed']]);
});

it('a watch that stays silent asks anew, as a restored store may be behind the version that it goes on from', async () => {
  version = '100';
  read = '100';
  begin({ ...TIMES, idle: 30 });
  await expect.poll(() => watches.length, { timeout: 5000 }).toBeGreaterThan(2);
  version = '7';
  await expect.poll(() => times('changed'), { timeout: 5000 }).toBe(1);
  await expect.poll(() => watches.at(-1), { timeout: 5000 }).toBe('7');
  expect([...new Set(told)]).toEqual(['silent', 'changed']);
});

it('after an API server was away, its first answer is not waited for again as long', async () => {
  onWatch = (response) => {
    if (watches.length < 6) response.destroy();
    else if (watches.length === 6) response.writeHead(401).end();
    else quiet(response);
  };
  begin({ ...TIMES, backoff: [20, 2000] });
  await expect.poll(() => times('unauthorized'), { timeout: 10_000, interval: 2 }).toBe(1);
  const began = performance.now();
  await expect.poll(() => watches.length, { timeout: 5000, interval: 2 }).toBe(7);
  expect(performance.now() - began).toBeLessThan(200);
});

it('a version that expired leads to a new list, which wakes only where something differs from what was read', async () => {
  onWatch = (response) => {
    if (watches.length > 2) return quiet(response);
    version = watches.length === 1 ? '1' : '9';
    response.end(`{"type":"ERROR","object":{"kind":"Status","code":410,"message":"${LEAK}"}}\n`);
  };
  begin();
  await expect.poll(() => watches.length, { timeout: 5000 }).toBe(3);
  expect([lists, told]).toEqual([3, ['expired', 'expired', 'changed']]);
});

it('what cannot be read, what breaks off and what never begins is begun again, and no answer is repeated in a message', async () => {
  onWatch = (response) => {
    const turn = watches.length;
    if (turn === 1) response.end(`{"type":"MODIFIED","object":"${LEAK}"}\n`);
    else if (turn === 2) response.end(`${LEAK}\n`);
    else if (turn === 3) {
      response.writeHead(200).write('{"type":"MOD');
      setTimeout(() => response.destroy(), 20);
    } else if (turn === 4) response.writeHead(500).end(LEAK);
    else if (turn === 5) response.end(`{"type":"ERROR","object":{"code":500,"message":"${LEAK}"}}\n`);
    else if (turn === 7) {
      response.writeHead(200).write(event('MODIFIED', '2').slice(0, 30));
      setTimeout(() => response.write(event('MODIFIED', '2').slice(30)), 20);
    }
    // The sixth is never answered.
  };
  begin();
  await expect.poll(() => times('changed'), { timeout: 5000 }).toBe(1);
  expect(told).toEqual(['malformed', 'malformed', 'unavailable', 'unavailable', 'unavailable', 'timeout', 'changed']);
});

it('a watch that always ends at once, and a list that always fails, are no storm', async () => {
  onWatch = (response) => void response.end();
  begin();
  await sleep(1000);
  expect(watches.length).toBeGreaterThan(5);
  expect(watches.length).toBeLessThan(40);
  onList = (response) => {
    response.writeHead(500).end(LEAK);
    return true;
  };
  const before = lists;
  onWatch = (response) => void response.end('{"type":"ERROR","object":{"code":410}}\n');
  await sleep(1000);
  expect(lists - before).toBeLessThan(40);
});

it('a token that is not accepted any more is read again', async () => {
  onWatch = (response, request) => {
    if (request.headers.authorization !== 'Bearer next') return void response.writeHead(401).end();
    response.writeHead(200).write(event('MODIFIED', '2'));
  };
  begin();
  await expect.poll(() => times('unauthorized'), { timeout: 5000 }).toBeGreaterThan(0);
  kubeconfig('next');
  await expect.poll(() => times('changed'), { timeout: 5000 }).toBe(1);
});

it('a right that is missing once is asked for again at once; one that stays missing, after a while', async () => {
  onList = (response) => {
    if (lists > 2) return false;
    response.writeHead(403).end(LEAK);
    return true;
  };
  begin();
  await expect.poll(() => watches.length, { timeout: 5000 }).toBe(1);
  expect(times('refused')).toBe(0);
  stop.abort();
  await running;
  stop = new AbortController();
  onList = (response) => {
    response.writeHead(403).end(LEAK);
    return true;
  };
  begin();
  await expect.poll(() => times('refused'), { timeout: 5000 }).toBe(1);
  const before = lists;
  await sleep(500);
  expect(lists).toBe(before);
});

it('an abort ends it at once, wherever it is, and nothing is said after it', async () => {
  const hang = (): void => undefined;
  const answer = (response: ServerResponse): void => {
    response.writeHead(200).flushHeaders();
    setInterval(() => response.write(event('MODIFIED', '2')), 1).unref();
  };
  for (const behaviour of [hang, quiet, answer]) {
    stop = new AbortController();
    onWatch = behaviour;
    const seen = watches.length;
    begin();
    await expect.poll(() => watches.length, { timeout: 5000, interval: 5 }).toBeGreaterThan(seen);
    const began = performance.now();
    stop.abort();
    const said = times('changed');
    await running;
    expect(performance.now() - began).toBeLessThan(100);
    await sleep(30);
    expect(times('changed')).toBe(said);
  }
});

it('a document that is gone and one that is made anew are news', async () => {
  onWatch = (response) => {
    response.writeHead(200).write(event('DELETED', '3'));
    setTimeout(() => response.write(event('ADDED', '4')), 50);
  };
  begin();
  await expect.poll(() => times('changed'), { timeout: 5000 }).toBe(2);
});

it('asks for metadata alone', async () => {
  begin();
  await expect.poll(() => watches.length, { timeout: 5000 }).toBe(1);
  for (const accept of accepts) expect(accept).toMatch(/as=PartialObjectMetadata/);
});

it('an event that comes in very small pieces costs no more than its length', async () => {
  const object = { metadata: { name: 'a', uid: 'u', resourceVersion: '7', annotations: { long: 'x'.repeat(1_500_000) } } };
  const line = Buffer.from(`${JSON.stringify({ type: 'MODIFIED', object })}\n`);
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < line.length; at += 30) yield line.subarray(at, at + 30);
    await Promise.resolve();
  }
  const began = process.threadCpuUsage();
  const events: unknown[] = [];
  for await (const event of eventsOf(pieces(), { verb: 'watch', resource: 'secrets', namespace: 'n' }, () => undefined)) events.push(event);
  expect(events).toEqual([{ resourceVersion: '7', object: { name: 'a', version: 'u/7' } }]);
  // A copy of all that came before, with each of 50,000 pieces, took three seconds, and a minute of collecting them.
  expect(process.threadCpuUsage(began).user / 1_000_000).toBeLessThan(1.5);
});
