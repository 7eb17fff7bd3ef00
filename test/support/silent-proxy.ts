// A proxy that can swallow everything without a word, as a node does whose network is taken away: no FIN, no RST, and nobody hears anything.
import { createServer, connect, type Socket } from 'node:net';

export interface SilentProxy {
  readonly port: number;
  /** From now on nothing passes, and both ends believe that the other is there. */
  cut(): void;
  /** The network is back: both ends learn that their connections are none. */
  mend(): void;
  close(): Promise<void>;
}

export async function startSilentProxy(target: number): Promise<SilentProxy> {
  let silent = false;
  let sockets = new Set<Socket>();
  const server = createServer((client) => {
    if (silent) {
      sockets.add(client);
      client.on('error', () => undefined);
      return;
    }
    const upstream = connect(target, '127.0.0.1');
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const)
      from.on('data', (chunk) => {
        if (!silent) to.write(chunk);
      });
    // One side that ends is not heard of on the other while nothing passes.
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on('error', () => undefined);
      from.on('close', () => {
        if (!silent) to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const endAll = (): void => {
    for (const socket of sockets) socket.destroy();
    sockets = new Set();
  };
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    cut: () => {
      silent = true;
    },
    mend: () => {
      silent = false;
      endAll();
    },
    close: async () => {
      endAll();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
