// The two sockets of a proxy that stands between a client and a server.
import type { Socket } from 'node:net';

/** Ends both when one of them ends; `open` is told of both, so that whoever stops the proxy can end them. */
export function tieSockets(client: Socket, upstream: Socket, open: Set<Socket>): void {
  for (const socket of [client, upstream]) {
    open.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      client.destroy();
      upstream.destroy();
    });
  }
}
