// Quoting: the only way by which a name or a value gets into SQL text. Text that was not made here is no Sql, and cannot be pasted into any.

declare const rendered: unique symbol;

/** SQL text: literal pieces of our own source, with names and values quoted in between. */
export type Sql = string & { readonly [rendered]: true };

/** A piece of SQL. What stands in between is SQL itself, or a number; a name or a value is quoted first, or the compiler refuses it. */
export const sql = (pieces: TemplateStringsArray, ...parts: readonly (Sql | number | bigint)[]): Sql =>
  // String.raw does the same in three times the time, and this is called for each part of each name.
  pieces.reduce((text, piece, index) => `${text}${parts[index - 1] ?? ''}${piece}`) as Sql;

/** Pieces with a comma in between. */
export const list = (pieces: readonly Sql[]): Sql => pieces.join(', ') as Sql;

/**
 * A keyword from a table of our own, or a privilege as the server names it.
 * @throws RangeError for anything but capital letters and single spaces.
 */
export function keyword(word: string): Sql {
  if (!/^[A-Z]+(?: [A-Z]+)*$/.test(word)) throw new RangeError(`«${word}» is no keyword`);
  return word as Sql;
}

/** Control characters are spelled out: to a terminal that SQL is pasted into they are keys, as one that leaves what was begun, and what comes after is a command. */
const hex = (char: string, digits: number): string => char.charCodeAt(0).toString(16).padStart(digits, '0');

/** Names of which nothing has to be spelled, as nearly all are: printable ASCII without the quote. */
const PLAIN = /^[ !#-~]{1,63}$/;

/**
 * A name as a quoted identifier. Always quoted, so that case, spaces and reserved words survive.
 * @throws RangeError for NUL (the protocol cannot carry it) and for names over 63 bytes (the server would cut them silently and hit another role).
 */
export function identifier(name: string): Sql {
  if (PLAIN.test(name)) return `"${name}"` as Sql;
  if (Buffer.byteLength(name) > 63) throw new RangeError(`the name «${name}» has ${Buffer.byteLength(name)} bytes; the server keeps 63`);
  return storedIdentifier(name);
}

/**
 * A name that a database has something by. Where it has another encoding, 63 bytes there may be more of ours, and are no more characters; it is cut there or not as it was
 * when the name was given, which it was not.
 * @throws RangeError for NUL and for names over 63 characters.
 */
export function storedIdentifier(name: string): Sql {
  if (name.includes('\0') || name === '') throw new RangeError('a name must not be empty or contain NUL');
  if (name.length > 63 && [...name].length > 63) throw new RangeError(`the name «${name}» has more than 63 characters; the server keeps 63 bytes`);
  return respelled(`"${name.replaceAll('"', '""')}"`) as Sql;
}

/** Quoted identifiers in a text that has no other quotes, as the server spells them, with control characters as we spell them. */
export const respelled = (text: string): string =>
  // Nearly no name has any, and every name of every statement comes by here.
  CONTROL.test(text)
    ? text.replace(/"(?:[^"]|"")*"/g, (quoted) =>
        CONTROL.test(quoted) ? `U&${quoted.replaceAll('\\', '\\\\').replace(CONTROLS, (char) => `\\${hex(char, 4)}`)}` : quoted,
      )
    : text;

/* eslint-disable no-control-regex -- these are looked for */
const CONTROL = /[\x01-\x1f\x7f]/;
const CONTROLS = /[\x01-\x1f\x7f]/g;
/* eslint-enable no-control-regex */

/**
 * A value as a string literal that reads the same whatever standard_conforming_strings says.
 * @throws RangeError for NUL.
 */
export function literal(value: string): Sql {
  if (value.includes('\0')) throw new RangeError('a value must not contain NUL');
  const doubled = value.replaceAll("'", "''");
  // eslint-disable-next-line no-control-regex -- these are looked for
  if (!/[\\\x01-\x09\x0b-\x1f\x7f]/.test(doubled)) return `'${doubled}'` as Sql;
  // eslint-disable-next-line no-control-regex -- these are looked for
  return ` E'${doubled.replaceAll('\\', '\\\\').replace(/[\x01-\x09\x0b-\x1f\x7f]/g, (char) => `\\x${hex(char, 2)}`)}'` as Sql;
}

/** What stands in a sentence is printed without these, so SQL there spells them: characters that nobody sees, or that a terminal takes for a command. */
export const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
/** A character by its number. @param long where it has more than four digits. */
export const codeOf = (char: string, short: string, long: string, width: number): string => {
  const code = (char.codePointAt(0) ?? 0).toString(16);
  return code.length > 4 ? `${long}${code.padStart(width, '0')}` : `${short}${code.padStart(4, '0')}`;
};

/** Quoted identifiers, in a text that has no other quotes, as they stand in a sentence for people. */
export const saidNames = (text: string): string =>
  text.replace(/"(?:[^"]|"")*"/g, (quoted) =>
    quoted.search(UNSEEN) < 0 ? quoted : `U&${quoted.replaceAll('\\', '\\\\').replace(UNSEEN, (char) => codeOf(char, '\\', '\\+', 6))}`,
  );

/** A name as a quoted identifier in a sentence for people. */
export const saidName = (name: string): string => saidNames(`"${name.replaceAll('"', '""')}"`);

/** A value as a string literal in a sentence for people. */
export const saidValue = (value: string): string => {
  const text = literal(value);
  if (value.search(UNSEEN) < 0) return text;
  const doubled = value.replaceAll("'", "''").replaceAll('\\', '\\\\');
  return `E'${doubled.replace(UNSEEN, (char) => codeOf(char, String.raw`\u`, String.raw`\U`, 8))}'`;
};

/** Each part of a parameter's name quoted, as a custom one has a dot in it; the server puts the parts together again. */
export const settingName = (name: string): Sql => name.split('.').map(identifier).join('.') as Sql;

/** A comma-separated list of quoted names. */
export const identifiers = (names: readonly string[]): Sql => list(names.map(identifier));

/**
 * SQL that says how GRANT names the routine `o` (pg_proc) of schema `n`: every part quoted by the server. By its keyword, as a function and a
 * procedure may share name and input types; a procedure with its modes, as only then its OUT arguments tell it from others of its name.
 */
export const ROUTINE_TARGET = `CASE WHEN o.prokind = 'p'
    THEN pg_catalog.format('PROCEDURE %I.%I(%s)', n.nspname, o.proname, pg_catalog.pg_get_function_identity_arguments(o.oid))
    ELSE pg_catalog.format('FUNCTION %s', o.oid::pg_catalog.regprocedure) END`;
