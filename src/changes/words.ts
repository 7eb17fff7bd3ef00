// Words that sentences of several families share.
import { PUBLIC } from '../model/contents.ts';

/** How many of several a sentence names. */
export const SHOWN = 3;

export const inDatabase = (database: string): string => (database === '' ? '' : ` in database ${database}`);

export const ownedBy = (owner: string | undefined): string => (owner === undefined ? '' : ` owned by ${owner}`);

export const grantee = (role: string): string => (role === PUBLIC ? 'PUBLIC' : role);

export const cascadeWords = (cascade: boolean): string => (cascade ? ' and what was granted with it' : '');
