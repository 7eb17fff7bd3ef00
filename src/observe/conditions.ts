// Report → conditions: whether what is declared holds, as a whole and for each user and role.
import { type Entity, sentenceOf } from '../changes/change.ts';
import { subjectOf } from '../changes/change.ts';
import { formatProblem } from '../document/format.ts';
import { aboutNotice, precedence } from '../changes/notice.ts';
import { headText } from '../model/audit-head.ts';
import { OUTAGES } from '../model/outage.ts';
import type { CycleReport } from '../steward/report.ts';
import type { Condition, Conditions } from '../model/announced.ts';

const APPLIED: Condition = { ready: true, reason: 'Applied', message: '' };

/** What a cycle says about everything that is declared or managed. */
export function conditionsOf(report: CycleReport): Conditions {
  const told = report.result !== 'failed' && report.result !== 'waiting';
  const found = told ? entitiesOf(report) : undefined;
  return {
    overall: overallOf(report, found),
    applied: report.result === 'converged' || report.result === 'changed' || report.result === 'incomplete' ? report.document : undefined,
    entities: found,
    ...(report.audit === undefined ? {} : { audit: { head: headText(report.audit.head), revision: String(report.audit.revision ?? '') } }),
  };
}

interface Found {
  readonly users: ReadonlyMap<string, Condition>;
  readonly roles: ReadonlyMap<string, Condition>;
  /** What is about a database, or about somebody who is to be removed. */
  readonly others: readonly Condition[];
}

function entitiesOf(report: CycleReport): Found {
  const kinds = new Map<string, Entity>([...report.entities, ...report.declared]);
  const conditions = new Map<string, Condition>([...kinds.keys()].map((name) => [name, APPLIED]));
  const others: Condition[] = [];
  const say = (name: string, condition: Condition): void => {
    // Who logs in for a user of the document is a part of it.
    const declared = report.turns.get(name);
    if (declared !== undefined) say(declared, condition);
    if (!kinds.has(name)) {
      if (declared === undefined) others.push(condition);
    } else if (conditions.get(name) === APPLIED) conditions.set(name, condition);
  };
  for (const problem of report.problems) {
    if (problem.severity !== 'error' || problem.username === undefined) continue;
    if (!kinds.has(problem.username)) kinds.set(problem.username, 'user');
    conditions.set(problem.username, { ready: false, reason: 'Invalid', message: formatProblem(problem) });
  }
  for (const notice of report.notices.toSorted((a, b) => precedence(a) - precedence(b))) {
    const { holdsBack, reason } = aboutNotice(notice);
    say(notice.subject, { ready: !holdsBack, reason, message: notice.message });
  }
  if (report.result === 'paused')
    for (const change of report.planned) say(subjectOf(change), { ready: false, reason: 'Paused', message: `waiting to ${sentenceOf(change)}` });
  const ofKind = (kind: Entity): Map<string, Condition> => new Map([...conditions].filter(([name]) => kinds.get(name) === kind));
  return { users: ofKind('user'), roles: ofKind('role'), others: others.filter((one) => !one.ready) };
}

function overallOf(report: CycleReport, found: Found | undefined): Condition {
  const no = (reason: string, message: string): Condition => ({ ready: false, reason, message });
  if (report.error !== undefined) return no(OUTAGES[report.error.outage].condition, report.error.message);
  if (report.sourceFailure !== undefined) return no('SourceUnreadable', report.sourceFailure.message);
  if (report.requests?.paused === true) return no('Paused', `pgsteward.dev/paused is set: nothing is written, and ${report.planned.length} change(s) wait`);
  const errors = report.problems.filter((problem) => problem.severity === 'error');
  if (errors.length > 0) return no('DocumentInvalid', some(errors.map(formatProblem)));
  if (found === undefined) return no('Waiting', 'there is no document to follow yet');
  if (report.breakerTripped) return no('BreakerTripped', 'more roles would be removed than MAX_DELETIONS allows, and none is');
  const all = [...found.users, ...found.roles];
  const failing = all.filter(([, condition]) => !condition.ready).map(([name, { reason }]) => `${name} (${reason})`);
  if (failing.length > 0) return no('NotReady', `${failing.length} of ${all.length} users and roles are not as declared: ${some(failing.toSorted())}`);
  if (found.others.length > 0) return no('NotReady', some(found.others.map(({ message }) => message)));
  return { ready: true, reason: 'Applied', message: `${found.users.size} user(s) and ${found.roles.size} role(s) are as declared` };
}

const some = (texts: readonly string[]): string => `${texts.slice(0, 3).join('; ')}${texts.length > 3 ? `; and ${texts.length - 3} more` : ''}`;
