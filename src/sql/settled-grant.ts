// A GRANT whose object and grantees are known later: what the rules of the event trigger hold for the server's format().
import { KINDS, type ObjectKind } from '../model/kinds.ts';
import { keyword, list, sql, type Sql, storedIdentifier } from './sql-text.ts';

/** `%s` stands for the object's quoted name, and then for the grantees. */
export const grantFormat = (kind: ObjectKind, privileges: readonly string[], option: boolean): Sql =>
  sql`GRANT ${list(privileges.map(keyword))} ON ${keyword(KINDS[kind].keyword)} ${PLACE} TO ${PLACE}${option ? sql` WITH GRANT OPTION` : sql``}`;

const PLACE = sql`%s`;

export const quotedGrantee = (role: string): Sql => (role === 'public' ? sql`PUBLIC` : storedIdentifier(role));
