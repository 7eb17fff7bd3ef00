// JSON for a terminal as well: what it would take for a command is spelled out, which reads the same.

/** JSON without characters that a terminal acts on: outside of strings it has none but the ends of lines. */
export const harmless = (json: string): string =>
  json.replace(/[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
    Array.from({ length: character.length }, (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`).join(''),
  );
