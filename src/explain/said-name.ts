// Names within sentences about access: a name that could be read as more than a name stands in quotes.
import { PUBLIC } from '../model/contents.ts';

const PLAIN = /^[\p{L}\p{N}_$@.+-]+$/u;

/** Words of our own, and what everybody is called, in the place of a name. */
const OURS: ReadonlySet<string> = new Set(['PUBLIC', 'itself', 'it']);

/** As it is where it is plain; else in double quotes, as SQL writes it: no arrow, bracket or comma of a name is taken for one of ours. */
export const saidAs = (name: string): string => (PLAIN.test(name) && !OURS.has(name) ? name : quoted(name));

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** The same of a grantee, which may be everybody. */
export const saidGrantee = (role: string): string => (role === PUBLIC ? 'PUBLIC' : saidAs(role));

/** A name, or that of a routine with the types of its arguments. */
export const saidObject = (name: string): string => (ROUTINE.test(name) ? name : saidAs(name));

const ROUTINE = /^[\p{L}\p{N}_$@.+-]+\([^()"]*\)$/u;
