// Hearing: what the source last said, and whose word it is: whoever becomes the writer again follows nothing that it knew before.
import type { SecretReader } from '../sources/ports.ts';
import type { InputReader, Inputs } from './inputs.ts';

export interface Hearing {
  /** Reads the source. @param writer the fence of the cycle; undefined in a dry run. */
  read(writer: string | undefined, signal: AbortSignal): Promise<Inputs>;
  /** Reads the document alone, for what is said while nothing can be done; where that fails, what was read last stays. */
  readDocument(signal: AbortSignal): Promise<void>;
  /** What was read last. */
  readonly last: Inputs | undefined;
  /** Equal while the inputs, and what is known of the Secrets, are the same. */
  version(inputs: Inputs): string;
}

export function createHearing(reader: InputReader, secrets: Pick<SecretReader, 'forgetAll' | 'version'>): Hearing {
  let last: Inputs | undefined;
  /** The fence of the last cycle. */
  let lastWriter: string | undefined;
  return {
    read: async (writer, signal) => {
      // Another one may have been the writer in between, with a newer document and newer passwords.
      if (writer !== lastWriter) {
        reader.forget();
        secrets.forgetAll();
      }
      lastWriter = writer;
      last = await reader.read(signal);
      return last;
    },
    readDocument: async (signal) => {
      last = await reader.readDocument(signal).catch(() => last);
    },
    get last() {
      return last;
    },
    version: ({ version }) => `${version}\n${secrets.version()}`,
  };
}
