// Preview: what would be done, where nothing is written; also what follows from a new password that nobody has drawn yet.
import { inTurns } from '../async/in-turns.ts';
import type { Change } from '../changes/change.ts';
import { planOf } from '../plan/plan.ts';
import { checkPasswords } from './credentials.ts';
import { type Begun, type Pass, type PassParts, readPass } from './pass.ts';
import { withTurnsEnded } from './read-for-plan.ts';
import type { Probes } from './probes.ts';
import type { CycleReport } from './report.ts';
import { foundBy, openedBy } from './report-parts.ts';
import type { Secrets } from './secrets.ts';

export interface ForeseeingParts {
  readonly secrets: Pick<Secrets, 'foreseeing' | 'withTurns' | 'credentials' | 'wishes'>;
  readonly probes: Pick<Probes, 'isChanged' | 'withChanged'>;
}

/** One pass that says what would be done. */
export async function preview(parts: PassParts, begun: Begun, result: 'dry_run' | 'paused'): Promise<Partial<CycleReport>> {
  const pass = await readPass(parts, begun);
  parts.databases.settle(pass.plan);
  const planned = [...begun.ledger, ...(await foreseen(parts, begun, pass))];
  return { ...foundBy(begun.inputs, openedBy(begun, pass), pass), planned, result, notices: pass.plan.notices };
}

/** The changes of the plan; where passwords are rotated, those and then what is planned after them. */
export async function foreseen(
  { secrets, probes }: ForeseeingParts,
  { declared }: Pick<Begun, 'declared'>,
  { plan, input, snapshot }: Pick<Pass, 'plan' | 'input' | 'snapshot'>,
): Promise<readonly Change[]> {
  const { document, catalog } = input;
  const { now } = catalog.server;
  const rotations = [...plan.changes, ...plan.deferred].filter((change) => change.kind === 'rotate_secret');
  if (rotations.length === 0) return plan.changes;
  return secrets.foreseeing(rotations, document, now, async () => {
    const unsettled = secrets.withTurns(declared);
    const credentials = secrets.credentials(unsettled, input);
    const { stale } = await checkPasswords(credentials, catalog);
    const after = withTurnsEnded(unsettled, snapshot, probes);
    const next = await inTurns(
      planOf({
        ...input,
        document: after,
        withoutSecret: credentials.withoutSecret,
        secrets: secrets.wishes(after, credentials, now),
        passwords: probes.withChanged(stale),
      }),
    );
    return [...rotations, ...next.changes.filter(({ kind }) => kind !== 'rotate_secret')];
  });
}
