// The chain over the audit log: SQL by which whoever appends rows appends a link that covers them, in the same transaction.

/**
 * A row of the audit log as the text that is hashed: everything that it says. The server writes it, of what it has stored, also for whoever verifies it, so that it is
 * the same in every version and after a restore.
 */
export const rowText = (row: string): string =>
  `json_build_array(${row}.id, ${timeText(`${row}.at`)}, ${row}.change, ${row}.role, ${row}.object, ${row}.why, ${row}.sql, ${row}.outcome, ${row}.detail, ${row}.intent, ${row}.revision)::text`;

/** The same of a revision. What its documents say is covered by their digests. */
export const revisionText = (row: string): string =>
  `json_build_array(${row}.id, ${timeText(`${row}.at`)}, ${row}.digest, ${row}.oldest, ${row}.sources::text)::text`;

/** to_char says no era: a row of so many years before Christ would read like ours. */
const timeText = (at: string): string =>
  `to_char(${at} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || CASE WHEN ${at} < '0001-01-01 00:00:00+00' THEN ' BC' ELSE '' END`;
const hashOf = (text: string): string => `sha256(convert_to(${text}, 'UTF8'))`;

/** What a link covers: for each row its number and its hash, 40 bytes; revisions have negative numbers. */
export const ITEM_BYTES = 40;
/** SQL: the items of rows, in the order of their numbers; NULL where there is none. */
const itemsOf = (row: string): string => `string_agg(int8send(${row}.id) || ${hashOf(rowText(row))}, ''::bytea ORDER BY ${row}.id)`;

/** The newest link: whoever reads it holds the lock under which rows are numbered. */
const HEAD = '(SELECT h.link, h.last, h.hash FROM pgsteward.audit_chain h ORDER BY h.link DESC LIMIT 1)';
const LINK = 'INSERT INTO pgsteward.audit_chain (link, last, items, hash) SELECT c.link + 1, greatest(c.last, n.last), n.items, sha256(c.hash || n.items)';

/**
 * SQL: the statement that covers the rows of the query `made` by one link, none where it has no rows. What else is in the table is covered by no link: rows that
 * somebody put there show by that.
 * @param carried items of revisions that stood in links that go, in hexadecimal digits.
 */
export const linkSql = (carried = ''): string =>
  `${LINK} FROM ${HEAD} c, (SELECT ${itemsOf('m')}${carried === '' ? '' : ` || decode('${carried}', 'hex')`} AS items, max(m.id) AS last FROM made m) n WHERE n.items IS NOT NULL`;

/** The same for the one revision of the query `made`. */
export const revisionLinkSql = (): string =>
  `${LINK} FROM ${HEAD} c, (SELECT int8send(-m.id) || ${hashOf(revisionText('m'))} AS items, NULL::bigint AS last FROM made m) n`;

/** Rows that one link of the anchor covers. */
const ANCHOR_ROWS = 10_000;

/** SQL of a migration: the beginning of the chain, and links over what was in the audit log before there was one. */
export const ANCHOR = `INSERT INTO pgsteward.audit_chain (link, last, items, hash) VALUES (0, 0, '', pg_catalog.sha256(''));
   DO LANGUAGE plpgsql $anchor$
   BEGIN
     LOOP
       WITH made AS (SELECT a.* FROM pgsteward.audit_log a WHERE a.id > (SELECT max(c.last) FROM pgsteward.audit_chain c) ORDER BY a.id LIMIT ${ANCHOR_ROWS})
       ${linkSql()};
       EXIT WHEN NOT FOUND;
     END LOOP;
   END $anchor$`;
