// Bytes → text: the size limit and the encoding.
import { LIMITS } from '../model/limits.ts';

/** Text, or why there is none and up to where it could be read. */
export type Decoded = { readonly text: string; readonly message?: undefined } | { readonly text: string; readonly message: string };

/** Decodes UTF-8; a byte order mark is dropped. On failure, `text` is what stands before the first wrong byte. */
export function decode(content: Uint8Array): Decoded {
  if (content.length > LIMITS.documentBytes)
    return { text: '', message: `the document has ${content.length} bytes; at most ${LIMITS.documentBytes} are read, which is all that a ConfigMap can hold` };
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(content) };
  } catch {
    const offset = firstWrongByte(content);
    const byte = (content[offset] ?? 0).toString(16).padStart(2, '0');
    return {
      text: new TextDecoder().decode(content.subarray(0, offset)),
      message: `the document is not UTF-8: the byte 0x${byte} at offset ${offset} starts no character; save it as UTF-8`,
    };
  }
}

/** A replacement character that the bytes do not spell out stands for the first wrong sequence. */
function firstWrongByte(content: Uint8Array): number {
  let offset = 0;
  for (const character of new TextDecoder('utf-8', { ignoreBOM: true }).decode(content)) {
    const written = content[offset] === 0xef && content[offset + 1] === 0xbf && content[offset + 2] === 0xbd;
    if (character === '\uFFFD' && !written) return offset;
    offset += Buffer.byteLength(character);
  }
  return offset;
}
