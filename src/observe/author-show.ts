// Tells each author of its own entries, where its ConfigMaps are.
import { formatProblem } from '../document/format.ts';
import type { AuthorPorts } from '../sources/ports.ts';
import type { CycleReport } from '../steward/report.ts';
import { createAnnouncer } from './announcements.ts';
import { ofAuthor } from './author-view.ts';
import { conditionsOf } from './conditions.ts';

export interface ToldAuthor {
  readonly name: string;
  readonly ports: AuthorPorts;
}

/** @returns tells all of them, and why what one of them finds written may be old. Never throws but for an abort. */
export function createAuthorShow(
  authors: readonly ToldAuthor[],
  statusConfigMap: 'on' | 'off',
): (report: CycleReport, signal: AbortSignal) => Promise<string | undefined> {
  const all = authors.map(({ name, ports }) => ({ name, ports, announcementsOf: createAnnouncer() }));
  return async (report, signal) => {
    const stale = await Promise.all(
      all.map(async ({ name, ports, announcementsOf }) => {
        const its = ofAuthor(report, name);
        await ports.announcer.announce(announcementsOf(its), signal);
        if (statusConfigMap === 'off') return undefined;
        const why = await ports.statusPublisher.publish({ ...conditionsOf(its), problems: its.problems.map(formatProblem) }, signal);
        return why === undefined ? undefined : `author ${name}: ${why}`;
      }),
    );
    return stale.find((why) => why !== undefined);
  };
}
