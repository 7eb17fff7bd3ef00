// The chain where most of what it covers is gone: what is left is covered once more, by links that go on from the newest, and those before go.
import type pg from 'pg';
import type { Change } from '../changes/change.ts';
import { cutDetail, readCut } from '../model/audit-cut.ts';
import { joinedRanges, type Range } from '../model/number-ranges.ts';
import { ITEM_BYTES } from './audit-chain.ts';
import type { ChainCut } from './chain-trim.ts';
import { ledgerGuard } from './ledger-ours.ts';
import { pinnedRows } from './query.ts';

/** So much more than what is there may be covered, as links and items: each revision appends a link, and repairs that go leave theirs. */
const TIMES = 4;
const SLACK = 20_000;
const ROWS_OF_LINK = 10_000;

type TrimAuditLog = Extract<Change, { kind: 'trim_audit_log' }>;

const asking =
  (client: pg.ClientBase) =>
  (select: string): ReturnType<typeof pinnedRows> =>
    pinnedRows(client, [...(['audit_log', 'audit_chain', 'revision'] as const).map(ledgerGuard), select].join(';\n'));

/**
 * Whether the chain covers much more than there is. One that is broken stays as it is: a new one would prove what it does not.
 * @throws whatever the server answers.
 */
export async function staleChain(client: pg.ClientBase, hasChain: boolean): Promise<TrimAuditLog | undefined> {
  if (!hasChain) return undefined;
  const ask = asking(client);
  const [[weight] = []] = await ask(`SELECT coalesce(sum(length(c.items) / ${ITEM_BYTES} + 1), 0)::text FROM pgsteward.audit_chain c`);
  if (Number(weight) <= SLACK) return undefined;
  const [[rows, first, last] = []] = await ask(
    'SELECT (count(*) + (SELECT count(*) FROM pgsteward.revision))::text, min(a.id)::text, max(a.id)::text FROM pgsteward.audit_log a',
  );
  if (Number(weight) <= SLACK + TIMES * Number(rows)) return undefined;
  const [[broken] = []] = await ask(`SELECT count(*)::int FROM (SELECT c.link, c.hash, c.items, lag(c.link) OVER w AS before, lag(c.hash) OVER w AS follows
    FROM pgsteward.audit_chain c WINDOW w AS (ORDER BY c.link)) c WHERE c.before IS NOT NULL AND (c.link <> c.before + 1 OR c.hash <> sha256(c.follows || c.items))`);
  return broken === 0 ? { kind: 'trim_audit_log', rows: 0, first: String(first), last: String(last), reason: 'chain' } : undefined;
}

/** What becomes of the chain. What is covered is what was: a row that is not as it was written, or is gone without a word, stays found. */
export async function chainRenewal(client: pg.ClientBase): Promise<ChainCut> {
  const ask = asking(client);
  const [[link, hash] = []] = await ask(`SELECT c.link::text, encode(c.hash, 'hex') FROM pgsteward.audit_chain c ORDER BY c.link DESC LIMIT 1`);
  const said = await ask(`SELECT a.detail FROM pgsteward.audit_log a WHERE a.change = 'trim_audit_log' AND a.detail IS NOT NULL`);
  const cut = joinedRanges(said.flatMap(([detail]): readonly Range[] => readCut(String(detail))?.cut ?? []));
  return {
    detail: cutDetail('', { link: Number(link), hash: String(hash) }),
    carried: '',
    before: [renewalSql(Number(link), cut)],
    statements: [],
  };
}

/** All of it is read before anything is written: a loop over a query has the state of its beginning. The first link of a chain covers nothing. */
const renewalSql = (head: number, cut: readonly Range[]): string => `DO LANGUAGE plpgsql $renew$
  DECLARE part record;
  BEGIN
    UPDATE pgsteward.audit_chain SET last = 0 WHERE link = ${head};
    FOR part IN
      WITH covered AS MATERIALIZED (SELECT DISTINCT s.item, ('x' || encode(substring(s.item FROM 1 FOR 8), 'hex'))::bit(64)::bigint AS id
        FROM (SELECT substring(c.items FROM n FOR ${ITEM_BYTES}) AS item FROM pgsteward.audit_chain c CROSS JOIN LATERAL generate_series(1, length(c.items), ${ITEM_BYTES}) n
          WHERE c.link <= ${head} AND c.link > (SELECT min(f.link) FROM pgsteward.audit_chain f)) s),
      kept AS (SELECT i.item, i.id, (row_number() OVER (ORDER BY i.id < 0, i.id) - 1) / ${ROWS_OF_LINK} AS part FROM covered i
        WHERE CASE WHEN i.id < 0 THEN -i.id >= coalesce((SELECT r.oldest FROM pgsteward.revision r ORDER BY r.id DESC LIMIT 1), 0)
          ELSE EXISTS (SELECT FROM pgsteward.audit_log a WHERE a.id = i.id) OR NOT '{${cut.map(([first, last]) => `[${first},${last}]`).join(',')}}'::int8multirange @> i.id END)
      SELECT string_agg(k.item, ''::bytea ORDER BY k.id < 0, k.id) AS items, max(k.id) AS last FROM kept k GROUP BY k.part ORDER BY k.part
    LOOP
      INSERT INTO pgsteward.audit_chain (link, last, items, hash) SELECT c.link + 1, greatest(c.last, part.last), part.items, sha256(c.hash || part.items)
        FROM (SELECT h.link, h.last, h.hash FROM pgsteward.audit_chain h ORDER BY h.link DESC LIMIT 1) c;
    END LOOP;
    DELETE FROM pgsteward.audit_chain WHERE link < ${head};
    UPDATE pgsteward.audit_chain SET items = '' WHERE link = ${head} AND items <> '';
  END $renew$`;
