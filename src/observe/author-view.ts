// What of a report is about one author: its entries alone, and nothing of anybody else.
import { subjectOf, type Change } from '../changes/change.ts';
import { authorSource } from '../model/sources.ts';
import type { CycleReport } from '../steward/report.ts';

/** Why nothing is done is the operator's matter where it is about the server or the operator's documents; that it is so is everybody's. */
const OUTAGE = 'nothing can be done on the server at present; whoever runs pgsteward is told why';
const UNREAD = "the operator's documents cannot be read: what was said before stays in force";

export function ofAuthor(report: CycleReport, author: string): CycleReport {
  const source = authorSource(author);
  const isIts = (name: string): boolean => report.sources?.claims.get(name) === source;
  const isAbout = (change: Change): boolean => isIts(subjectOf(change));
  const its = <T>(map: ReadonlyMap<string, T>): ReadonlyMap<string, T> => new Map([...map].filter(([name]) => isIts(name)));
  const notices = report.notices.filter((notice) => (notice.source === undefined ? isIts(notice.subject) : notice.source === source));
  const entities = its(report.entities);
  const users = [...entities.values()].filter((entity) => entity === 'user').length;
  return {
    ...report,
    why: `author ${author}`,
    planned: report.planned.filter(isAbout),
    outcomes: report.outcomes.filter(({ change }) => isAbout(change)),
    drift: report.drift.filter(isAbout),
    problems: report.problems.filter((problem) => problem.source === source),
    notices,
    guardrails: [],
    breakerTripped: notices.some(({ kind }) => kind === 'breaker'),
    entities,
    turns: new Map(),
    users,
    roles: entities.size - users,
    validity: [],
    rotationDue: new Map(),
    adminRotationDue: undefined,
    stateUnwritten: false,
    sourceFailure: report.sourceFailure && { ...report.sourceFailure, message: UNREAD },
    error: report.error && { ...report.error, message: OUTAGE },
    // A pause is everybody's matter; who asked for a look is not.
    requests: report.requests && { ...report.requests, reconcileAt: undefined },
    document: undefined,
    declared: its(report.declared),
  };
}
