// The chain over the audit log, gone through link by link: what of the log is not as it was written.
import { createHash } from 'node:crypto';
import { type Anchor, readCut } from '../model/audit-cut.ts';
import { joinedRanges, outside, type Range, rangesText } from '../model/number-ranges.ts';

/** A link as the ledger has it; hashes in hexadecimal digits. */
export interface ChainLink {
  readonly link: number;
  /** Number and hash of each row that it covers, 40 bytes each; revisions have negative numbers. */
  readonly items: Uint8Array;
  readonly hash: string;
}

/** A row of the audit log, or a revision, as it is now. */
export interface ChainRow {
  readonly id: number;
  /** SHA-256 of all that it says, in hexadecimal digits. */
  readonly hash: string;
  /** Of rows of a trim. */
  readonly detail?: string | undefined;
}

/** Something that is not as it was written. */
export interface Finding {
  readonly what: 'changed' | 'removed' | 'inserted' | 'chain' | 'head' | 'document';
  readonly message: string;
}

/** The link that was the newest when somebody noted it down. */
export type Head = Anchor;

export interface Verdict {
  readonly findings: readonly Finding[];
  readonly rows: number;
  readonly revisions: number;
  readonly links: number;
  /** undefined where there is no link at all. */
  readonly head: Head | undefined;
  /** Whether the noted head is part of the chain; undefined where none was noted, or it is of before what is kept. */
  readonly holdsHead: boolean | undefined;
  /** Links that are newer than the noted head. */
  readonly newer: number;
}

export interface ChainWalk {
  /** The next links, with the rows of the audit log up to the last that they cover. */
  take(links: readonly ChainLink[], rows: readonly ChainRow[]): void;
  /** The rows behind all links, and all revisions that are kept: the newest says which is the oldest of them. */
  end(rows: readonly ChainRow[], revisions: readonly ChainRow[], oldestRevision: number | undefined): Verdict;
}

const ITEM = 40;
/** Findings of one kind that are told one by one. */
const MOST = 100;
const BEGINNING = createHash('sha256').digest('hex');

/** @param noted the head that was noted down elsewhere. */
export function walkChain(noted: Head | undefined): ChainWalk {
  const found = new Map<Finding['what'], Finding[]>();
  const left = new Map<Finding['what'], number>();
  const tell = (what: Finding['what'], message: string): void => {
    const list = found.get(what) ?? [];
    found.set(what, list);
    if (list.length < MOST) list.push({ what, message });
    else left.set(what, (left.get(what) ?? 0) + 1);
  };
  let first: Head | undefined;
  let last: Head | undefined;
  let anchor: Anchor | undefined;
  let holdsHead: boolean | undefined;
  let [rowsSeen, links, upTo] = [0, 0, 0];
  const [missing, cut]: [number[], Range[]] = [[], []];
  const revisions = new Map<number, string>();

  const follow = ({ link, items, hash }: ChainLink): void => {
    links += 1;
    if (last === undefined) first = { link, hash };
    else {
      if (link !== last.link + 1) tell('chain', `the links ${last.link + 1} to ${link - 1} of the chain are missing`);
      const made = createHash('sha256').update(Buffer.from(last.hash, 'hex')).update(items).digest('hex');
      if (made !== hash) tell('chain', `the link ${link} of the chain does not follow from the one before it`);
    }
    if (noted?.link === link) holdsHead = noted.hash === hash;
    last = { link, hash };
  };
  const check = (expected: ReadonlyMap<number, string>, rows: readonly ChainRow[]): void => {
    const there = new Set<number>();
    for (const { id, hash, detail } of rows) {
      rowsSeen += 1;
      if (there.has(id)) tell('inserted', `row ${id} is in the audit log more than once`);
      there.add(id);
      const was = expected.get(id);
      if (was === undefined) tell('inserted', `row ${id} is in the audit log, and no link covers it: it was put there, or had gone with what is past its time`);
      else if (was !== hash) tell('changed', `row ${id} of the audit log is not as it was written`);
      const said = was === hash && detail !== undefined ? readCut(detail) : undefined;
      if (said === undefined) continue;
      for (const range of said.cut) cut.push(range);
      anchor = said.anchor;
    }
    for (const id of expected.keys()) if (!there.has(id)) missing.push(id);
  };

  return {
    take: (some, rows) => {
      const expected = new Map<number, string>();
      for (const link of some) {
        // Nothing is known of what the first link covers that is there: it is what the others go on from.
        const isFirst = last === undefined;
        follow(link);
        for (const [id, hash] of isFirst && link.link > 0 ? [] : itemsIn(link.items)) {
          if (id < 0) noteRevision(revisions, -id, hash, tell);
          else if (id <= upTo) tell('chain', `the link ${link.link} of the chain covers row ${id} once more`);
          else {
            expected.set(id, hash);
            upTo = id;
          }
        }
      }
      check(expected, rows);
    },
    end: (rows, kept, oldest) => {
      check(new Map(), rows);
      if (last === undefined) tell('chain', 'there is no chain: nothing of the audit log can be proved');
      else checkBeginning(first as Head, anchor, tell);
      const unsaid = joinedRanges(outside(missing, joinedRanges(cut)).map((id): Range => [id, id]));
      if (unsaid.length > 0) tell('removed', `row(s) ${shortened(rangesText(unsaid))} of the audit log are gone, and no trim says so`);
      checkRevisions(revisions, kept, oldest, tell);
      if (noted !== undefined && last !== undefined) checkHead(noted, holdsHead, last, tell);
      const findings = [...found].flatMap(([what, list]) => [
        ...list,
        ...(left.has(what) ? [{ what, message: `and ${left.get(what)} more of this kind` }] : []),
      ]);
      const newer = noted === undefined || last === undefined ? 0 : Math.max(0, last.link - noted.link);
      return { findings, rows: rowsSeen, revisions: kept.length, links, head: last, holdsHead, newer };
    },
  };
}

