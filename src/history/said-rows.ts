// Rows of the audit log as text and CSV: names are values, and have nothing for a terminal or a spreadsheet.
import { oneLine } from '../document/show.ts';
import type { AuditRow, RevisionRow } from './rows.ts';

/** A line of text. */
export function rowLine({ id, at, change, role, object, outcome, detail, why, revision, times }: AuditRow): string {
  const about = object === role || object === '' ? '' : role === '' ? ` ${object}` : `: ${object}`;
  const by = [...(revision === undefined ? [] : [`revision ${revision}`]), ...(why === '' ? [] : [why])].join(', ');
  const counted = times === undefined || times < 2 ? '' : `, ${times} times`;
  return oneLine(
    `${id}  ${at}  ${outcome}  ${change}${role === '' ? '' : ` ${role}`}${about}${counted}${by === '' ? '' : ` (${by})`}${detail === undefined ? '' : ` — ${detail}`}`,
  );
}

/** As JSON, with everything that is known; what is not is null. */
export const rowData = ({ id, at, change, role, entity, object, outcome, detail, why, revision, times, intent, sql }: AuditRow) => ({
  id,
  at,
  revision: revision ?? null,
  change,
  role,
  entity: entity ?? null,
  object,
  outcome,
  detail: detail ?? null,
  why,
  times: times ?? 1,
  closes: intent ?? null,
  sql,
});

const COLUMNS = ['id', 'at', 'revision', 'change', 'role', 'entity', 'object', 'outcome', 'detail', 'why', 'times', 'closes', 'sql'] as const;

export const CSV_HEAD = COLUMNS.join(',');

export function rowCsv(row: AuditRow): string {
  const data = rowData(row);
  return COLUMNS.map((column) => csvCell(data[column])).join(',');
}

/** What a spreadsheet would take for a formula has an apostrophe before it, and what looks like one that we put there has another. The wide signs count as well. */
const FORMULA = /^[\s']*[=+\-@\t\r|%＝＋－＠]/;

export function csvCell(value: string | number | null): string {
  if (value === null) return '';
  if (typeof value === 'number') return String(value);
  const text = oneLine(value);
  const harmless = FORMULA.test(text) ? `'${text}` : text;
  return /[",\s;]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

/** A line about a revision. */
export function revisionLine({ id, at, digest, sources }: RevisionRow): string {
  return oneLine(`${id}  ${at}  ${digest.slice(0, 12)}  ${sources.map(sourceWords).join('; ')}`);
}

/** Where a document was from, and who wrote it as far as that is known. */
export function sourceWords({ ref, version, of, revision, author, writtenBy, writtenAt }: RevisionRow['sources'][number]): string {
  const by = [
    ...(of === undefined ? [] : [of]),
    ...(author === undefined ? [] : [`written by ${author}`]),
    ...(revision === undefined ? [] : [`commit ${revision}`]),
    ...(writtenBy === undefined ? [] : [`stored by ${writtenBy}${writtenAt === undefined ? '' : ` at ${writtenAt}`}`]),
  ];
  return `${ref}@${version}${by.length === 0 ? '' : ` (${by.join(', ')})`}`;
}

export const revisionData = ({ id, at, digest, sources }: RevisionRow) => ({ id, at, digest, sources });
