// Parts of a report: what follows from the inputs, the plan and the outcomes alone, however a cycle ends.
import { aboutNotice, isError, type Notice } from '../changes/notice.ts';
import { guardrailCounts } from '../guard/say.ts';
import type { Plan } from '../plan/plan-input.ts';
import { whyNot } from '../postgres/outage-of.ts';
import type { Outcome } from '../postgres/run.ts';
import { newlineWarnings } from './credentials.ts';
import type { Inputs } from './inputs.ts';
import type { Begun, Pass } from './pass.ts';
import type { CycleReport } from './report.ts';
import { validityEnds } from './validity.ts';

/** Whom a plan manages. */
const counts = ({ entities, turns, rotationDue }: Plan): Pick<CycleReport, 'entities' | 'turns' | 'users' | 'roles' | 'rotationDue'> => {
  const users = [...entities.values()].filter((entity) => entity === 'user').length;
  return { entities, turns, users, roles: entities.size - users, rotationDue };
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
  guardrails: [],
  breakerTripped: false,
  entities: new Map(),
  users: 0,
  roles: 0,
  validity: [],
  turns: new Map(),
  rotationDue: new Map(),
  adminRotationDue: undefined,
  sources: undefined,
  stateUnwritten: false,
  sourceFailure: undefined,
  error: undefined,
  unchanged: false,
  requests: undefined,
  document: undefined,
  declared: new Map(),
};

/** What a report says of its inputs however the cycle ends. */
export const aboutInputs = (inputs: Inputs | undefined): Pick<CycleReport, 'requests' | 'document' | 'sources' | 'declared'> => ({
  requests: inputs?.requests,
  document: inputs?.followed,
  sources: inputs?.document?.sources,
  declared: inputs?.declared ?? EMPTY.declared,
});

/** What a report says of the document and its source. */
export const fromInputs = ({ why, problems, failure }: Inputs): Pick<CycleReport, 'why' | 'problems' | 'sourceFailure'> => ({
  why,
  problems,
  sourceFailure: failure === undefined ? undefined : { reason: failure.reason, message: failure.message },
});

/** The report of a cycle in which nothing could be done, and of the inputs what is known. */
export const failedReport = (error: unknown, inputs: Inputs | undefined, seconds: number, isDeclared: boolean): CycleReport => ({
  ...EMPTY,
  ...aboutInputs(inputs),
  ...(inputs && fromInputs(inputs)),
  duration: seconds,
  error: whyNot(error, isDeclared),
});

/** Converged and changed mean that everything declared holds, as far as the law and the server let it. */
export function resultOf(inputs: Inputs, notices: readonly Notice[], outcomes: readonly Outcome[]): CycleReport['result'] {
  const isWhole = inputs.failure === undefined && inputs.problems.every((problem) => problem.severity !== 'error');
  if (!isWhole || notices.some(isError)) return 'incomplete';
  return outcomes.length > 0 ? 'changed' : 'converged';
}

/** What a cycle says of its first plan: what later ones want is what that has led to. */
export type Opening = Pick<CycleReport, 'planned' | 'drift' | 'breakerTripped'>;

export const openedBy = ({ ledger }: Begun, { plan, drift }: Pass): Opening => ({
  planned: [...ledger, ...plan.changes],
  drift,
  breakerTripped: plan.breakerTripped,
});

/** What was found by the last pass of a cycle. */
export const foundBy = (inputs: Inputs, first: Opening, { plan, input: { document, catalog, guard }, credentials }: Pass): Partial<CycleReport> => ({
  ...fromInputs(inputs),
  problems: [...inputs.problems, ...newlineWarnings(document, credentials)],
  ...first,
  ...counts(plan),
  guardrails: guardrailCounts(guard?.rails ?? [], plan),
  validity: validityEnds(catalog, plan.entities, document),
  breakerTripped: first.breakerTripped || plan.breakerTripped,
});

/** Whether everything holds, or stays as it is until somebody changes the inputs or the server. */
export const isQuiet = ({ plan, input, credentials }: Pass, notices: readonly Notice[]): boolean =>
  input.passedOn.size + credentials.notGenerated.size + plan.changes.length + plan.deferred.length === 0 &&
  notices.every((notice) => aboutNotice(notice).quiet);

/** What the report says while nothing changes. */
export const quietly = (report: Partial<CycleReport>): CycleReport => ({
  ...EMPTY,
  ...report,
  planned: [],
  outcomes: [],
  drift: [],
  result: report.result === undefined || report.result === 'changed' ? 'converged' : report.result,
});