type Tell = (what: Finding['what'], message: string) => void;

/** A chain begins at its beginning, or where the last trim says. */
function checkBeginning({ link, hash }: Head, anchor: Anchor | undefined, tell: Tell): void {
  if (link === 0 ? hash === BEGINNING : anchor?.link === link && anchor.hash === hash) return;
  if (anchor === undefined || link === 0) tell('chain', `the chain begins with the link ${link}, and nothing says that what was before it went with its time`);
  else tell('chain', `the chain begins with the link ${link}, and the last trim says ${anchor.link}`);
}

function noteRevision(revisions: Map<number, string>, id: number, hash: string, tell: Tell): void {
  const before = revisions.get(id);
  if (before !== undefined && before !== hash) tell('chain', `revision ${id} stands in the chain in two ways`);
  revisions.set(id, hash);
}

function checkRevisions(chained: ReadonlyMap<number, string>, kept: readonly ChainRow[], oldest: number | undefined, tell: Tell): void {
  const there = new Set<number>();
  for (const { id, hash } of kept) {
    if (there.has(id)) tell('inserted', `revision ${id} is there more than once`);
    there.add(id);
    const was = chained.get(id);
    if (was === undefined) tell('inserted', `revision ${id} is there, and no link covers it`);
    else if (was !== hash) tell('changed', `revision ${id} is not as it was written`);
  }
  let newest = 0;
  for (const id of chained.keys()) newest = Math.max(newest, id);
  for (const id of chained.keys()) if (!there.has(id) && (oldest === undefined || id >= oldest)) tell('removed', `revision ${id} of ${newest} is gone`);
}

function checkHead(noted: Head, holdsHead: boolean | undefined, last: Head, tell: Tell): void {
  if (holdsHead === false) tell('head', `the link ${noted.link} is not the one that was noted down: the chain was made anew`);
  if (holdsHead === undefined && noted.link > last.link)
    tell('head', `the chain ends with the link ${last.link}, and ${noted.link} was noted down: its end is gone`);
}

function* itemsIn(items: Uint8Array): Iterable<readonly [id: number, hash: string]> {
  const bytes = Buffer.from(items.buffer, items.byteOffset, items.byteLength);
  for (let at = 0; at + ITEM <= bytes.length; at += ITEM) yield [Number(bytes.readBigInt64BE(at)), bytes.toString('hex', at + 8, at + ITEM)];
}

const shortened = (text: string): string => (text.length > 200 ? `${text.slice(0, 200)}…` : text);
