// Revisions in the ledger: the newest, and a new one with its documents and its link of the chain in one transaction.
import type pg from 'pg';
import { deflateRawSync } from 'node:zlib';
import type { Revision, RevisionSource } from '../model/revision.ts';
import { literal } from '../sql/sql-text.ts';
import { revisionLinkSql } from './audit-chain.ts';
import { NUMBERING } from './audit-write.ts';
import { ledgerGuard } from './ledger-ours.ts';
import { pinnedRows, query } from './query.ts';
import { beginSql, type Timeouts } from './transaction.ts';

/** The newest; undefined where there is none yet. @throws whatever the server answers. */
export async function newestRevision(client: pg.ClientBase): Promise<Revision | undefined> {
  const [row] = await pinnedRows(
    client,
    `${ledgerGuard('revision')}; SELECT r.id::text, r.digest, r.sources FROM pgsteward.revision r ORDER BY r.id DESC LIMIT 1`,
  );
  return row === undefined ? undefined : { id: Number(row[0]), digest: String(row[1]), sources: row[2] as readonly RevisionSource[] };
}

export interface NewRevision extends Omit<Revision, 'id'> {
  /** What its documents say, by their digests. */
  readonly texts: ReadonlyMap<string, string>;
}

/**
 * Writes it down, and takes away the oldest where there are too many. Which revision is the oldest stands in each new one, so that none before it is missed.
 * @param keep as many as are kept.
 * @returns its number.
 * @throws whatever the server answers.
 */
export async function writeRevision(
  client: pg.ClientBase,
  { digest, sources, texts }: NewRevision,
  keep: number,
  context: Timeouts & { readonly fence: string },
): Promise<number> {
  const documents = [...texts].map(([key, text]) => `(${literal(key)}, decode('${deflateRawSync(text).toString('base64')}', 'base64'))`);
  const next = '(SELECT coalesce(max(r.id), 0) + 1 FROM pgsteward.revision r)';
  const statements = [
    beginSql(context),
    context.fence,
    NUMBERING,
    ...(documents.length === 0 ? [] : [`INSERT INTO pgsteward.document (digest, content) VALUES ${documents.join(', ')} ON CONFLICT DO NOTHING`]),
    `WITH made AS (INSERT INTO pgsteward.revision (id, digest, oldest, sources)
       SELECT n.id, ${literal(digest)}, greatest(n.id - ${keep - 1}, coalesce((SELECT min(r.id) FROM pgsteward.revision r), 1)), ${literal(JSON.stringify(sources))}::jsonb
       FROM (SELECT ${next} AS id) n RETURNING *)
     ${revisionLinkSql()}`,
    'DELETE FROM pgsteward.revision r WHERE r.id < (SELECT n.oldest FROM pgsteward.revision n ORDER BY n.id DESC LIMIT 1)',
    `DELETE FROM pgsteward.document d WHERE NOT EXISTS (SELECT FROM pgsteward.revision r CROSS JOIN LATERAL jsonb_array_elements(r.sources) s WHERE s ->> 'digest' = d.digest)`,
    'SELECT max(r.id)::text FROM pgsteward.revision r',
    'COMMIT',
  ];
  try {
    return Number((await query(client, statements.join(';\n'))).at(-2)?.[0]?.[0]);
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}
