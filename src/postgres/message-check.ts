// Messages of the server are looked at before pg takes them apart: it looks for the end of an error or a notice for ever where there is none.
const [ERROR, NOTICE] = [0x45, 0x4e];
/** Type and length of a message; the length counts itself. */
const [HEAD, LENGTH] = [5, 4];
/** What a server may ask for that is no password. */
const WAYS: ReadonlyMap<string, string> = new Map([
  ['7', 'GSSAPI'],
  ['9', 'SSPI'],
]);
const NOTHING = Buffer.alloc(0);

/** What came is no message of the protocol. */
export class NoMessage extends Error {
  override readonly name = 'NoMessage';

  /** @param cause what pg throws where it cannot read a message. */
  constructor(cause?: unknown) {
    const [, way] = /^Unknown authenticationOk message type (\d+)$/.exec(cause instanceof Error ? cause.message : '') ?? [];
    super(
      way === undefined
        ? 'Received unexpected bytes, which are no message of PostgreSQL: something else answers there'
        : `Received unexpected request for ${WAYS.get(way) ?? `authentication ${way}`} and not for a password: our login needs a line with scram-sha-256 in pg_hba.conf`,
      { cause },
    );
  }
}

/** @returns takes each chunk before pg does, and says how many messages begin in it. @throws NoMessage */
export function createMessageCheck(): (chunk: Buffer) => number {
  let head = NOTHING;
  let left = 0;
  let begun = 0;
  let fields: ReturnType<typeof createFields> | undefined;
  const begin = (type: number, length: number): void => {
    if (length < LENGTH) throw new NoMessage();
    left = length - LENGTH;
    begun += 1;
    fields = type === ERROR || type === NOTICE ? createFields() : undefined;
    end();
  };
  const end = (): void => {
    if (left > 0 || fields === undefined) return;
    if (!fields.haveEnded()) throw new NoMessage();
    fields = undefined;
  };
  return (chunk) => {
    begun = 0;
    for (let at = 0; at < chunk.length;) {
      if (left > 0) {
        const some = Math.min(left, chunk.length - at);
        fields?.take(chunk.subarray(at, at + some));
        at += some;
        left -= some;
        end();
      } else if (head.length === 0 && chunk.length - at >= HEAD) {
        begin(chunk.readUInt8(at), chunk.readUInt32BE(at + 1));
        at += HEAD;
      } else {
        const some = chunk.subarray(at, at + HEAD - head.length);
        head = Buffer.concat([head, some]);
        at += some.length;
        if (head.length < HEAD) break;
        const whole = head;
        head = NOTHING;
        begin(whole.readUInt8(0), whole.readUInt32BE(1));
      }
    }
    return begun;
  };
}

/** Fields are a letter and a text that NUL ends; a NUL in place of a letter ends them all. */
function createFields(): { readonly take: (part: Buffer) => void; readonly haveEnded: () => boolean } {
  let state: 'letter' | 'text' | 'ended' = 'letter';
  return {
    take: (part) => {
      for (let at = 0; at < part.length && state !== 'ended';) {
        if (state === 'letter') {
          state = part[at] === 0 ? 'ended' : 'text';
          at += 1;
        } else {
          const nul = part.indexOf(0, at);
          if (nul === -1) return;
          state = 'letter';
          at = nul + 1;
        }
      }
    },
    haveEnded: () => state === 'ended',
  };
}
