// A plan as text for people: what takes something away first, by database and role, and counts at the end.
import { oneLine } from '../document/show.ts';
import type { PlanView, ShownChange } from './plan-view.ts';
import { countsOf, databaseWords, dividedByLoss, LOSSES, RESULTS, snapshotWords } from './plan-words.ts';

/** Gives a line the colour of what it means, where there is colour. */
export type PlanPaint = (meaning: 'loss' | 'gain' | 'warning' | 'heading', line: string) => string;

/** So many lines of a role, and so many roles of a database, unless all are asked for. */
const FOLDED = { lines: 20, roles: 50 } as const;

/** @param isFull whether lists are whole. */
export function asText(view: PlanView, paint: PlanPaint, isFull: boolean): string {
  const { losing, others } = dividedByLoss(view.changes);
  const section = (title: string, changes: readonly ShownChange[]): readonly string[] =>
    changes.length === 0 ? [] : ['', paint('heading', `${title} (${changes.length})`), ...grouped(changes, paint, isFull)];
  const notices = view.notices.map(({ kind, subject, message }) => paint('warning', oneLine(`  ${kind}: ${subject === null ? '' : `${subject}: `}${message}`)));
  const problems = view.problems.map(({ severity, file, within, line, column, path, message }) =>
    paint(
      severity === 'error' ? 'loss' : 'warning',
      oneLine(`  ${[`${within ?? file}:${line}:${column}`, path, severity, message].filter((part) => part !== '').join(': ')}`),
    ),
  );
  return lines([
    oneLine(headOf(view)),
    ...section('Takes away or locks out', losing),
    ...section('Gives or changes', others),
    ...section('Only remembered: the server stays as it is', view.remembered),
    ...section('Waits for what cannot be done', view.waiting),
    ...titled('Beside the changes', notices, paint),
    ...titled('Problems of the document', problems, paint),
    '',
    countsOf(view),
    RESULTS[view.result],
  ]);
}

const lines = (all: readonly string[]): string => `${all.join('\n')}\n`;

const titled = (title: string, of: readonly string[], paint: PlanPaint): readonly string[] =>
  of.length === 0 ? [] : ['', paint('heading', `${title} (${of.length})`), ...of];

function headOf({ server, document, withSecrets }: PlanView): string {
  const where =
    server === null ? 'no server was read' : `${server.host}:${server.port} (PostgreSQL ${server.major}, as ${server.login})${snapshotWords(server)}`;
  return `Plan for ${where}, of ${document}${withSecrets ? '' : '; passwords are left out'}`;
}

function grouped(changes: readonly ShownChange[], paint: PlanPaint, isFull: boolean): readonly string[] {
  return [...Map.groupBy(changes, databaseWords)].flatMap(([database, inIt]) => {
    const roles = [...Map.groupBy(inIt, ({ role }) => role)];
    const shown = isFull ? roles : roles.slice(0, FOLDED.roles);
    return [
      oneLine(database),
      ...shown.flatMap(([role, own]) => [...(role === null ? [] : [oneLine(`  ${role}`)]), ...changeLines(own, paint, isFull)]),
      ...more(roles.length - shown.length, 'role(s)', '  '),
    ];
  });
}

function changeLines(changes: readonly ShownChange[], paint: PlanPaint, isFull: boolean): readonly string[] {
  const shown = isFull ? changes : changes.slice(0, FOLDED.lines);
  return [...shown.flatMap((change) => linesOf(change, paint, isFull)), ...more(changes.length - shown.length, 'change(s)', '    ')];
}

function linesOf({ loses, sentence, names }: ShownChange, paint: PlanPaint, isFull: boolean): readonly string[] {
  const line =
    loses === null
      ? paint('gain', oneLine(`    + ${sentence}`))
      : paint('loss', oneLine(`    - ${sentence}${loses === 'rights' ? '' : ` [${LOSSES[loses]}]`}`));
  return [line, ...(isFull ? names.map((name) => oneLine(`        ${name}`)) : [])];
}

const more = (count: number, what: string, indent: string): readonly string[] => (count <= 0 ? [] : [`${indent}… and ${count} more ${what}; --full shows all`]);
