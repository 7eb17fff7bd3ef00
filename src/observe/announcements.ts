// Report → announcements: what the author of the document should hear, in the words of an Event.
import { formatProblem } from '../core/document/format.ts';
import { type CycleReport, summarize } from '../cycle/report.ts';
import type { Announcement } from '../sources/source.ts';

/** At most one of each reason; nothing for a cycle that changed nothing and found nothing. */
export function announcementsOf(report: CycleReport): Announcement[] {
  const announcements: Announcement[] = [];
  const warn = (reason: string, notes: readonly string[]): void => {
    if (notes.length > 0)
      announcements.push({ reason, type: 'Warning', note: `${notes.slice(0, 3).join('; ')}${notes.length > 3 ? `; and ${notes.length - 3} more` : ''}` });
  };
  const summary = summarize(report);
  if (report.outcomes.some((outcome) => outcome.result === 'applied'))
    announcements.push({
      reason: 'Applied',
      type: 'Normal',
      note: `users created ${summary.users_created}, updated ${summary.users_updated}, deleted ${summary.users_deleted}; roles created ${summary.roles_created}, deleted ${summary.roles_deleted}; drift repaired ${summary.drift} (${report.why})`,
    });
  warn('Invalid', report.problems.filter((problem) => problem.severity === 'error').map(formatProblem));
  const notes = (kind: string): string[] =>
    report.notices.filter((notice) => notice.kind === kind).map((notice) => (notice.subject === '' ? notice.message : `${notice.subject}: ${notice.message}`));
  warn('Refused', notes('refused'));
  warn('SecretNotUsable', notes('secret'));
  warn('BreakerTripped', notes('breaker'));
  warn('Cannot', notes('cannot'));
  warn('Failed', notes('failed'));
  return announcements;
}
