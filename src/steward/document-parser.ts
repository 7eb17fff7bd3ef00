// Document parser: one that was edited is read from what was read of it before, any other one as a whole, and a large one beside the loop.
import { isDeepStrictEqual } from 'node:util';
import { aside, TooCostly } from '../async/aside.ts';
import { afterEdit, type BeforeEdit } from '../document/edited.ts';
import { unreadableDocument } from '../document/parse.ts';
import { decode } from '../document/text.ts';
import type { Document } from '../model/entries.ts';
import type { DocumentReading } from '../sources/ports.ts';

/** Where several are read beside the loop, that is in turns of whose they are. */
export type DocumentParser = (
  reading: Pick<DocumentReading, 'content' | 'file'> & Partial<Pick<DocumentReading, 'ref'>>,
  signal: AbortSignal,
) => Promise<Document>;

/**
 * One for the life of a process: what it made last is where it goes on.
 * @param proves for tests: what was edited is read as a whole as well, and has to be the same.
 */
export function createDocumentParser(defaultDatabase: string, proves = false): DocumentParser {
  let last: BeforeEdit | undefined;
  return async ({ content, file, ref }, signal) => {
    const decoded = decode(content);
    const text = decoded.message === undefined ? decoded.text : undefined;
    const edited = last === undefined || text === undefined || last.file !== file ? undefined : afterEdit(last, text);
    if (edited !== undefined && !proves) {
      last = { text: text ?? '', file, document: edited };
      return edited;
    }
    // What is read in its place may be large.
    last = undefined;
    const { document, isInParts } = await parseWhole(content, file, defaultDatabase, signal, ref);
    if (edited !== undefined && !isDeepStrictEqual(edited, document)) throw new Error('an edited document is not read as the whole of it is');
    if (text !== undefined && isInParts && document.problems.length === 0) last = { text, file, document: edited ?? document };
    return edited ?? document;
  };
}

/** Others are served meanwhile, whatever stands in it. */
const parseWhole = (content: Uint8Array, file: string, defaultDatabase: string, signal: AbortSignal, whose: string | undefined) =>
  aside('document', content.length, [content, file, defaultDatabase], signal, whose).catch((error: unknown) => {
    if (!(error instanceof TooCostly)) throw error;
    return { document: unreadableDocument(file, `the document ${error.message}`), isInParts: false };
  });
