// Whose roles are, as the ledger has it: what is asked before documents of several sources are put together.
import type pg from 'pg';
import type { Active } from '../model/sources.ts';
import { ledgerGuard } from './ledger-ours.ts';
import { ledgerTable } from './ledger-read.ts';
import { pinnedRows } from './query.ts';

export interface RecordedSources {
  /** Role → its source. */
  readonly sources: ReadonlyMap<string, string>;
  /** Source → the documents that declared its roles last. */
  readonly documents: ReadonlyMap<string, ReadonlySet<string>>;
  /** The roles that are in use: not those that are leaving, or that are kept without a login. */
  readonly active: ReadonlyMap<string, Active>;
  /** Source → of its documents that are gone, for how many milliseconds. */
  readonly gone: ReadonlyMap<string, ReadonlyMap<string, number>>;
}

interface Recorded extends Active {
  readonly name: string;
  readonly status: string;
  readonly document?: string | undefined;
  readonly goneFor?: number | undefined;
}

export function recordedSources(rows: Iterable<Recorded>): RecordedSources {
  const [sources, documents, active] = [new Map<string, string>(), new Map<string, Set<string>>(), new Map<string, Active>()];
  const gone = new Map<string, Map<string, number>>();
  for (const { name, source, document, entity, status, login, connectionLimit, goneFor } of rows) {
    sources.set(name, source);
    if (status === 'active') active.set(name, { source, entity, login, connectionLimit });
    if (goneFor !== undefined) noteLongest(gone, source, document ?? '', goneFor);
    if (document === undefined) continue;
    const known = documents.get(source) ?? new Set();
    documents.set(source, known.add(document));
  }
  return { sources, documents, active, gone };
}

function noteLongest(gone: Map<string, Map<string, number>>, source: string, document: string, goneFor: number): void {
  const known = gone.get(source) ?? new Map<string, number>();
  gone.set(source, known.set(document, Math.max(known.get(document) ?? 0, goneFor)));
}

/** undefined where there is no ledger. @throws whatever the server answers; also where the ledger is not ours alone. */
export async function readSources(client: pg.ClientBase): Promise<RecordedSources | undefined> {
  const [[exists] = []] = await pinnedRows(client, `SELECT ${ledgerTable('managed_role')} IS NOT NULL`);
  if (exists !== true) return undefined;
  // An older ledger has not all of these columns.
  const said = (column: string): string => `pg_catalog.to_jsonb(m) OPERATOR(pg_catalog.->>) '${column}'`;
  const goneSince = `(${said('gone_since')})::pg_catalog.timestamptz`;
  const goneFor = `(pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) ${goneSince}) OPERATOR(pg_catalog.*) 1000)::text`;
  const select = `SELECT m.name, m.source, ${said('document')}, ${said('entity')}, ${said('status')}, r.rolcanlogin, r.rolconnlimit, ${goneFor}
    FROM pgsteward.managed_role m LEFT JOIN pg_catalog.pg_roles r ON r.rolname::pg_catalog.text OPERATOR(pg_catalog.=) m.name::pg_catalog.text ORDER BY 1`;
  const rows = await pinnedRows(client, `${ledgerGuard('managed_role')}; ${select}`);
  return recordedSources(
    rows.map(([name, source, document, entity, status, login, connectionLimit, goneFor]) => ({
      name: String(name),
      source: String(source),
      document: typeof document === 'string' ? document : undefined,
      entity: entity === 'user' ? 'user' : 'role',
      status: String(status),
      login: typeof login === 'boolean' ? login : undefined,
      connectionLimit: typeof connectionLimit === 'number' ? connectionLimit : undefined,
      goneFor: typeof goneFor === 'string' ? Number(goneFor) : undefined,
    })),
  );
}
