// Our port under people who open connections and say nothing, or too much.
import { once } from 'node:events';
import { Agent, get, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { FastifyInstance } from 'fastify';
import { Registry } from 'prom-client';
import { HTTP_LIMITS } from '../../src/http/bounded.ts';
import { createHttpServer } from '../../src/http/http-server.ts';
import { createStatus, STATUS_LIMITS } from '../../src/observe/status.ts';
import type { CycleReport } from '../../src/steward/report.ts';

let app: FastifyInstance;
let port: number;
let sockets: Socket[];
const status = createStatus({ source: '', dryRun: false, patience: 600_000 });

beforeEach(async () => {
  sockets = [];
  app = createHttpServer({ registry: new Registry(), status });
  await app.listen({ host: '127.0.0.1', port: 0 });
  ({ port } = app.server.address() as AddressInfo);
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await app.close();
});

function open(text: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => undefined).resume();
  return new Promise((resolve) =>
    socket.once('connect', () => {
      socket.write(text);
      resolve(socket);
    }),
  );
}
const count = (): Promise<number> =>
  new Promise((resolve, reject) => app.server.getConnections((error, connections) => (error ? reject(error) : resolve(connections))));
const answerTo = async (text: string): Promise<string> => {
  const socket = await open(text);
  const chunks: string[] = [];
  for await (const chunk of socket) chunks.push(String(chunk));
  return chunks.join('');
};

it('3,000 half-open connections take the place of a few, and probes are answered all the while', async () => {
  for (let opened = 0; opened < 3000; opened += 100) {
    await Promise.all(Array.from({ length: 100 }, () => open('GET /healthz HTTP/1.1\r\nHost: a\r\nX: ')));
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
    expect(await count()).toBeLessThanOrEqual(HTTP_LIMITS.connections + 1);
  }
});

it('as many connections as are allowed stay, and the oldest ends with one more', async () => {
  await Promise.all(Array.from({ length: HTTP_LIMITS.connections }, () => open('')));
  await expect.poll(count).toBe(HTTP_LIMITS.connections);
  const [first] = sockets;
  expect(first?.destroyed).toBe(false);
  await open('');
  await expect.poll(() => sockets.filter((socket) => socket.destroyed).length).toBe(1);
  expect(await count()).toBe(HTTP_LIMITS.connections);
});

it('a connection that asks for nothing ends by itself', async () => {
  const socket = await open('GET /healthz HTTP/1.1\r\n');
  await expect.poll(() => socket.destroyed, { timeout: HTTP_LIMITS.request + 5000 }).toBe(true);
});

it('a connection is answered as often as it may ask, ends with the last answer, and whoever asks again comes by another', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const used = new Map<Socket, number>();
  for (let asked = 0; asked <= HTTP_LIMITS.requests; asked += 1) {
    const request = get({ agent, port, host: '127.0.0.1', path: '/healthz' });
    const [answer] = (await once(request, 'response')) as [IncomingMessage];
    expect(answer.statusCode).toBe(200);
    if (request.socket !== null) used.set(request.socket, (used.get(request.socket) ?? 0) + 1);
    await once(answer.resume(), 'end');
  }
  agent.destroy();
  expect([...used.values()]).toEqual([HTTP_LIMITS.requests, 1]);
});

it('a header and a body are taken at their limit and refused beyond it', async () => {
  const request = (bytes: number): string => `GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: ${'x'.repeat(bytes)}\r\n\r\n`;
  expect(await answerTo(request(HTTP_LIMITS.headerBytes - 200))).toContain('200 OK');
  expect(await answerTo(request(HTTP_LIMITS.headerBytes + 1))).toContain('431');
  const post = (bytes: number) => fetch(`http://127.0.0.1:${port}/status`, { method: 'POST', body: 'x'.repeat(bytes) });
  // Nothing takes a body, but one is read to its end first.
  expect([(await post(HTTP_LIMITS.bodyBytes)).status, (await post(HTTP_LIMITS.bodyBytes + 1)).status]).toEqual([404, 413]);
});

it('/status shows so many problems and notices, shortened, and says how many it left out', () => {
  const position = { file: 'users.yaml', line: 1, column: 1 };
  const problem = { severity: 'error', position, path: '', message: 'x'.repeat(100_000), username: undefined } as const;
  const notice = { kind: 'cannot', subject: 'a', message: 'y'.repeat(100_000), sql: 'z'.repeat(100_000) } as const;
  const report = {
    problems: Array.from({ length: STATUS_LIMITS.items + 5 }, () => problem),
    notices: Array.from({ length: STATUS_LIMITS.items }, () => notice),
  };
  const shown = createStatus({ source: '', dryRun: false, patience: 1 });
  shown.record({ result: 'failed', planned: [], outcomes: [], drift: [], why: '', validity: [], rotationDue: new Map(), ...report } as unknown as CycleReport);
  const json = shown.toJson() as Record<string, unknown>;
  expect(json['leftOut']).toEqual({ problems: 5, notices: 0 });
  expect(JSON.stringify(json).length).toBeLessThan(2 * STATUS_LIMITS.items * (STATUS_LIMITS.characters + 200));
});

it.each([
  ['127.0.0.1:8080', true],
  ['[::1]:8080', true],
  ['localhost:8080', true],
  ['pgsteward', true],
  ['pgsteward.postgres.svc:8080', true],
  ['pgsteward.postgres.svc.cluster.local.', true],
  ['evil.example.com', false],
  ['pgsteward.postgres.svc.evil.example.com:8080', false],
  ['127.0.0.1.evil.example.com', false],
  ['evil.example.com.', false],
  ['localhost@evil.example.com', false],
  ['a/b.svc', false],
  ['a b', false],
])('asked as %s: answered %s, on every path', async (host, isAnswered) => {
  for (const path of ['/status', '/metrics', '/readyz', '/nowhere']) {
    const answer = await answerTo(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    expect(/^HTTP\/1.1 (?:421|400) /.test(answer), `${path} ${answer.slice(0, 40)}`).toBe(!isAnswered);
  }
});
