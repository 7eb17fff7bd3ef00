// Bytes → Document: the front end for documents that are text.
import { compose } from './compose.ts';
import type { DocumentDraft } from './draft.ts';
import { linesOf, startOf } from './lines.ts';
import { load } from './load.ts';
import { ProblemReport } from './problem-report.ts';
import { readDocument, unusable } from './read-document.ts';
import { decode } from './text.ts';
import type { Document, Position } from '../model/entries.ts';

/**
 * Reads a users document. Pure, and never throws: what is wrong with the document is in `problems`, and what can be used of it in `users`.
 * @param content the bytes of the document; over 1 MiB they are not looked at.
 * @param file the name under which problems are reported.
 * @param defaultDatabase what blocks without a database are about; undefined where nobody knows yet.
 */
export const parseDocument = (content: Uint8Array, file: string, defaultDatabase?: string): Document => parseInParts(content, file, defaultDatabase).document;

/** The same, and whether each item of `users` was read by itself, so that its own text says all of it (edited.ts). */
export function parseInParts(content: Uint8Array, file: string, defaultDatabase?: string): { readonly document: Document; readonly isInParts: boolean } {
  const draft = readText(content, file);
  return { document: compose([draft], defaultDatabase), isInParts: draft.isInParts === true };
}

/**
 * Reads one document of several that are put together (compose.ts).
 * @param placed where a place in the document is for its author, if the document stands within something else.
 */
export function readText(content: Uint8Array, file: string, placed?: (position: Position) => Position): DocumentDraft {
  const decoded = decode(content);
  const lines = linesOf(decoded.text, file);
  const positionOf = placed === undefined ? lines : (offset: number): Position => placed(lines(offset));
  if (decoded.message !== undefined) return faulty(positionOf, [{ offset: decoded.text.length, message: decoded.message }]);
  const { root, faults, isInParts } = load(decoded.text);
  return root === undefined ? faulty(positionOf, faults) : { ...readDocument(root, positionOf), isInParts };
}

/** What a document is of which nothing could be read. */
export const unreadableDocument = (file: string, message: string): Document => compose([unreadableDraft(startOf(file), message)]);

/** The same as one of several. */
export const unreadableDraft = (position: Position, message: string): DocumentDraft => faulty(() => position, [{ offset: 0, message }]);

function faulty(positionOf: (offset: number) => Position, faults: readonly { readonly offset: number; readonly message: string }[]): DocumentDraft {
  const report = new ProblemReport(positionOf);
  for (const { offset, message } of faults) report.add({ offset, path: [], message });
  return unusable(report);
}
