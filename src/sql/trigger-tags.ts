// Tags of commands, as the functions of the event triggers ask for them.

/** Of a command that makes something, or puts it in the place of what was there. */
export const isNewTag = (tag: string): boolean => !tag.startsWith('ALTER ');

/** A condition. */
export const tagIs = (tags: readonly string[]): string => `tg_tag IN (${tags.map((tag) => `'${tag}'`).join(', ')})`;
