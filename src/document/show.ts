// Text from a document as messages may quote it: short, on one line, and unable to play tricks with a terminal.
import type { Path } from './tree.ts';

const LONGEST = 80;

/** The text in backticks; control, format and half characters escaped, long text cut. */
export const show = (text: string): string => `\`${printable(text)}\``;

/** A path as `users[3].roles[0].name`; keys that are no words stand as `["my key"]`. */
export function showPath(path: Path): string {
  return path
    .map((step, index) => {
      if (typeof step === 'number') return `[${step}]`;
      if (!/^[A-Za-z_][\w$-]{0,79}$/.test(step)) return `["${printable(step)}"]`;
      return index === 0 ? step : `.${step}`;
    })
    .join('');
}

function printable(text: string): string {
  return oneLine(text.length > LONGEST ? `${text.slice(0, LONGEST).replace(/[\uD800-\uDBFF]$/, '')}…` : text);
}

/** The text on one line, without anything that a terminal would take for a command. */
export const oneLine = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
