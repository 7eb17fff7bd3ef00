// The salt probe: half a SCRAM-SHA-256 handshake. The server names the salt of a stored verifier before it asks for any proof, so that
// whoever chose the salt can tell whether the password is still the one that was set. It logs nobody in and writes nothing.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { type ServerAddress, tlsOptions } from './connection.ts';

export type SaltAnswer =
  /** For a role without a SCRAM verifier, or one that has expired, the server makes up a salt, always the same. */
  | { readonly kind: 'salt'; readonly salt: string; readonly iterations: number; readonly encrypted: boolean }
  /** pg_hba.conf has another method for this user, or none. */
  | { readonly kind: 'silent'; readonly reason: string };

const DEADLINE_MS = 3000;
/** By then a server has let go of a login that nobody finishes. */
const RELEASE_MS = 500;
const MECHANISM = 'SCRAM-SHA-256';
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);
/** Longer messages than any of an authentication. */
const MAX_MESSAGE = 65_536;

/** What the server asks for instead, by the code of its authentication request. */
const METHODS: ReadonlyMap<number, string> = new Map([
  [0, 'no password at all'],
  [3, 'the password itself'],
  [5, 'an MD5 hash'],
  [7, 'GSSAPI'],
  [9, 'SSPI'],
]);

/**
 * Asks for the salt of a user's verifier.
 * @throws when the server cannot be reached, does not answer within three seconds, or holds on to the unfinished login.
 */
export async function readSalt({ host, port, tls }: ServerAddress, user: string, database: string): Promise<SaltAnswer> {
  const isLocal = host.startsWith('/');
  const socket = isLocal ? connectPlain(`${host}/.s.PGSQL.${port}`) : connectPlain(port, host);
  const deadline = setTimeout(() => socket.destroy(new Error('the server did not answer in time')), DEADLINE_MS);
  try {
    // What goes wrong later is told by whoever reads at that moment.
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    const stream = isLocal ? socket : await secured(socket, host, tls);
    const answer = await exchange(stream, user, database, stream !== socket);
    await released(socket, stream);
    return answer;
  } finally {
    clearTimeout(deadline);
    socket.destroy();
  }
}

/**
 * Waits until the server has closed its side. With auth_delay and its like a login that nobody finishes keeps its slot for a while, and a
 * probe after the other would take all of them.
 */
async function released(socket: Socket, stream: Socket): Promise<void> {
  if (socket.closed) return;
  const closed = once(socket, 'close');
  stream.end();
  const held = await Promise.race([closed.then(() => false), sleep(RELEASE_MS, true)]);
  if (held) throw new Error('the server holds on to logins that nobody finishes (as auth_delay makes it)');
}

/** The connection encrypted as the mode wants it. */
async function secured(socket: Socket, host: string, tls: ServerAddress['tls']): Promise<Socket> {
  const options = await tlsOptions(tls);
  if (options === false) return socket;
  socket.write(SSL_REQUEST);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  socket.pause();
  // More than one byte would be somebody's who wants it to be taken for what comes encrypted.
  if (answer.length !== 1) throw new Error('the server answered the request for TLS with more than a byte');
  if (answer.toString('latin1') === 'S') {
    const encrypted = connectTls({ socket, host, ...(isIP(host) === 0 ? { servername: host } : {}), ...options });
    encrypted.on('error', () => undefined);
    await once(encrypted, 'secureConnect');
    return encrypted;
  }
  if (tls.mode === 'prefer') return socket;
  throw new Error('the server does not support TLS');
}

/** Sends what begins a login, and reads until the server says something about the salt or refuses to. */
function exchange(stream: Socket, user: string, database: string, encrypted: boolean): Promise<SaltAnswer> {
  const nonce = randomBytes(18).toString('base64');
  let received: Buffer = Buffer.alloc(0);
  return new Promise((resolve, reject) => {
    stream.on('error', reject);
    stream.on('close', () => reject(new Error('the server closed the connection')));
    stream.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      try {
        for (let size = messageSize(received); size !== undefined && received.length >= size; size = messageSize(received)) {
          const answer = answerTo(received.subarray(0, size), nonce, encrypted);
          received = received.subarray(size);
          if (answer === 'offers_scram') stream.write(saslInitialResponse(`n,,n=,r=${nonce}`));
          else if (answer !== undefined) return resolve(answer);
        }
      } catch (error) {
        reject(error);
      }
      return undefined;
    });
    stream.resume();
    stream.write(startup({ user, database, application_name: 'pgsteward' }));
  });
}

/** What a message of the server means; undefined for one that is about something else. */
function answerTo(message: Buffer, nonce: string, encrypted: boolean): SaltAnswer | 'offers_scram' | undefined {
  const type = String.fromCharCode(message[0] ?? 0);
  const body = message.subarray(5);
  if (type === 'E') return refusal(errorCode(body));
  if (type !== 'R') return undefined;
  const code = body.readInt32BE(0);
  const rest = body.subarray(4).toString('utf8');
  if (code === 11) return readServerFirst(rest, nonce, encrypted);
  if (code !== 10) return { kind: 'silent', reason: `the server asks for ${METHODS.get(code) ?? 'another method'}` };
  return rest.split('\0').includes(MECHANISM) ? 'offers_scram' : { kind: 'silent', reason: `the server does not offer ${MECHANISM}` };
}

/** @throws where the server is short of something, or just starting or stopping: that is about no user. */
function refusal(code: string): SaltAnswer {
  if (code.startsWith('53') || code.startsWith('57')) throw new Error(`the server answers ${code}`);
  return { kind: 'silent', reason: `the server answers ${code}` };
}

/** `r=…,s=…,i=…`; the nonce begins with ours. */
function readServerFirst(text: string, nonce: string, encrypted: boolean): SaltAnswer {
  const [, answered = '', salt = '', iterations = ''] = /^r=([^,]+),s=([A-Za-z0-9+/]+={0,2}),i=([1-9]\d*)$/.exec(text) ?? [];
  if (!answered.startsWith(nonce)) return { kind: 'silent', reason: 'the server answers something else than SCRAM' };
  return { kind: 'salt', salt: Buffer.from(salt, 'base64').toString('base64'), iterations: Number(iterations), encrypted };
}

/** The length of the first message with its type byte; undefined while that cannot be told. */
function messageSize(received: Buffer): number | undefined {
  if (received.length < 5) return undefined;
  const size = received.readInt32BE(1) + 1;
  if (size < 5 || size > MAX_MESSAGE) throw new Error('the server does not speak the protocol of PostgreSQL');
  return size;
}

function startup(parameters: Readonly<Record<string, string>>): Buffer {
  const text = `${Object.entries(parameters)
    .map(([name, value]) => `${name}\0${value}\0`)
    .join('')}\0`;
  const body = Buffer.concat([int32(196_608), Buffer.from(text)]);
  return Buffer.concat([int32(body.length + 4), body]);
}

function saslInitialResponse(clientFirst: string): Buffer {
  const data = Buffer.from(clientFirst);
  const body = Buffer.concat([Buffer.from(`${MECHANISM}\0`), int32(data.length), data]);
  return Buffer.concat([Buffer.from('p'), int32(body.length + 4), body]);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

/** The SQLSTATE of an ErrorResponse: fields of a letter and a text each. */
const errorCode = (body: Buffer): string =>
  body
    .toString('utf8')
    .split('\0')
    .find((field) => field.startsWith('C'))
    ?.slice(1) ?? 'an error';
