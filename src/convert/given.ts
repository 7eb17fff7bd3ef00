// What stands in the files of other tools: plain data of any form, looked at with care. What is of another form than expected is as if it were not there.

/** A mapping; an empty one where there is none. */
export const mapOf = (value: unknown): ReadonlyMap<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? new Map(Object.entries(value)) : new Map();

/** A list; what stands alone is one of one item. */
export const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : value === undefined || value === null ? [] : [value]);

/** A text, also of a number; undefined for an empty one and for everything else. */
export const textOf = (value: unknown): string | undefined =>
  typeof value === 'number' || (typeof value === 'string' && value !== '') ? String(value) : undefined;

/** The texts of a list. */
export const textsOf = (value: unknown): readonly string[] => listOf(value).flatMap((item) => textOf(item) ?? []);

/** What is yes: `true`, and the words that YAML 1.1 takes for it. */
export const isOn = (value: unknown): boolean => value === true || (typeof value === 'string' && /^(?:true|yes|on)$/i.test(value));

/** What is no: `false`, and the words that YAML 1.1 takes for it. */
export const isOff = (value: unknown): boolean => value === false || (typeof value === 'string' && /^(?:false|no|off)$/i.test(value));

/** What a path of keys leads to. */
export const at = (value: unknown, ...path: readonly string[]): unknown => path.reduce<unknown>((found, key) => mapOf(found).get(key), value);
