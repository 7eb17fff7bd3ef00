// A question to all servers that are declared: each is asked as if it were the only one, and the answers stand one below the other.
import { Writable } from 'node:stream';
import { sideBySide } from '../async/side-by-side.ts';
import { harmless } from './harmless.ts';
import { chosenOf, type Declared, programOf } from './one-server.ts';
import { type Given, type Program, say, UsageError, type Verb } from './verb.ts';

/** So many are asked at a time. */
const AT_A_TIME = 4;
/** An answer of one server that is longer than this is not kept; it can be asked by itself. */
const MOST_CHARACTERS = 8_388_608;

interface Told {
  readonly server: string;
  readonly code: number;
  readonly text: string;
  /** Why it could not be asked, or has no answer. */
  readonly error?: string;
}

/** @returns the highest exit code of all; 2 where some could not be asked, and 1 where none could. */
export async function everyServer(verb: Verb, given: Given, self: Program, declared: Declared): Promise<number> {
  const { servers, invalid } = declared.fleet;
  const told: readonly Told[] = [
    ...(await sideBySide(AT_A_TIME, servers, async (entry): Promise<Told> => {
      const [out, nowhere] = [collecting(MOST_CHARACTERS), collecting(0)];
      try {
        const chosen = await chosenOf(entry, declared);
        const code = await verb.run(given, { ...programOf(self), stdout: out.stream, stderr: nowhere.stream, chosen });
        return { server: entry.name, code, text: out.text() };
      } catch (error) {
        if (!(error instanceof UsageError)) throw error;
        return { server: entry.name, code: 2, text: '', error: error.message };
      }
    })),
    ...[...invalid].map((server): Told => ({ server, code: 2, text: '', error: 'its entry in servers.yaml is wrong, as pgsteward validate says' })),
  ];
  await say(self.stdout, given.options.get('output') === 'json' ? asJson(told) : asText(told));
  if (told.length > 0 && told.every(({ error }) => error !== undefined)) return 1;
  return Math.max(0, ...told.map(({ code }) => code));
}

const asText = (told: readonly Told[]): string =>
  told
    .map(
      ({ server, text, error }) =>
        `server ${server}:\n${(error ?? text.trimEnd())
          .split('\n')
          .map((line) => (line === '' ? '' : `  ${line}`))
          .join('\n')}\n`,
    )
    .join('\n');

const asJson = (told: readonly Told[]): string => {
  const servers = told.map(({ server, text, error }) => (error === undefined ? { server, answer: JSON.parse(text) as unknown } : { server, error }));
  return `${harmless(JSON.stringify({ version: 1, servers }, undefined, 2))}\n`;
};

/** A stream whose text is kept. @throws UsageError where that is more than may be kept. */
function collecting(most: number): { readonly stream: Writable; readonly text: () => string } {
  const chunks: string[] = [];
  let size = 0;
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      size += chunk.length;
      if (size <= most) chunks.push(chunk.toString());
      done();
    },
  });
  return {
    stream,
    text: () => {
      if (size > most) throw new UsageError('the answer is too long to stand beside others; --server asks it alone');
      return chunks.join('');
    },
  };
}
