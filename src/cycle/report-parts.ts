// Parts of a report: what follows from the inputs, the plan and the outcomes alone, however a cycle ends.
import type { Notice } from '../core/notice.ts';
import type { Plan } from '../core/plan.ts';
import type { Outcome } from '../postgres/run-batch.ts';
import type { Inputs } from './inputs.ts';
import type { CycleReport } from './report.ts';

/** What can hold without any look at the server being needed: everything that it depends on is in the fingerprint or the inputs. */
export const QUIET: ReadonlySet<Notice['kind']> = new Set(['invalid', 'refused', 'secret', 'pending', 'held', 'unmanaged', 'fallback', 'cannot']);

/** Whom a plan manages. */
export const counts = ({ entities, standIns, rotationDue }: Plan): Pick<CycleReport, 'entities' | 'standIns' | 'users' | 'roles' | 'rotationDue'> => {
  const users = [...entities.values()].filter((entity) => entity === 'user').length;
  return { entities, standIns, users, roles: entities.size - users, rotationDue };
};

/** The report of a cycle that came to nothing. */
export const EMPTY: CycleReport = {
  result: 'failed',
  duration: 0,
  why: '',
  planned: [],
  outcomes: [],
  drift: [],
  probes: { same: 0, differs: 0, unknown: 0 },
  problems: [],
  notices: [],
  breakerTripped: false,
  entities: new Map(),
  users: 0,
  roles: 0,
  validity: [],
  standIns: new Map(),
  rotationDue: new Map(),
  adminRotationDue: undefined,
  sourceFailure: undefined,
  error: undefined,
  unchanged: false,
  requests: undefined,
  document: undefined,
  declared: new Map(),
};

/** What a report says of its inputs however the cycle ends. */
export const aboutInputs = (inputs: Inputs | undefined): Pick<CycleReport, 'requests' | 'document' | 'declared'> => ({
  requests: inputs?.requests,
  document: inputs?.followed,
  declared: inputs?.declared ?? EMPTY.declared,
});

/** What a report says of the document and its source. */
export const fromInputs = ({ why, problems, failure }: Inputs): Pick<CycleReport, 'why' | 'problems' | 'sourceFailure'> => ({
  why,
  problems,
  sourceFailure: failure === undefined ? undefined : { reason: failure.reason, message: failure.message },
});

/** Converged and changed mean that everything declared holds, as far as the law and the server let it. */
export function resultOf(inputs: Inputs, notices: readonly Notice[], outcomes: readonly Outcome[]): CycleReport['result'] {
  const isWhole = inputs.failure === undefined && inputs.problems.every((problem) => problem.severity !== 'error');
  if (!isWhole || notices.some((notice) => !['refused', 'pending', 'kept', 'held', 'unmanaged', 'fallback'].includes(notice.kind))) return 'incomplete';
  return outcomes.length > 0 ? 'changed' : 'converged';
}
