// What leaving roles passed on in one database, asked before they are released.
import type pg from 'pg';
import { BY_HASH, grantorsSql } from '../sql/acl-sources.ts';
import type { PassedOn } from '../plan/removal/passed-on.ts';
import { LIMITS } from '../model/limits.ts';
import { entriesSql, passedOnSql } from '../sql/passed-on-sql.ts';
import { PUBLIC } from '../model/contents.ts';
import { inOids } from './acl-sql.ts';
import { pinnedRows } from './query.ts';

export interface PassedOnRequest {
  readonly client: pg.ClientBase;
  readonly database: string;
  /** The OIDs of those that leave. */
  readonly roles: readonly number[];
  readonly major: number;
  /** OID → name, as our own database reads it. */
  readonly nameOf: ReadonlyMap<number, string>;
}

/** So many are asked about as they are. Of more it is found out first who granted anything: each of them costs a look at all entries beside its own. */
const FEW = 20;

export type PassedOnHere = ReadonlyMap<number, readonly PassedOn[] | { readonly unreadable: string }>;

/**
 * By the OID of who leaves, what it passed on there, or why that cannot be read: one that had privileges passed on without end keeps nobody else.
 * @throws whatever the server answers.
 */
export async function readPassedOn({ client, database, roles, major, nameOf }: PassedOnRequest): Promise<PassedOnHere> {
  type Select = (condition: (column: string) => string, major: number) => string;
  const ask = async (select: Select, of: readonly number[]): Promise<readonly unknown[]> =>
    pinnedRows(client, `${BY_HASH}; ${select((column) => inOids(column, of), major)}`);
  const result = new Map<number, readonly PassedOn[] | { readonly unreadable: string }>();
  for (const [role, entries] of (await ask(entriesSql, roles)) as readonly (readonly [number, number])[])
    if (entries > LIMITS.entriesOfLeaver)
      result.set(role, { unreadable: `${entries} entries of ACLs there stand beside its own, and the limit is ${LIMITS.entriesOfLeaver}` });
  const readable = await thoseWhoGranted(
    client,
    roles.filter((role) => !result.has(role)),
    major,
  );
  if (readable.length === 0) return result;
  const rows = (await ask(passedOnSql, readable)) as readonly (readonly [number, number, number, boolean, number, readonly string[]])[];
  const found = rows.map(([role, grantee, owner, isConnect, objects, statements]) => ({
    role,
    held: { database, grantee: grantee === 0 ? PUBLIC : nameOf.get(grantee), owner: nameOf.get(owner), isConnect, objects, statements },
  }));
  for (const [role, all] of Map.groupBy(found, (one) => one.role))
    result.set(
      role,
      all.map(({ held }) => held),
    );
  return result;
}

async function thoseWhoGranted(client: pg.ClientBase, roles: readonly number[], major: number): Promise<readonly number[]> {
  if (roles.length <= FEW) return roles;
  const grantors = new Set((await pinnedRows(client, grantorsSql(major))).map(([oid]) => Number(oid)));
  return roles.filter((role) => grantors.has(role));
}
