// Notices of what failed, of what waits after it failed, and of what does not converge.
import { adviceFor } from '../changes/advice.ts';
import type { Catalog } from '../model/catalog.ts';
import { type Change, groupKeyOf, keyOf, objectOf, sentenceOf, subjectOf } from '../changes/change.ts';
import { definitionOf } from '../changes/table.ts';
import type { Notice } from '../changes/notice.ts';
import type { Plan } from '../plan/plan-input.ts';
import type { Outcome } from '../postgres/run.ts';
import type { LastFailure } from './secrets.ts';

/** What lets a grantor revoke what it granted. */
const optionFor = ({ on, privileges, grantor }: Change & { kind: 'revoke_privilege' }): Change => ({
  kind: 'grant_privilege',
  role: grantor,
  on,
  privileges,
  grantable: true,
  explained: false,
  as: undefined,
});

/** What failed in this cycle and is still wanted, and what still waits after failing in an earlier one. */
export function failureNotices(
  outcomes: readonly Outcome[],
  { changes, deferred, blocked }: Plan,
  server: Catalog['server'],
  lastFailure: (change: Change) => LastFailure | undefined,
): Notice[] {
  // What is no longer wanted was mended by something else, as by the CASCADE of another change.
  const wanted = new Set([...changes, ...deferred, ...blocked.map((item) => item.change)].map(groupKeyOf));
  const failed = outcomes.flatMap((outcome) => (outcome.result === 'failed' && wanted.has(groupKeyOf(outcome.change)) ? [outcome] : []));
  const now = failed.map(({ change, message, class: failure }): Notice => {
    const cannot = failure === 'cannot';
    const definition = definitionOf(change);
    const lender = change.kind === 'revoke_privilege' && change.lapsed !== undefined && failure === 'replan' ? change : undefined;
    const advice =
      lender !== undefined
        ? adviceFor(optionFor(lender), server)
        : cannot && definition.isInVain?.(change, message) !== true
          ? adviceFor(change, server)
          : undefined;
    const instead =
      lender !== undefined
        ? `. ${lender.grantor} has lost its grant option, and granted the same to others, who would lose it: the SQL gives it the option again, as the owner, and then it is revoked`
        : definition.instead === undefined
          ? ''
          : `; ${definition.instead}`;
    return {
      kind: cannot ? 'cannot' : 'failed',
      subject: subjectOf(change),
      message: `could not ${sentenceOf(change)}: ${message}; it is tried again later${instead}`,
      advice,
    };
  });
  const told = new Set(failed.map((outcome) => keyOf(outcome.change)));
  const waiting = deferred
    .filter((change) => !told.has(keyOf(change)))
    .map((change): Notice => {
      const failure = lastFailure(change);
      const why = failure === undefined ? '' : `, which failed: ${failure.message}`;
      return { kind: failure?.class === 'cannot' ? 'cannot' : 'failed', subject: subjectOf(change), message: `waiting to ${sentenceOf(change)}${why}` };
    });
  return [...now, ...waiting];
}

/** A change that succeeded and is wanted again: somebody undoes it, or it does nothing. */
export const notConverging = (change: Change): Notice => ({
  kind: 'not_converging',
  subject: subjectOf(change),
  message: `not converging: «${sentenceOf(change)}» succeeded and is still wanted (${objectOf(change)}); it is backed off`,
});
