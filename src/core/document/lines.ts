// Offset → line and column.
import { LineCounter } from 'yaml';
import type { Position } from './types.ts';

/**
 * A function that turns an offset into a position. Columns count UTF-16 code units, as editors do.
 * Only line feeds end a line: a carriage return before one belongs to it.
 */
export function linesOf(text: string): (offset: number) => Position {
  const counter = new LineCounter();
  counter.addNewLine(0);
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) counter.addNewLine(at + 1);
  return (offset) => {
    const { line, col } = counter.linePos(Math.min(offset, text.length));
    return { line, column: col };
  };
}
