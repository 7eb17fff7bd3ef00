// Appending to the audit log: a row for each change, and for one that is made again and again a count beside its first row.
import { createHash } from 'node:crypto';
import { type Change, keyOf, namesOf, objectOf, subjectOf } from '../changes/change.ts';
import type { RenderOptions } from '../changes/definition.ts';
import { statementKey } from '../changes/render.ts';
import { showBatch, showChange } from '../changes/shown.ts';
import { literal } from '../sql/sql-text.ts';
import { linkSql } from './audit-chain.ts';

export interface AuditFacts {
  /** `namespace/name@resourceVersion`: why the changes are made. */
  readonly why: string;
  /** The same of one change, where it may be another. */
  readonly whyOf?: ((change: Change) => string) | undefined;
  readonly render: RenderOptions;
  /** The revision in force, to which the rows point; undefined where there is none. */
  readonly revision?: number | undefined;
  /** For the link that covers the rows: see linkSql. */
  readonly carried?: string | undefined;
  /** Under which document a change repeats one that was made before; empty for drift, whatever the document is by now. Undefined where it is news. */
  readonly repeats?: ((change: Change) => string | undefined) | undefined;
}

/** Objects that a statement names before the rows of others that share it only point to it. */
const LONG = 3;

/** A change that cannot be written as SQL fails for just that, and its failure is recorded all the same. */
function shown(changes: readonly Change[], render: RenderOptions): string {
  try {
    const [only] = changes;
    return (changes.length === 1 && only !== undefined ? showChange(only, render) : showBatch(changes, render)).join('; ');
  } catch {
    return '';
  }
}

export interface AuditRecord {
  readonly change: Change;
  readonly outcome: 'applied' | 'failed' | 'intent';
  readonly detail?: string;
  /** The row that this one closes. */
  readonly intent?: number;
}

/** Records whose SQL is one text: a long statement that several changes share stands with the first of them. */
function statements(audit: readonly AuditRecord[]): AuditRecord[][] {
  const groups: AuditRecord[][] = [];
  let last: string | undefined;
  for (const record of audit) {
    const key = namesOf(record.change).length > LONG ? statementKey(record.change) : undefined;
    if (key === undefined || key !== last) groups.push([record]);
    else groups.at(-1)?.push(record);
    last = key;
  }
  return groups;
}

/** What is the same about records of one statement whenever they are made: they repeat together and as the same SQL, or each of them is a row. */
function sameness(group: readonly AuditRecord[], sql: string, repeats: AuditFacts['repeats']): readonly (string | undefined)[] {
  const [first] = group;
  if (repeats === undefined || first === undefined || first.intent !== undefined) return [];
  const under = group.map(({ change }) => repeats(change));
  if (under.includes(undefined)) return [];
  const keys = group.map(({ change, outcome }) => [outcome, keyOf(change)]);
  return keys.map((key) =>
    createHash('sha256')
      .update(JSON.stringify([key, under, keys, sql]))
      .digest('base64url')
      .slice(0, 22),
  );
}

/**
 * The statements that append to the audit log; the last one may return rows. Numbers have no gaps, which a sequence would leave at every
 * rollback: they are counted under a lock that is held only over the end of the transaction.
 * @param isAsked whether the last statement returns each row's place among the records, from 1 on, and its number. What is counted only has none.
 */
export function auditSql(audit: readonly AuditRecord[], { why, whyOf, render, repeats, revision, carried }: AuditFacts, isAsked = false): string[] {
  if (audit.length === 0) return [];
  const rows = statements(audit).flatMap((group) => {
    const changes = group.map((record) => record.change);
    const sql = shown(changes, render);
    const same = sameness(group, sql, repeats);
    return group.map(({ change, outcome, detail, intent }, index): AuditRow => ({
      change: change.kind,
      role: subjectOf(change),
      object: objectOf(change),
      why: whyOf?.(change),
      sql: index === 0 ? sql : '(in the statement of a row before)',
      outcome,
      detail,
      intent,
      same: same[index],
    }));
  });
  return appendSql(rows, { why, revision, carried }, isAsked);
}

/**
 * Rows that close intents of this process, made of those rows by the server: what was done is just what was meant. The statement is not repeated where it names objects,
 * of which there may be thousands.
 * @param intents their numbers.
 */
export const doneSql = (changes: readonly Change[], intents: readonly number[]): string[] =>
  intents.length === 0
    ? []
    : [
        NUMBERING,
        `WITH made AS (INSERT INTO pgsteward.audit_log (${COLUMNS}) SELECT ${HIGHEST} + row_number() OVER (ORDER BY a.id), a.change, a.role, a.object, a.why,
     ${changes.every((change) => namesOf(change).length > 0) ? "''" : 'a.sql'}, 'applied', NULL, a.id, a.revision FROM pgsteward.audit_log a WHERE a.id = ANY ('{${intents.join(',')}}'::bigint[]) RETURNING *)
     ${linkSql()}`,
      ];

/** Rows that close intents of an earlier process, told by what those rows say. */
export const closingSql = (rows: readonly AuditRow[], facts: Pick<AuditFacts, 'why' | 'revision'>): string[] => appendSql(rows, facts, false);

