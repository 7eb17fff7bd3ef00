// The head of the audit log's chain as text: the number of its newest link, and that link's hash.
import type { Anchor } from './audit-cut.ts';

export const headText = ({ link, hash }: Anchor): string => `${link}:${hash}`;

/** undefined for what is none. */
export function readHeadText(text: string): Anchor | undefined {
  const [, link, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text.trim()) ?? [];
  return link === undefined || hash === undefined ? undefined : { link: Number(link), hash };
}
