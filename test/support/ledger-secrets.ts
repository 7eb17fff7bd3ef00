// No secret in the ledger: rows of the audit log, revisions, and the documents that they keep.
import { inflateRawSync } from 'node:zlib';
import type { Postgres } from './postgres.ts';
import { expectNoSecrets } from './secrets.ts';

const ROWS = `SELECT a::text AS row, NULL AS content FROM pgsteward.audit_log a UNION ALL SELECT r::text, NULL FROM pgsteward.revision r
  UNION ALL SELECT NULL, encode(d.content, 'base64') FROM pgsteward.document d`;

/** Looks through it, where there is one of this version. */
export async function expectNoSecretsInLedger(server: Pick<Postgres, 'query'>, database = 'postgres'): Promise<void> {
  const rows = await server.query<{ row: string | null; content: string | null }>(ROWS, database).catch(() => []);
  const texts = rows.map(({ row, content }) => row ?? documentOf(content ?? ''));
  expectNoSecrets(texts.join('\n'), 'the ledger');
}

/** A test may have put anything there. */
function documentOf(content: string): string {
  try {
    return inflateRawSync(Buffer.from(content, 'base64')).toString();
  } catch {
    return '';
  }
}
