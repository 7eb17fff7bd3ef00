// Offset → file, line and column.
import { LineCounter } from 'yaml';
import type { Position } from '../model/entries.ts';

/**
 * A function that turns an offset into a position. Columns count UTF-16 code units, as editors do.
 * Only line feeds end a line: a carriage return before one belongs to it.
 */
export function linesOf(text: string, file: string): (offset: number) => Position {
  const counter = new LineCounter();
  counter.addNewLine(0);
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) counter.addNewLine(at + 1);
  let last: { readonly offset: number; readonly position: Position } | undefined;
  return (offset) => {
    // One line of a document stands for many rules, one after the other: they share their position, in memory and from thread to thread.
    if (last?.offset === offset) return last.position;
    const { line, col } = counter.linePos(Math.min(offset, text.length));
    last = { offset, position: { file, line, column: col } };
    return last.position;
  };
}

/** Where a document begins: the place of what is true of it as a whole. */
export const startOf = (file: string): Position => ({ file, line: 1, column: 1 });
