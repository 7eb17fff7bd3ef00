// The chain where rows of the audit log go: what of it goes with them, what is carried on, and what the row of the trim says so that the rest stays provable.
import type pg from 'pg';
import { cutDetail, readCut } from '../model/audit-cut.ts';
import { joinedRanges, type Range, rangesText } from '../model/number-ranges.ts';
import { ITEM_BYTES } from './audit-chain.ts';
import { ledgerGuard } from './ledger-ours.ts';
import { pinnedRows } from './query.ts';

export interface ChainCut {
  /** For the row of the trim. */
  readonly detail: string;
  /** Items of revisions that stood in links that go, in hexadecimal digits. */
  readonly carried: string;
  /** What is done to the links before the row of the trim is written. */
  readonly before: readonly string[];
  /** And once the rows are gone. */
  readonly statements: readonly string[];
}

/** Revisions stand last in the items of a link. */
const HAS_REVISIONS = `CASE WHEN length(c.items) >= ${ITEM_BYTES} THEN get_byte(substring(c.items FROM length(c.items) - ${ITEM_BYTES - 1} FOR 1), 0) >= 128 END`;
/** Where the beginning of the chain is gone: nothing goes with the rows. */
const NO_LINK = ['0', '0'.repeat(64), '0'] as const;

/**
 * What becomes of the chain once these rows are gone. Only the writer appends meanwhile, and at the end.
 * @param ids in ascending order.
 */
export async function chainCut(client: pg.ClientBase, ids: readonly string[]): Promise<ChainCut> {
  const guards = (['audit_log', 'audit_chain', 'revision'] as const).map(ledgerGuard);
  const ask = (select: string): ReturnType<typeof pinnedRows> => pinnedRows(client, [...guards, select].join(';\n'));
  const going = new Set(ids);
  const oldest = await ask(`SELECT a.id::text FROM pgsteward.audit_log a ORDER BY a.id LIMIT ${ids.length + 1}`);
  const alive = Number(oldest.find(([id]) => !going.has(String(id)))?.[0] ?? 0);
  const found = await ask(
    `SELECT c.link::text, encode(c.hash, 'hex'), c.last::text FROM pgsteward.audit_chain c WHERE c.last < ${alive} ORDER BY c.link DESC LIMIT 1`,
  );
  const [link, hash, last] = (found[0] ?? NO_LINK).map(String) as [string, string, string];
  const cutBefore = await ask(
    `SELECT a.detail FROM pgsteward.audit_log a WHERE a.change = 'trim_audit_log' AND a.detail IS NOT NULL AND a.id = ANY ('{${ids.join(',')}}'::bigint[])`,
  );
  const withRevisions = await ask(`SELECT encode(c.items, 'hex') FROM pgsteward.audit_chain c WHERE c.link <= ${link} AND ${HAS_REVISIONS} ORDER BY c.link`);
  // As the newest says: those that are gone without a word are carried on, so that they stay found.
  const [[kept] = []] = await ask('SELECT r.oldest::text FROM pgsteward.revision r ORDER BY r.id DESC LIMIT 1');
  const cut = [...ids.map((id): Range => [Number(id), Number(id)]), ...cutBefore.flatMap(([detail]) => readCut(String(detail))?.cut ?? [])];
  return {
    detail: cutDetail(rangesText(joinedRanges(cut, Number(last))), { link: Number(link), hash }),
    carried: withRevisions.flatMap(([items]) => revisionItems(String(items), Number(kept ?? 0))).join(''),
    before: [],
    statements: [`DELETE FROM pgsteward.audit_chain WHERE link < ${link}`, `UPDATE pgsteward.audit_chain SET items = '' WHERE link = ${link} AND items <> ''`],
  };
}

/** Those of revisions that are kept. */
function revisionItems(items: string, oldest: number): readonly string[] {
  const each = items.match(new RegExp(`.{${ITEM_BYTES * 2}}`, 'g')) ?? [];
  return each.filter((item) => {
    const id = -Number(BigInt.asIntN(64, BigInt(`0x${item.slice(0, 16)}`)));
    return id > 0 && id >= oldest;
  });
}
