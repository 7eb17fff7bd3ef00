// What a trim of the audit log says in its own row: which rows went, and the link of the chain that everything before is forgotten with.
import { type Range, readRanges } from './number-ranges.ts';

/** What is left of the links that went: the chain goes on from this one. */
export interface Anchor {
  readonly link: number;
  /** In hexadecimal digits. */
  readonly hash: string;
}

/** The detail of the row. @param ranges of the rows that lie behind the anchor (model/number-ranges.ts). */
export const cutDetail = (ranges: string, { link, hash }: Anchor): string => `anchor ${link} ${hash}; cut ${ranges}`;

/** What such a detail says; undefined for what is none. */
export function readCut(detail: string): { readonly cut: readonly Range[]; readonly anchor: Anchor } | undefined {
  const [, link, hash, ranges] = /^anchor (\d{1,15}) ([0-9a-f]{64}); cut ([\d,-]*)$/.exec(detail) ?? [];
  return link === undefined || hash === undefined || ranges === undefined ? undefined : { cut: readRanges(ranges), anchor: { link: Number(link), hash } };
}
