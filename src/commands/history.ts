// history: what pgsteward did and which documents were in force, and whether the audit log is as it was written.
import { durationMs } from '../model/duration.ts';
import { yamlOf } from '../document/write-yaml.ts';
import { oneLine } from '../document/show.ts';
import { readValidUntil } from '../document/valid-until.ts';
import { asWritten } from '../history/kept-document.ts';
import { ocsfEvent } from '../history/ocsf.ts';
import type { AuditRow, RowFilter } from '../history/rows.ts';
import { CSV_HEAD, revisionData, revisionLine, rowCsv, rowData, rowLine, sourceWords } from '../history/said-rows.ts';
import { type HistoryReader, readRevisions, readRows } from '../postgres/read-history.ts';
import { harmless } from './harmless.ts';
import { askHistory, documentsIn, readRevisionNumber } from './history-session.ts';
import { settingsFrom } from './settings.ts';
import { type Given, type Program, say, UsageError } from './verb.ts';
import { verifyHistory } from './verify-history.ts';

/** Says it. @returns the exit code. @throws UsageError */
export async function history(given: Given, self: Program): Promise<number> {
  const { options } = given;
  const format = String(options.get('output') ?? 'text');
  const filter = filterOf(given);
  const alone = ['verify', 'revisions'].filter((name) => options.has(name));
  if (alone.length > 1 || (alone.length > 0 && Object.values(filter).some((value) => value !== undefined)))
    throw new UsageError(`--${alone[0] ?? ''} is about all of it; leave the other options out`);
  if (options.has('head') && !options.has('verify')) throw new UsageError('--head is what --verify compares the chain with');
  if (alone.length > 0 && format !== 'text' && format !== 'json') throw new UsageError(`--${alone[0] ?? ''} is said as text or json`);
  if (format === 'yaml' && (filter.revision === undefined || Object.values(filter).filter((value) => value !== undefined).length > 1))
    throw new UsageError('-o yaml is the document of one revision; say which one with --revision, and nothing else');
  if (options.has('verify')) return verifyHistory(given, self);
  if (options.has('revisions')) return sayRevisions(given, self, format);
  if (format === 'yaml') return sayDocument(given, self, filter.revision ?? 0);
  return sayRows(given, self, format, filter);
}

/** @throws UsageError */
function filterOf({ options }: Given): RowFilter {
  const text = (name: string): string | undefined => {
    const value = options.get(name);
    if (value === '') throw new UsageError(`--${name} needs a value`);
    if (typeof value === 'string' && value.includes('\0')) throw new UsageError(`--${name} cannot hold a NUL`);
    return typeof value === 'string' ? value : undefined;
  };
  const [since, revision] = [text('since'), text('revision')];
  return {
    role: text('role'),
    object: text('object'),
    since: since === undefined ? undefined : momentOf(since),
    revision: revision === undefined ? undefined : readRevisionNumber(revision),
  };
}

/** @throws UsageError */
function momentOf(text: string): string {
  const age = durationMs(text);
  const moment = age === undefined ? readValidUntil(text) : new Date(Date.now() - age).toISOString();
  if (typeof moment !== 'string') throw new UsageError('--since is a moment, as 2027-01-31 or 2027-01-31T12:00:00Z, or how long ago that was, as 7d');
  return moment;
}

async function sayRows(given: Given, self: Program, format: string, filter: RowFilter): Promise<number> {
  const { server } = settingsFrom(given, self);
  const context = { server: `${server.host}:${server.port}`, actor: server.user };
  let [count, leftOut] = [0, 0];
  const ocsf = (row: AuditRow): readonly string[] => {
    const event = ocsfEvent(row, context);
    if (event === undefined) leftOut += 1;
    return event === undefined ? [] : [`${harmless(JSON.stringify(event))}\n`];
  };
  const forms: Readonly<Record<string, (row: AuditRow) => readonly string[]>> = {
    json: (row) => [`${count === 1 ? '' : ',\n'}${harmless(JSON.stringify(rowData(row)))}`],
    csv: (row) => [`${rowCsv(row)}\n`],
    ocsf,
  };
  const form = forms[format] ?? ((row: AuditRow) => [`${rowLine(row)}\n`]);
  await say(self.stdout, format === 'json' ? '[' : format === 'csv' ? `${CSV_HEAD}\n` : '');
  await askHistory(given, self, (reader) =>
    readRows(reader, filter, async (rows) => {
      const lines = rows.flatMap((row) => {
        count += 1;
        return form(row);
      });
      await say(self.stdout, lines.join(''));
    }),
  );
  await say(self.stdout, format === 'json' ? ']\n' : count === 0 && format === 'text' ? 'there is nothing of that in the audit log\n' : '');
  if (leftOut > 0) await say(self.stderr, `pgsteward: ${leftOut} row(s) are about nobody's access, and have no class there\n`);
  return 0;
}

async function sayRevisions(given: Given, self: Program, format: string): Promise<number> {
  const rows = await askHistory(given, self, readRevisions);
  const text = rows.length === 0 ? 'no desired state has been in force since there are revisions\n' : rows.map((row) => `${revisionLine(row)}\n`).join('');
  await say(self.stdout, format === 'json' ? `${harmless(JSON.stringify(rows.map(revisionData), undefined, 2))}\n` : text);
  return 0;
}

/** The documents of then, each with where it was from as a comment. */
async function sayDocument(given: Given, self: Program, revision: number): Promise<number> {
  const text = await askHistory(given, self, async (reader: HistoryReader) => {
    const { row, documents } = await documentsIn(reader, revision);
    return documents
      .map(({ source, document }) => `# revision ${row.id}, ${row.at}\n# ${oneLine(sourceWords(source))}\n${yamlOf(asWritten(document))}`)
      .join('---\n');
  });
  await say(self.stdout, text);
  return 0;
}
