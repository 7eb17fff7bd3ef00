// Whose roles are, as the ledger has it: what is asked before documents of several sources are put together.
import type pg from 'pg';
import { ledgerGuard } from './ledger-ours.ts';
import { ledgerTable } from './ledger-read.ts';
import { pinnedRows } from './query.ts';

export interface RecordedSources {
  /** Role → its source. */
  readonly sources: ReadonlyMap<string, string>;
  /** Source → the documents that declared its roles last. */
  readonly documents: ReadonlyMap<string, ReadonlySet<string>>;
}

interface Recorded {
  readonly name: string;
  readonly source: string;
  readonly document?: string | undefined;
}

export function recordedSources(rows: Iterable<Recorded>): RecordedSources {
  const [sources, documents] = [new Map<string, string>(), new Map<string, Set<string>>()];
  for (const { name, source, document } of rows) {
    sources.set(name, source);
    if (document === undefined) continue;
    const known = documents.get(source) ?? new Set();
    documents.set(source, known.add(document));
  }
  return { sources, documents };
}

/** undefined where there is no ledger. @throws whatever the server answers; also where the ledger is not ours alone. */
export async function readSources(client: pg.ClientBase): Promise<RecordedSources | undefined> {
  const [[exists] = []] = await pinnedRows(client, `SELECT ${ledgerTable('managed_role')} IS NOT NULL`);
  if (exists !== true) return undefined;
  // An older ledger has no such column.
  const select = `SELECT m.name, m.source, pg_catalog.to_jsonb(m) OPERATOR(pg_catalog.->>) 'document' FROM pgsteward.managed_role m ORDER BY 1`;
  const rows = await pinnedRows(client, `${ledgerGuard('managed_role')}; ${select}`);
  return recordedSources(
    rows.map(([name, source, document]) => ({ name: String(name), source: String(source), document: typeof document === 'string' ? document : undefined })),
  );
}
