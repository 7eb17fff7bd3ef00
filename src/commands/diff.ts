// diff: what differs between the documents of two revisions.
import { oneLine } from '../document/show.ts';
import { differenceLines, differences, type PlacedDocument } from '../history/diff.ts';
import { revisionData, revisionLine } from '../history/said-rows.ts';
import { harmless } from './harmless.ts';
import { askHistory, documentsIn, readRevisionNumber } from './history-session.ts';
import { type Given, type Program, say, UsageError } from './verb.ts';

/** Says it. @returns 0; 2 where they differ. @throws UsageError */
export async function diff(given: Given, self: Program): Promise<number> {
  const [one, other, ...more] = given.operands;
  if (one === undefined || other === undefined || more.length > 0) throw new UsageError('diff needs two revisions, as in: pgsteward diff 3 5');
  const [from, to] = [readRevisionNumber(one), readRevisionNumber(other)];
  const { before, after } = await askHistory(given, self, async (reader) => ({
    before: await documentsIn(reader, from),
    after: await documentsIn(reader, to),
  }));
  const placed = ({ documents }: typeof before): readonly PlacedDocument[] => documents.map(({ source, document }) => ({ ref: source.ref, document }));
  const changes = differences(placed(before), placed(after));
  const data = { from: revisionData(before.row), to: revisionData(after.row), changes };
  const lines = [
    `from ${revisionLine(before.row)}`,
    `to   ${revisionLine(after.row)}`,
    ...(changes.length === 0 ? ['no entry differs'] : differenceLines(changes)),
  ];
  const isJson = given.options.get('output') === 'json';
  await say(self.stdout, isJson ? `${harmless(JSON.stringify(data, undefined, 2))}\n` : `${lines.map(oneLine).join('\n')}\n`);
  return changes.length === 0 ? 0 : 2;
}
