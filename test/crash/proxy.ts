// A proxy in front of PostgreSQL that counts the client's messages and lets something happen at one of them.
import { createServer, connect, type Socket } from 'node:net';
import { tieSockets } from '../support/sockets.ts';

export interface CuttingProxy {
  readonly port: number;
  /** Whether the message came. */
  reached(): boolean;
  close(): Promise<void>;
}

/**
 * Counts the query messages of all sessions together. At number `point` the message is delivered (and answered) or held back, and `cut` is called.
 */
export async function startCuttingProxy(target: number, point: number, deliver: boolean, cut: () => void): Promise<CuttingProxy> {
  let seen = 0;
  let reached = false;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1');
    tieSockets(client, upstream, sockets);
    let waiting = false;
    upstream.on('data', (chunk) => {
      if (waiting) {
        // The server has done it; its answer never arrives.
        waiting = false;
        cut();
        return;
      }
      client.write(chunk);
    });
    client.on('data', (chunk) => {
      // A simple query is a message of type Q; heartbeats of the lock are not part of the cycle.
      if (chunk[0] === 0x51 && !chunk.subarray(5).toString().startsWith("SELECT pg_catalog.set_config('application_name'")) {
        seen += 1;
        if (seen === point) {
          reached = true;
          if (!deliver) return cut();
          waiting = true;
        }
      }
      upstream.write(chunk);
      return undefined;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    reached: () => reached,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