/** A row of the audit log as it is written. */
interface AuditRow {
  readonly change: string;
  readonly role: string;
  readonly object: string;
  /** Where it is not that of all rows. */
  readonly why?: string | undefined;
  readonly sql: string;
  readonly outcome: string;
  readonly detail?: string | undefined;
  readonly intent?: number | undefined;
  /** Equal for what is only counted when it comes again. */
  readonly same?: string | undefined;
}

/** A row of a table that nobody but us can lock: an advisory lock could be taken by anybody who may connect. */
export const NUMBERING = 'SELECT FROM pgsteward.migration WHERE version = 1 FOR NO KEY UPDATE';

/** So long after its first row what comes again is counted there, and then it begins a row again. */
const COUNTED_FOR = `interval '1 day'`;

const COLUMNS = 'id, change, role, object, why, sql, outcome, detail, intent, revision';
const valuesSql = ({ why, revision }: Pick<AuditFacts, 'why' | 'revision'>): string =>
  `x.r ->> 'change', x.r ->> 'role', x.r ->> 'object', coalesce(x.r ->> 'why', ${literal(why)}), x.r ->> 'sql', x.r ->> 'outcome', x.r ->> 'detail', (x.r ->> 'intent')::bigint, ${revision ?? 'NULL'}::bigint`;
const HIGHEST = '(SELECT coalesce(max(id), 0) FROM pgsteward.audit_log)';

/** What rows share, and their link. */
type AppendFacts = Pick<AuditFacts, 'why' | 'revision' | 'carried'>;

/** What every row has, and what the rows of a batch have nothing else beside. */
const OWN = ['change', 'role', 'object', 'sql'] as const;

/** Of thousands of rows that differ in nothing else, each of these as a list: half of the text, and three quarters of what the server does for it. */
function listsSql(rows: readonly AuditRow[], { why, revision, carried }: AppendFacts, outcome: string, isAsked: boolean): string {
  const own = OWN.join(', ');
  const lists = OWN.map((name) => `jsonb_array_elements_text(${literal(JSON.stringify(rows.map((row) => row[name])))})`);
  const made = `made AS (INSERT INTO pgsteward.audit_log (id, ${own}, why, outcome, revision) SELECT ${HIGHEST} + x.place, ${own}, ${literal(why)}, ${literal(outcome)}, ${revision ?? 'NULL'}::bigint
   FROM ROWS FROM (${lists.join(', ')}) WITH ORDINALITY AS x(${own}, place) RETURNING *)`;
  if (!isAsked) return `WITH ${made} ${linkSql(carried)}`;
  return `WITH ${made}, linked AS (${linkSql(carried)}) SELECT row_number() OVER (ORDER BY m.id), m.id FROM made m ORDER BY m.id`;
}

/** Nothing is told of it but what was done, and the same of why. */
const isPlain = (row: AuditRow, why: string, outcome: string): boolean =>
  row.outcome === outcome && (row.why === undefined || row.why === why) && row.detail === undefined && row.intent === undefined && row.same === undefined;

/** One link of the chain for all rows of a transaction: what is hashed is what was stored. */
function appendSql(rows: readonly AuditRow[], facts: AppendFacts, isAsked: boolean): string[] {
  const outcome = rows[0]?.outcome ?? '';
  if (rows.every((row) => isPlain(row, facts.why, outcome))) return [NUMBERING, listsSql(rows, facts, outcome, isAsked)];
  const records = `jsonb_array_elements(${literal(JSON.stringify(rows))}) WITH ORDINALITY`;
  if (!isAsked && rows.every((row) => row.same === undefined))
    return [
      NUMBERING,
      `WITH made AS (INSERT INTO pgsteward.audit_log (${COLUMNS}) SELECT ${HIGHEST} + x.place, ${valuesSql(facts)} FROM ${records} AS x(r, place) RETURNING *)
     ${linkSql(facts.carried)}`,
    ];
  return [
    NUMBERING,
    `WITH given AS (SELECT x.r, x.place, x.r ->> 'same' AS same FROM ${records} AS x(r, place)),
     again AS (UPDATE pgsteward.audit_repeat a SET times = a.times + 1, last = clock_timestamp() WHERE a.id IN
       (SELECT max(b.id) FROM pgsteward.audit_repeat b WHERE b.same IN (SELECT g.same FROM given g) AND b.since > now() - ${COUNTED_FOR} GROUP BY b.same) RETURNING a.same),
     fresh AS (SELECT g.r, g.place, g.same, ${HIGHEST} + row_number() OVER (ORDER BY g.place) AS id FROM given g WHERE NOT EXISTS (SELECT FROM again a WHERE a.same = g.same)),
     made AS (INSERT INTO pgsteward.audit_log (${COLUMNS}) SELECT x.id, ${valuesSql(facts)} FROM fresh x ORDER BY x.id RETURNING *),
     linked AS (${linkSql(facts.carried)}),
     counted AS (INSERT INTO pgsteward.audit_repeat (id, same) SELECT f.id, f.same FROM fresh f WHERE f.same IS NOT NULL)
     SELECT f.place, f.id FROM fresh f ORDER BY f.place`,
  ];
}
