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
}

interface Recorded extends Active {
  readonly name: string;
  readonly status: string;
  readonly document?: string | undefined;
}

export function recordedSources(rows: Iterable<Recorded>): RecordedSources {
  const [sources, documents, active] = [new Map<string, string>(), new Map<string, Set<string>>(), new Map<string, Active>()];
  for (const { name, source, document, entity, status, login, connectionLimit } of rows) {
    sources.set(name, source);
    if (status === 'active') active.set(name, { source, entity, login, connectionLimit });
    if (document === undefined) continue;
    const known = documents.get(source) ?? new Set();
    documents.set(source, known.add(document));
  }
  return { sources, documents, active };
}

/** undefined where there is no ledger. @throws whatever the server answers; also where the ledger is not ours alone. */
export async function readSources(client: pg.ClientBase): Promise<RecordedSources | undefined> {
  const [[exists] = []] = await pinnedRows(client, `SELECT ${ledgerTable('managed_role')} IS NOT NULL`);
  if (exists !== true) return undefined;
  // An older ledger has not all of these columns.
  const said = (column: string): string => `pg_catalog.to_jsonb(m) OPERATOR(pg_catalog.->>) '${column}'`;
  const select = `SELECT m.name, m.source, ${said('document')}, ${said('entity')}, ${said('status')}, r.rolcanlogin, r.rolconnlimit
    FROM pgsteward.managed_role m LEFT JOIN pg_catalog.pg_roles r ON r.rolname::pg_catalog.text OPERATOR(pg_catalog.=) m.name::pg_catalog.text ORDER BY 1`;
  const rows = await pinnedRows(client, `${ledgerGuard('managed_role')}; ${select}`);
  return recordedSources(
    rows.map(([name, source, document, entity, status, login, connectionLimit]) => ({
      name: String(name),
      source: String(source),
      document: typeof document === 'string' ? document : undefined,
      entity: entity === 'user' ? 'user' : 'role',
      status: String(status),
      login: typeof login === 'boolean' ? login : undefined,
      connectionLimit: typeof connectionLimit === 'number' ? connectionLimit : undefined,
    })),
  );
}
