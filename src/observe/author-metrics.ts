// Metrics by author: a closed set, as the operator's servers.yaml names them.
import { Gauge, type Registry } from 'prom-client';
import type { CycleReport } from '../steward/report.ts';
import { ofAuthor } from './author-view.ts';

export function createAuthorMetrics(registry: Registry, now: () => number): (report: CycleReport) => void {
  const gauge = (name: string, help: string): Gauge =>
    new Gauge({ name: `postgres_controller_author_${name}`, help, labelNames: ['author'], registers: [registry] });
  const users = gauge('users_managed', 'Users of an author that pgsteward manages');
  const errors = gauge('errors', "Errors of an author's documents as they are now");
  const refused = gauge('refused', 'What is refused of what an author declares');
  const breaker = gauge('breaker_tripped', '1 while removals of an author are held because there are too many of them');
  const unreadable = gauge('unreadable_since_timestamp', 'Since when the documents of an author cannot be found, in seconds since the epoch; 0 while they can');
  const all = [users, errors, refused, breaker, unreadable];
  let since: ReadonlyMap<string, number> = new Map();
  return (report) => {
    const authors = [...(report.sources?.authors.values() ?? [])];
    since = new Map(authors.flatMap(({ name, heldBecause }) => (heldBecause === undefined ? [] : [[name, since.get(name) ?? now() / 1000]])));
    // One that is no longer declared is no longer told of.
    for (const one of all) one.reset();
    for (const { name: author } of authors) {
      const its = ofAuthor(report, author);
      users.set({ author }, its.users);
      errors.set({ author }, its.problems.filter(({ severity }) => severity === 'error').length);
      refused.set({ author }, its.notices.filter(({ kind }) => kind === 'refused' || kind === 'guardrail_refused').length);
      breaker.set({ author }, its.breakerTripped ? 1 : 0);
      unreadable.set({ author }, since.get(author) ?? 0);
    }
  };
}
