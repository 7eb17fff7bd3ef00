// A short text that is the same for the same content, as part of a key that is kept in memory.
import { createHash } from 'node:crypto';

/** Of values, and not of a text that could be that of others. */
export const digestOf = (content: unknown): string => createHash('sha256').update(JSON.stringify(content)).digest('base64url');
