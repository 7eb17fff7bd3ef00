// What the audit log says of single links: which change of ours made each, when, and for which document.
import type pg from 'pg';
import { MOST_STEPS, type Recorded, type Step } from '../explain/origins.ts';
import { ledgerGuard } from './ledger-ours.ts';
import { query } from './query.ts';
import { type AuditRow, finderOf, type NamedObject, question, type Question, subjectsOf } from './recorded-steps.ts';

/** Rows of one step that are looked at, the newest first. */
const MOST_ROWS = 50;

/** A row that shares its statement has it from the row before that has one, and one that closes an intent from that. */
const SELECT = (wanted: readonly Question[]): { text: string; values: unknown[] } => ({
  text: `WITH w AS (SELECT ordinality - 1 AS wanted, x.value ->> 'role' AS role, x.value -> 'kinds' AS kinds, x.value ->> 'object' AS object,
      x.value ->> 'ending' AS ending, x.value ->> 'piece' AS piece FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY x),
    mine AS MATERIALIZED (SELECT a.id, a.change, a.role, a.object, a.why, a.intent, a.at FROM pgsteward.audit_log a
      WHERE a.outcome = 'applied' AND a.role IN (SELECT w.role FROM w))
    SELECT w.wanted::int, f.change, f.moment, f.at, f.why, f.sql FROM w CROSS JOIN LATERAL (
      SELECT a.change, (extract(epoch FROM m.moment) * 1000)::float8 AS moment, to_char(m.moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS at, a.why, s.sql
      FROM mine a
      CROSS JOIN LATERAL (SELECT greatest(a.at, max(r.last)) AS moment FROM pgsteward.audit_repeat r WHERE r.id IN (a.id, a.intent)) m
      CROSS JOIN LATERAL (SELECT b.sql FROM pgsteward.audit_log b WHERE b.id <= coalesce(a.intent, a.id) AND b.sql <> '(in the statement of a row before)' ORDER BY b.id DESC LIMIT 1) s
      WHERE a.role = w.role AND w.kinds ? a.change AND (w.object IS NULL OR a.object = w.object)
        AND (w.ending IS NULL OR right(a.object, length(w.ending)) = w.ending) AND (w.piece IS NULL OR strpos(s.sql, w.piece) > 0)
      ORDER BY 2 DESC, a.id DESC LIMIT ${MOST_ROWS}) f ORDER BY w.wanted, f.moment DESC`,
  values: [JSON.stringify(wanted)],
});

/** What the audit log says of the steps, in their order. */
export interface AuditAnswer {
  readonly recorded: readonly (Recorded | undefined)[];
  /** When its first row was written; null where it has none. */
  readonly since: string | null;
}

/**
 * Reads it in the transaction that has begun in the admin database.
 * @throws where there is no ledger that is our login's own, which ends the transaction.
 */
export async function readRecorded(client: pg.ClientBase, steps: readonly Step[], object: NamedObject): Promise<AuditAnswer> {
  const begun = await query(
    client,
    `${ledgerGuard('audit_log')}; ${ledgerGuard('audit_repeat')}; SELECT to_char(a.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') FROM pgsteward.audit_log a ORDER BY a.id LIMIT 1`,
  );
  const since = (begun.at(-1)?.[0]?.[0] ?? null) as string | null;
  const finders = steps.slice(0, MOST_STEPS).map((step) => finderOf(step, object));
  const subjects = [...new Set(steps.flatMap(subjectsOf))];
  const asked = [...finders.map((finder) => finder?.wanted ?? []), ...subjects.map((role) => [question(['create_role'], role)])];
  const { rows } = await client.query<AuditRow>(SELECT(asked.flat()));
  const byQuestion = Map.groupBy(rows, ({ wanted }) => wanted);
  let next = 0;
  const answers = asked.map((questions) => questions.map(() => byQuestion.get(next++) ?? []));
  const bornAt = new Map(subjects.map((role, index) => [role, answers[finders.length + index]?.[0]?.[0]?.moment ?? 0]));
  return {
    since,
    recorded: steps.map((step, index) => {
      const born = Math.max(0, ...subjectsOf(step).map((role) => bornAt.get(role) ?? 0));
      return finders[index]?.find((answers[index] ?? []).map((found) => found.filter(({ moment }) => moment >= born)));
    }),
  };
}
