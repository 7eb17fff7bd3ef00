// What the verbs about history have in common: a session in the admin database, and the documents of a revision.
import { oneLine } from '../document/show.ts';
import { createHash } from 'node:crypto';
import { type KeptDocument, readKept } from '../history/kept-document.ts';
import type { RevisionRow } from '../history/rows.ts';
import type { RevisionSource } from '../model/revision.ts';
import { createConnections } from '../postgres/connection.ts';
import { whyNot } from '../postgres/outage-of.ts';
import { type HistoryReader, NoHistory, readDocumentText, readingHistory, readRevisions } from '../postgres/read-history.ts';
import { settingsFrom } from './settings.ts';
import { type Given, type Program, UsageError } from './verb.ts';

/** Reads the ledger of the server that the settings name, all of one moment. @throws UsageError with what is wrong, also with the server. */
export async function askHistory<T>(given: Given, self: Program, work: (reader: HistoryReader) => Promise<T>): Promise<T> {
  const { server } = settingsFrom(given, self);
  const connections = createConnections(server, () => undefined);
  try {
    const client = await connections.open(server.adminDatabase);
    try {
      return await readingHistory(client, server.timeouts, work);
    } finally {
      await client.end().catch(() => undefined);
    }
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(error instanceof NoHistory ? error.message : oneLine(whyNot(error).message));
  } finally {
    await connections.close();
  }
}

/** @throws UsageError */
export function readRevisionNumber(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new UsageError('a revision is a number, as pgsteward history --revisions lists them');
  return Number(text);
}

/** A document of a revision with where it was from. */
interface DocumentOfThen {
  readonly source: RevisionSource;
  readonly document: KeptDocument;
}

/** @throws UsageError where there is no such revision, or what it says is not what was written. */
export async function documentsIn(
  reader: HistoryReader,
  revision: number,
): Promise<{ readonly row: RevisionRow; readonly documents: readonly DocumentOfThen[] }> {
  const rows = await readRevisions(reader);
  const row = rows.find(({ id }) => id === revision);
  if (row === undefined) {
    const [first, last] = [rows[0]?.id, rows.at(-1)?.id];
    throw new UsageError(`there is no revision ${revision}; ${first === undefined ? 'there is none yet' : `${first} to ${last} are kept`}`);
  }
  const documents: DocumentOfThen[] = [];
  for (const source of row.sources) {
    const text = await readDocumentText(reader, source.digest);
    const document = text === undefined || !isText(text, source.digest) ? undefined : readKept(text);
    if (document === undefined)
      throw new UsageError(`the document ${oneLine(source.ref)} of revision ${revision} is not there as it was written; pgsteward history --verify says more`);
    documents.push({ source, document });
  }
  return { row, documents };
}

/** Whether that is the text that was written. */
export const isText = (text: string, digest: string): boolean => createHash('sha256').update(text).digest('hex') === digest;
