// Log lines for people: one line each, with colour only where a terminal shows it, and no longer than somebody reads.
import type { Writable } from 'node:stream';
import { styleText } from 'node:util';
import { oneLine } from '../document/show.ts';
import type { LogOutput } from './log-output.ts';

export type LogFormat = 'auto' | 'text' | 'json';

/** Characters of a line; JSON has all of it. */
export const LONGEST_LINE = 4000;

const COLOURS: ReadonlyMap<unknown, 'red' | 'yellow' | 'gray'> = new Map([
  ['FATAL', 'red'],
  ['ERROR', 'red'],
  ['WARN', 'yellow'],
  ['DEBUG', 'gray'],
  ['TRACE', 'gray'],
]);

/** Said otherwise, or for programs alone. */
const LEFT_OUT: ReadonlySet<string> = new Set(['timestamp', 'level', 'module', 'message']);

/** Where the log goes, in the format that is asked for: text on a terminal and JSON elsewhere, where nothing else is said. */
export function inFormat(output: LogOutput, format: LogFormat, stream: Writable): LogOutput {
  const isTerminal = 'isTTY' in stream && stream.isTTY === true;
  if (format === 'json' || (format === 'auto' && !isTerminal)) return output;
  return { ...output, write: (line) => output.write(`${textOf(JSON.parse(line) as Readonly<Record<string, unknown>>, stream)}\n`) };
}

function textOf(line: Readonly<Record<string, unknown>>, stream: Writable): string {
  const { timestamp, level, message, takes } = line;
  const fields = Object.entries(line).flatMap(([name, value]) => (LEFT_OUT.has(name) || value === 0 ? [] : [`${name}=${fieldText(value)}`]));
  const text = oneLine([String(timestamp), String(level).padEnd(5), String(message), ...fields].join(' '));
  const cut = text.length > LONGEST_LINE ? `${text.slice(0, LONGEST_LINE)}…` : text;
  // What takes something away is seen among what gives.
  const colour = COLOURS.get(level) ?? (takes === undefined ? undefined : 'magenta');
  return colour === undefined ? cut : styleText(colour, cut, { stream });
}

/** A word as it is, anything else as JSON. */
const fieldText = (value: unknown): string => (typeof value === 'string' && /^[\w.:-]+$/.test(value) ? value : JSON.stringify(value));
