// status for people: what the daemon says, a line for each thing; whatever names are in it, nothing of it is a command to a terminal.
import { oneLine } from '../document/show.ts';
import { countsOf, type StatusAnswer, type Verdict } from './status-answer.ts';

/** How a line is shown where colours are. */
export type StatusPaint = (as: 'good' | 'warning' | 'bad', text: string) => string;

const PAINTS = { 0: 'good', 1: 'bad', 2: 'warning' } as const;
const ERRORS: ReadonlySet<string> = new Set(['breaker', 'cannot', 'failed', 'not_converging']);

export function statusText(answer: StatusAnswer, verdict: Verdict, paint: StatusPaint): string {
  const { role, dryRun, paused, source, lastCycle, lastConverged, audit, users, roles, leftOut } = answer;
  const mode = [role.replaceAll('_', ' '), ...(dryRun && role !== 'dry_run' ? ['dry run'] : []), ...(paused ? ['paused'] : [])].join(', ');
  const counts = lastCycle == null ? [] : countsOf(lastCycle).map(([name, count]) => `${name}: ${count}`);
  const rows: readonly (readonly [string, string])[] = [
    ['instance', mode],
    ['source', source.description],
    ['in force', source.inForce || 'no document'],
    ['managed', `${users} user(s), ${roles} role(s)`],
    [
      'last cycle',
      lastCycle == null ? 'none yet' : [`${lastCycle.result.replaceAll('_', ' ')} at ${lastCycle.end ?? 'an unknown time'}`, ...counts].join('; '),
    ],
    ['last right', lastConverged ?? 'never since the daemon started'],
    ...(audit == null ? [] : [['audit log', `${audit.revision == null ? 'no revision' : `revision ${audit.revision}`}; its head is ${audit.head}`] as const]),
  ];
  const problems = answer.problems.map(({ severity, message }) => paint(severity === 'error' ? 'bad' : 'warning', oneLine(`${severity}: ${message}`)));
  const notices = answer.notices.flatMap(({ kind, subject, message, sql, sqlDatabase, sqlAs }) => [
    paint(ERRORS.has(kind) ? 'bad' : 'warning', oneLine(`${kind.replaceAll('_', ' ')}: ${subject === '' ? '' : `${subject}: `}${message}`)),
    ...(sql == null
      ? []
      : [
          oneLine(`  SQL, as ${sqlAs ?? 'anybody'}, in ${sqlDatabase == null ? 'any database' : `database ${sqlDatabase}`}:`),
          ...sql.split('\n').map((line) => `    ${oneLine(line)}`),
        ]),
  ]);
  const more = leftOut.problems + leftOut.notices;
  return [
    paint(PAINTS[verdict.code], oneLine(verdict.says)),
    ...rows.map(([name, said]) => `  ${name.padEnd(10)}  ${oneLine(said)}`),
    ...problems,
    ...notices,
    ...(more === 0 ? [] : [`${more} more problem(s) and notice(s) are in the log`]),
    '',
  ].join('\n');
}
