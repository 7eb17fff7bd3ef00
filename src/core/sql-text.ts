// Quoting: the only way by which a name or a value gets into SQL text.

/**
 * A name as a quoted identifier. Always quoted, so that case, spaces and reserved words survive.
 * @throws RangeError for NUL (the protocol cannot carry it) and for names over 63 bytes (the server would cut them silently and hit another role).
 */
export function identifier(name: string): string {
  if (name.includes('\0') || name === '') throw new RangeError('a name must not be empty or contain NUL');
  if (Buffer.byteLength(name) > 63) throw new RangeError(`the name «${name}» has ${Buffer.byteLength(name)} bytes; the server keeps 63`);
  return `"${name.replaceAll('"', '""')}"`;
}

/**
 * A value as a string literal that reads the same whatever standard_conforming_strings says.
 * @throws RangeError for NUL.
 */
export function literal(value: string): string {
  if (value.includes('\0')) throw new RangeError('a value must not contain NUL');
  const doubled = value.replaceAll("'", "''");
  return doubled.includes('\\') ? ` E'${doubled.replaceAll('\\', '\\\\')}'` : `'${doubled}'`;
}

/** A comma-separated list of quoted names. */
export const identifiers = (names: readonly string[]): string => names.map(identifier).join(', ');
