// Gates before PostgreSQL and the API server: at one moment of a rotation of the admin's password something happens, and what was under way is held back or goes on.
import { writeFileSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { request } from 'node:https';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import { tieSockets } from './sockets.ts';

/** Each step just before it is made, and when it is made and nobody was told. */
export const MOMENTS = ['before next', 'after next', 'before ALTER', 'after ALTER', 'before login', 'after login', 'before Secret', 'after Secret'] as const;
export type Moment = (typeof MOMENTS)[number];

export interface Gates {
  /** What the daemon needs to go through them. */
  readonly env: Readonly<Record<string, string>>;
  readonly reached: () => boolean;
  close(): void;
}

/** @param act what happens at the moment; what it answers says whether the rest goes on. */
export async function startGates(
  target: { readonly kubeconfig: string; readonly postgres: number; readonly secret: string; readonly admin: string },
  moment: Moment,
  act: () => Promise<'goes on' | 'ends'>,
): Promise<Gates> {
  let reached = false;
  /** Whether what is under way goes on. */
  const pass = async (now: Moment): Promise<boolean> => {
    if (reached || now !== moment) return true;
    reached = true;
    return (await act()) === 'goes on';
  };
  const sockets = new Set<Socket>();

  const config = JSON.parse(readFileSync(target.kubeconfig, 'utf8')) as { clusters: { cluster: Record<string, unknown> }[] };
  const apiServer = String(config.clusters[0]?.cluster['server']);
  let patches = 0;
  const forward = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const isPatch = incoming.method === 'PATCH' && incoming.url?.includes(`/secrets/${target.secret}`) === true;
    if (isPatch) patches += 1;
    const step = patches === 1 ? 'next' : 'Secret';
    if (isPatch && !(await pass(`before ${step}`))) return;
    const upstream = request(`${apiServer}${incoming.url}`, { method: incoming.method, headers: incoming.headers, rejectUnauthorized: false }, (answer) => {
      void (async () => {
        if (isPatch && !(await pass(`after ${step}`))) return;
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(response);
      })();
    });
    upstream.on('error', () => response.destroy());
    response.on('close', () => upstream.destroy());
    incoming.pipe(upstream);
  };
  const api = createServer((incoming, response) => void forward(incoming, response));
  api.on('connection', (socket) => sockets.add(socket));

  let isAltered = false;
  const postgres = createTcpServer((client) => {
    const upstream = connect(target.postgres, '127.0.0.1');
    tieSockets(client, upstream, sockets);
    let isLogin = isAltered;
    let isFirst = true;
    let alters = false;
    client.on('data', (chunk) => {
      void (async () => {
        const text = chunk.toString('latin1');
        alters = text.includes(`ALTER ROLE "${target.admin}" PASSWORD`);
        if (alters && !(await pass('before ALTER'))) return;
        if (isLogin && isFirst && !(await pass('before login'))) return;
        isFirst = false;
        upstream.write(chunk);
      })();
    });
    upstream.on('data', (chunk) => {
      void (async () => {
        if (alters) {
          isAltered = true;
          alters = false;
          if (!(await pass('after ALTER'))) return;
        }
        // The server is ready for queries: the login succeeded.
        if (isLogin && chunk.subarray(-6, -4).toString('latin1') === 'Z\0') {
          isLogin = false;
          if (!(await pass('after login'))) return;
        }
        client.write(chunk);
      })();
    });
  });
  for (const server of [api, postgres]) await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const portOf = (server: typeof api | typeof postgres): number => (server.address() as AddressInfo).port;
  const kubeconfig = `${target.kubeconfig}-gate`;
  writeFileSync(
    kubeconfig,
    JSON.stringify({ ...config, clusters: [{ name: 'c', cluster: { server: `http://127.0.0.1:${portOf(api)}`, 'insecure-skip-tls-verify': true } }] }),
    { mode: 0o600 },
  );
  return {
    env: { KUBECONFIG: kubeconfig, DB_PORT: String(portOf(postgres)) },
    reached: () => reached,
    close: () => {
      for (const socket of sockets) socket.destroy();
      api.close();
      postgres.close();
    },
  };
}
