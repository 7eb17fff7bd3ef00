// A proxy in front of PostgreSQL that holds back the server's answers, in their order: for a random time, or until something was done.
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { tieSockets } from './sockets.ts';

export interface DelayingProxy {
  readonly port: number;
  close(): Promise<void>;
}

/** @param most milliseconds that an answer is held back at most. */
export const startDelayingProxy = (target: number, most: number): Promise<DelayingProxy> => startHoldingProxy(target, () => sleep(Math.random() * most));

/** @param ms that each answer is held back. */
export const startDelayedBy = (target: number, ms: number): Promise<DelayingProxy> => startHoldingProxy(target, () => sleep(ms));

/** @param hold is given what the client sent last, as text; until it is done, no answer to it arrives. */
export async function startHoldingProxy(target: number, hold: (sent: string) => Promise<unknown>): Promise<DelayingProxy> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1');
    tieSockets(client, upstream, sockets);
    let last = '';
    client.on('data', (chunk) => {
      last = chunk.toString();
      upstream.write(chunk);
    });
    let sent: Promise<unknown> = Promise.resolve();
    upstream.on('data', (chunk) => {
      const held = hold(last);
      sent = Promise.all([sent, held]).then(() => client.write(chunk));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
