// Statements with the rights of another role.
import { identifier, type Sql, sql } from '../sql/sql-text.ts';

/** Changes that need another role's rights say as whom they run; undefined: as ourselves. */
export interface ActedAs {
  readonly as: string | undefined;
}

/**
 * A GRANT without the rights of the owner only warns, and a REVOKE by somebody other than the grantor does nothing.
 * RESET ROLE would go back to the role that `ALTER DATABASE … SET role` says, and not to our own.
 */
export const actedAs = (role: string | undefined, statements: readonly Sql[]): readonly Sql[] =>
  role === undefined ? statements : [sql`SET LOCAL ROLE ${identifier(role)}`, ...statements, sql`SET LOCAL ROLE NONE`];

/** As whom it runs, beside us. */
export const actors = ({ as }: ActedAs): readonly string[] => (as === undefined ? [] : [as]);

/** As somebody who needs no role for it. */
export const asNobodyElse = <T extends ActedAs>(change: T): T => ({ ...change, as: undefined });
