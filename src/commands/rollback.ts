// rollback: the document of an earlier revision, the plan for it from now, and what cannot come back. Nothing is written: the document goes where documents are kept.
import { Readable } from 'node:stream';
import { oneLine } from '../document/show.ts';
import { yamlOf } from '../document/write-yaml.ts';
import { asWritten, type KeptDocument } from '../history/kept-document.ts';
import { lostSince } from '../history/lost.ts';
import type { AuditRow } from '../history/rows.ts';
import { sourceWords } from '../history/said-rows.ts';
import { readRows } from '../postgres/read-history.ts';
import { askHistory, documentsIn, readRevisionNumber } from './history-session.ts';
import { programOf } from './one-server.ts';
import { plan } from './plan.ts';
import { type Given, type Program, say, UsageError } from './verb.ts';

/** Kinds of rows that tell of what is gone for good. */
const GONE: ReadonlySet<string> = new Set(['drop_role', 'release_owned']);

/** Says it. @returns the exit code of the plan. @throws UsageError */
export async function rollback(given: Given, self: Program): Promise<number> {
  const [text, ...more] = given.operands;
  if (text === undefined || more.length > 0) throw new UsageError('rollback needs one revision, as in: pgsteward rollback 3');
  const revision = readRevisionNumber(text);
  const { earlier, since } = await askHistory(given, self, async (reader) => {
    const found = await documentsIn(reader, revision);
    const rows: AuditRow[] = [];
    await readRows(reader, { since: found.row.at }, async (part) => {
      rows.push(...part.filter((row) => GONE.has(row.change) && row.outcome === 'applied' && (row.revision ?? 0) > revision));
    });
    return { earlier: found, since: rows };
  });
  const [first, ...others] = earlier.documents;
  if (first === undefined || others.length > 0 || first.source.of !== undefined)
    throw new UsageError(
      `revision ${revision} has documents of several sources, each of which its own people put back: pgsteward history --revision ${revision} -o yaml prints them`,
    );
  const yaml = yamlOf(asWritten(first.document));
  await say(
    self.stdout,
    `The document of revision ${revision}, of ${earlier.row.at}, from ${oneLine(sourceWords(first.source))}:\n\n${yaml}\nThe plan for it from now:\n\n`,
  );
  const code = await planFor(yaml, given, self);
  await say(
    self.stdout,
    `\nWhat cannot come back:\n${[...lostSince(since, namesIn(first.document)), ...ALWAYS].map((line) => `- ${oneLine(line)}\n`).join('')}`,
  );
  return code;
}

const ALWAYS: readonly string[] = [
  'passwords: each user has the one that its Secret holds now, and no earlier one is kept anywhere',
  'what was not declared: privileges, memberships and settings that somebody gave by hand and that were revoked',
];

const namesIn = (document: KeptDocument): ReadonlySet<string> => new Set([...(document.get('users')?.keys() ?? []), ...(document.get('roles')?.keys() ?? [])]);

function planFor(yaml: string, given: Given, self: Program): Promise<number> {
  const program = { ...programOf(self), stdin: Readable.from([Buffer.from(yaml)]), ...(self.chosen === undefined ? {} : { chosen: self.chosen }) };
  return plan({ options: new Map([...given.options, ['document', '-']]), operands: [] }, program);
}
