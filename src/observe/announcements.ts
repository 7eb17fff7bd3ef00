// Reports → announcements: what the author of the document should hear, in the words of an Event.
import { formatProblem } from '../document/format.ts';
import { aboutNotice, NOTICE_KINDS, noticeLine } from '../changes/notice.ts';
import { sentenceOf } from '../changes/change.ts';
import { type CycleReport, summarize } from '../steward/report.ts';
import type { Announcement } from '../model/announced.ts';

/** A writer of announcements: at most one of each reason, and nothing for a cycle that changed nothing and found nothing. */
export function createAnnouncer(): (report: CycleReport) => Announcement[] {
  let paused = false;
  /** null until the ConfigMap was read: what it asked for before this process was there was answered by the first cycle. */
  let reconcileAt: string | null | undefined = null;
  return (report) => {
    const announcements: Announcement[] = [];
    const add = (reason: string, type: Announcement['type'], note: string): void => void announcements.push({ reason, type, note });
    const list = (reason: string, type: Announcement['type'], notes: readonly string[], before = ''): void => {
      if (notes.length > 0) add(reason, type, `${before}${notes.slice(0, 3).join('; ')}${notes.length > 3 ? `; and ${notes.length - 3} more` : ''}`);
    };
    const { requests } = report;
    if (requests !== undefined) {
      if (requests.reconcileAt !== undefined && reconcileAt !== null && requests.reconcileAt !== reconcileAt)
        add('ReconcileRequested', 'Normal', `pgsteward.dev/reconcile-at=${requests.reconcileAt} asked for a cycle, which ended as ${report.result}`);
      reconcileAt = requests.reconcileAt;
      if (requests.paused && !paused) add('Paused', 'Normal', 'pgsteward.dev/paused is set: nothing is written until it is taken away');
      if (!requests.paused && paused) add('Resumed', 'Normal', 'pgsteward.dev/paused is gone: what waited is written');
      paused = requests.paused;
    }

    const summary = summarize(report);
    if (report.outcomes.some((outcome) => outcome.result === 'applied'))
      add(
        'Applied',
        'Normal',
        `users created ${summary.users_created}, updated ${summary.users_updated}, deleted ${summary.users_deleted}; roles created ${summary.roles_created}, deleted ${summary.roles_deleted}; grants ${summary.grants}, revokes ${summary.revokes}, passwords ${summary.passwords}; drift repaired ${summary.drift} (${report.why})`,
      );
    const done = new Set(report.outcomes.flatMap((outcome) => (outcome.result === 'applied' ? [outcome.change] : [])));
    const repaired = report.drift.filter((change) => done.has(change)).map(sentenceOf);
    const recognised = [...done].filter((change) => change.kind === 'recognise_roles').map(sentenceOf);
    list('Moved', 'Normal', recognised, 'this is another server than before: ');
    list('DriftRepaired', 'Warning', repaired, `${repaired.length} difference(s) that somebody made on the server: `);
    list('Invalid', 'Warning', report.problems.filter((problem) => problem.severity === 'error').map(formatProblem));
    for (const kind of NOTICE_KINDS) {
      const { event, reason } = aboutNotice({ kind });
      // A cycle that failed is told as what failed in one.
      const failure = kind === 'failed' && report.error !== undefined ? [report.error.message] : [];
      const notes = report.notices.filter((notice) => notice.kind === kind).map(noticeLine);
      if (event !== undefined) list(reason, event, [...notes, ...failure]);
    }
    return announcements;
  };
}
