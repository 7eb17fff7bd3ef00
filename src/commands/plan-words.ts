// Words that the outputs of a plan for people share.
import type { Loss } from '../changes/loss.ts';
import type { PlanResult, PlanView, ShownChange, ShownServer } from './plan-view.ts';

export const RESULTS: Readonly<Record<PlanResult, string>> = {
  as_declared: 'the server is as declared',
  differs: 'the server differs',
  error: 'not everything could be looked at or planned',
  refused: 'something is refused',
};

export const LOSSES: Readonly<Record<Loss, string>> = {
  role: 'drops a role',
  login: 'takes a login',
  sessions: 'ends sessions',
  password: 'overwrites a password',
  rights: 'takes rights',
};

const IN_ORDER = Object.keys(LOSSES) as readonly Loss[];

/** When a server was as a snapshot has it; nothing where it was read for this plan. */
export function snapshotWords({ readAt, snapshot }: ShownServer): string {
  if (snapshot === null) return '';
  return ` as in a snapshot of ${readAt}, ${ageWords(snapshot.ageSeconds * 1000)}${snapshot.isStale ? ', which is stale' : ''}`;
}

const UNITS: readonly (readonly [ms: number, word: string])[] = [
  [86_400_000, 'day(s)'],
  [3_600_000, 'hour(s)'],
  [60_000, 'minute(s)'],
];

/** How old something is, roughly. */
export function ageWords(ms: number): string {
  if (ms < -60_000) return 'which is still to come by our clock';
  const [unit, word] = UNITS.find(([length]) => ms >= length) ?? [1000, 'second(s)'];
  return `${Math.max(0, Math.floor(ms / unit))} ${word} old`;
}

/** Where a change is made, for a heading. */
export const databaseWords = ({ database }: ShownChange): string => (database === null ? 'all databases' : `database ${database}`);

/** What takes something away, and the rest. */
export function dividedByLoss(changes: readonly ShownChange[]): { readonly losing: readonly ShownChange[]; readonly others: readonly ShownChange[] } {
  const rank = ({ loses }: ShownChange): number => (loses === null ? 0 : IN_ORDER.indexOf(loses));
  return { losing: changes.filter(({ loses }) => loses !== null).toSorted((a, b) => rank(a) - rank(b)), others: changes.filter(({ loses }) => loses === null) };
}

/** The last line: how much there is of each. */
export function countsOf({ changes, remembered, waiting, notices, problems }: PlanView): string {
  const losses = IN_ORDER.flatMap((loss) => {
    const count = changes.filter(({ loses }) => loses === loss).length;
    return count === 0 ? [] : [`${LOSSES[loss]}: ${count}`];
  });
  return [
    `changes: ${changes.length}${losses.length === 0 ? '' : ` (${losses.join(', ')})`}`,
    `only remembered: ${remembered.length}`,
    ...(waiting.length === 0 ? [] : [`waiting: ${waiting.length}`]),
    `notices: ${notices.length}`,
    `problems of the document: ${problems.length}`,
  ].join('; ');
}
