// What answers at a server's port and is no PostgreSQL: each session gets the next of some answers, and what it sends is kept.
import { createServer, type Socket } from 'node:net';

export interface LyingServer {
  readonly port: number;
  /** How often each answer was given. */
  readonly given: ReadonlyMap<string, number>;
  /** Everything that clients sent, as latin1. */
  heard(): string;
  close(): Promise<void>;
}

/** A message of the protocol; the length counts itself. */
const message = (type: string, payload: Uint8Array | string, length = Buffer.byteLength(payload) + 4): Buffer => {
  const head = Buffer.alloc(5);
  head.write(type, 'latin1');
  head.writeInt32BE(length, 1);
  return Buffer.concat([head, Buffer.from(payload)]);
};
const number = (value: number): Buffer => {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32BE(value);
  return buffer;
};
const READY = Buffer.concat([message('R', number(0)), message('S', 'server_version\x0018.0\0'), message('K', Buffer.alloc(8)), message('Z', 'I')]);

/** Each would once have ended, filled or hung whoever reads it. */
export const LIES: Readonly<Record<string, (socket: Socket) => void>> = {
  'asks for GSSAPI': (socket) => void socket.write(message('R', number(7))),
  'asks for nothing': (socket) => void socket.write(message('R', '')),
  'a message of no length': (socket) => void socket.write(message('R', '', 0)),
  'an error without an end': (socket) => void socket.write(message('E', 'S')),
  'an error whose end is cut off': (socket) => void socket.write(message('E', 'SFATAL\0C28P01\0')),
  'a notice without an end, once it is open': (socket) => void socket.write(Buffer.concat([READY, message('N', 'Mx')])),
  'a row of less than no columns': (socket) => void socket.write(Buffer.concat([READY, message('D', Buffer.from([0xff, 0xff]))])),
  'a message that does not end': (socket) => {
    socket.write(message('S', '', 0x7f_ff_ff_ff));
    const more = (): void => {
      while (!socket.destroyed && socket.write(Buffer.alloc(1_048_576, 'x')));
      if (!socket.destroyed) socket.once('drain', more);
    };
    more();
  },
  'asks for the password itself': (socket) => void socket.write(message('R', number(3))),
};

const SSL_REQUEST = 80_877_103;

/** @param names of the answers that are given, by turns. */
export async function startLyingServer(names: readonly string[] = Object.keys(LIES)): Promise<LyingServer> {
  const given = new Map<string, number>();
  const sockets = new Set<Socket>();
  let heard = '';
  let next = 0;
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    let isTold = false;
    socket.on('data', (chunk) => {
      heard += chunk.toString('latin1');
      if (chunk.length === 8 && chunk.readInt32BE(4) === SSL_REQUEST) return void socket.write('N');
      if (isTold) return;
      isTold = true;
      const name = names[next++ % names.length] ?? '';
      given.set(name, (given.get(name) ?? 0) + 1);
      LIES[name]?.(socket);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    given,
    heard: () => heard,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
