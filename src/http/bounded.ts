// Connections to our port: anybody in the cluster may open them, so there are only so many, and none that asks for nothing stays.
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** What an HTTP client may take; the units are milliseconds and bytes. */
export const HTTP_LIMITS = {
  /** The oldest connection ends when there is one more: a probe asks at once, and is always among the newest. */
  connections: 128,
  /** Until the header of a request is there. */
  header: 5000,
  /** Until the whole request is there; also how long a connection may be silent while it is answered. */
  request: 10_000,
  headerBytes: 8192,
  bodyBytes: 1024,
  /** Requests on one connection. */
  requests: 1000,
} as const;

/** Options of node's own server. */
export const NODE_OPTIONS = {
  maxHeaderSize: HTTP_LIMITS.headerBytes,
  headersTimeout: HTTP_LIMITS.header,
  requestTimeout: HTTP_LIMITS.request,
  connectionsCheckingInterval: 1000,
};

/** Ends the oldest connections where there are too many, and those that are silent. */
export function boundConnections(server: Server): void {
  // A Set keeps the order in which its members came.
  const open = new Set<Socket>();
  server.setTimeout(HTTP_LIMITS.request);
  server.on('connection', (socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    const [oldest] = open;
    if (open.size > HTTP_LIMITS.connections) oldest?.destroy();
  });
}
