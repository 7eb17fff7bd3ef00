// The fence before every write: a statement that fails once somebody else may be the writer, with an error that nobody else can raise.
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { literal } from '../sql/sql-text.ts';

/** Known to this process, and to those who can read what our own login sends. */
const SECRET = `pgsteward fence ${randomBytes(16).toString('hex')} `;

/** A statement that fails unless this FROM clause has a row. No constant, which would fail as it is planned. */
export const fenceOf = (from: string): string =>
  `SELECT CASE WHEN pg_catalog.count(*) OPERATOR(pg_catalog.>) 0 THEN 0 ELSE pg_catalog.concat(${literal(SECRET)}, pg_catalog.count(*))::pg_catalog.int4 END FROM ${from}`;

/** The error, whatever the language, each of which has quotes of its own: it says what was no number. Code that others have the server run within our transaction can see the statement, but an error of theirs says where it comes from. */
export const isFence = (error: unknown): boolean =>
  error instanceof pg.DatabaseError && error.code === '22P02' && error.where === undefined && error.message.includes(`${SECRET}0`);
