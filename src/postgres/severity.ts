// The severity of an error in the server's own words: the one that pg shows is in the language of the server's messages (lc_messages).
import type pg from 'pg';

interface Wire {
  readonly connection: {
    readonly stream: { prependListener(event: 'data', listener: (chunk: Buffer) => void): void };
    prependListener(event: 'errorMessage', listener: (message: { severity?: string | undefined }) => void): void;
  };
}

const ERROR_RESPONSE = 0x45;
/** Type and length of a message. */
const HEAD = 5;
/** What tells the severity is the second field, after the same word in the server's language. */
const ENOUGH = 200;
const SEVERITIES: ReadonlySet<string> = new Set(['ERROR', 'FATAL', 'PANIC']);

/** Gives the errors of this session the severity that is never translated. An open session: it begins between two messages. */
export function keepSeverities(client: pg.Client): void {
  const { connection } = client as unknown as Wire;
  const found: (string | undefined)[] = [];
  const read = reader((start) => found.push(severityIn(start)));
  // Before pg reads the same chunk.
  connection.stream.prependListener('data', read);
  connection.prependListener('errorMessage', (message) => {
    message.severity = found.shift() ?? message.severity;
  });
}

/** Passes over the messages of a stream, and calls back with the beginning of each that is an error. */
function reader(onError: (start: Buffer) => void): (chunk: Buffer) => void {
  let head = Buffer.alloc(0);
  let left = 0;
  let start: Buffer | undefined;
  return (chunk) => {
    for (let at = 0; at < chunk.length;) {
      if (left === 0 && head.length === 0 && isPassedOver(chunk, at)) {
        at += HEAD + chunk.readInt32BE(at + 1) - 4;
        continue;
      }
      const some = chunk.subarray(at, at + (left > 0 ? left : HEAD - head.length));
      at += some.length;
      if (left === 0) {
        head = Buffer.concat([head, some]);
        if (head.length < HEAD) continue;
        left = head.readInt32BE(1) - 4;
        start = head[0] === ERROR_RESPONSE ? Buffer.alloc(0) : undefined;
        head = Buffer.alloc(0);
      } else {
        left -= some.length;
        if (start !== undefined && start.length < ENOUGH) start = Buffer.concat([start, some.subarray(0, ENOUGH - start.length)]);
      }
      if (left === 0 && start !== undefined) onError(start);
    }
  };
}

/** Whether a message stands here as a whole and is no error: nearly all do, one for each row. A length that is none would lead nowhere, or back. */
function isPassedOver(chunk: Buffer, at: number): boolean {
  if (chunk.length < at + HEAD || chunk[at] === ERROR_RESPONSE) return false;
  const length = chunk.readInt32BE(at + 1);
  return length >= 4 && chunk.length >= at + HEAD + length - 4;
}

/** Fields are a letter and a text that NUL ends. */
function severityIn(start: Buffer): string | undefined {
  const field = start
    .toString('latin1')
    .split('\0')
    .find((text) => text.startsWith('V'));
  return field !== undefined && SEVERITIES.has(field.slice(1)) ? field.slice(1) : undefined;
}
