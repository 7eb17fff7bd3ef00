// A plan as all outputs show it: one value that JSON can hold. Names and sentences are as they are; whoever writes them for people puts them on one line.
import { type Change, databaseOf, objectOf, sentenceOf, subjectOf } from '../changes/change.ts';
import type { RenderOptions } from '../changes/definition.ts';
import { type Loss, lossOf } from '../changes/loss.ts';
import { isError, type Notice, type NoticeKind } from '../changes/notice.ts';
import { showChange } from '../changes/shown.ts';
import { definitionOf } from '../changes/table.ts';
import { targetNames } from '../changes/target.ts';
import type { Problem } from '../model/entries.ts';
import { PUBLIC } from '../model/contents.ts';
import type { Planned } from '../steward/plan-once.ts';
import type { ShownAccess } from './plan-access.ts';
import { type ShownProblem, shownProblem } from './verdict.ts';

export interface ShownChange {
  readonly kind: Change['kind'];
  /** What somebody has no longer after it; null for nothing. */
  readonly loses: Loss | null;
  /** Whom it is about, as `PUBLIC` for everybody; null for nobody. */
  readonly role: string | null;
  /** The database that it is made in; null where it concerns all of them. */
  readonly database: string | null;
  readonly object: string;
  readonly sentence: string;
  /** What its sentence only counts: all objects, where they are several. */
  readonly names: readonly string[];
  readonly sql: readonly string[];
}

export interface ShownNotice {
  readonly kind: NoticeKind;
  readonly subject: string | null;
  readonly message: string;
  /** What somebody else can run, and where (null: anywhere). */
  readonly sql: string | null;
  readonly sqlDatabase: string | null;
}

/** What a plan comes to, and the exit code of it. */
export type PlanResult = 'as_declared' | 'differs' | 'error' | 'refused';

export const EXIT_CODES: Readonly<Record<PlanResult, number>> = { as_declared: 0, differs: 2, error: 1, refused: 3 };

export interface ShownServer {
  readonly host: string;
  readonly port: number;
  readonly adminDatabase: string;
  /** As whom it was read. */
  readonly login: string;
  /** Its major version. */
  readonly major: number;
  readonly systemIdentifier: string | null;
  /** By its own clock, when it was read. */
  readonly readAt: string;
  /** null: it was read for this plan. */
  readonly snapshot: ShownSnapshot | null;
}

/** That the server is as a snapshot has it. */
export interface ShownSnapshot {
  /** By our clock. */
  readonly ageSeconds: number;
  /** Much may be otherwise by now. */
  readonly isStale: boolean;
}

export interface PlanView {
  /** Fields may be added; what else changes makes it 2. */
  readonly version: 1;
  readonly result: PlanResult;
  /** null where the document cannot be used, and no server was read for it. */
  readonly server: ShownServer | null;
  /** Where the document is. */
  readonly document: string;
  /** false: passwords were left out. */
  readonly withSecrets: boolean;
  /** In the order of execution. */
  readonly changes: readonly ShownChange[];
  /** What would only be remembered: the server is as declared without it. */
  readonly remembered: readonly ShownChange[];
  /** Wanted, and waiting for something that cannot be done. */
  readonly waiting: readonly ShownChange[];
  readonly notices: readonly ShownNotice[];
  readonly problems: readonly ShownProblem[];
  /** What logins gain and lose; left out where nobody asked for it. */
  readonly access?: ShownAccess;
}

export interface ViewInput {
  readonly source: string;
  readonly withSecrets: boolean;
  readonly problems: readonly Problem[];
  readonly within: ReadonlyMap<string, string>;
  /** undefined where there is no document to plan for. */
  readonly planned: Planned | undefined;
  readonly address: Pick<ShownServer, 'host' | 'port' | 'adminDatabase' | 'snapshot'>;
}

/** What is shown of a plan. */
export function viewOf({ source, withSecrets, problems, within, planned, address }: ViewInput): PlanView {
  const all = planned?.changes ?? [];
  const notices = planned?.plan.notices ?? [];
  const waiting = planned?.plan.deferred ?? [];
  const render = renderOf(planned);
  const shown = (changes: readonly Change[]): readonly ShownChange[] => changes.map((change) => shownChange(change, render));
  const isMemory = (change: Change): boolean => definitionOf(change).isMemory === true;
  const changes = all.filter((change) => !isMemory(change));
  // Nobody has more or less by what pgsteward keeps for itself, and an import is followed by a plan that ends with 0.
  const differs = waiting.length > 0 || changes.some((change) => definitionOf(change).isOwn !== true);
  return {
    version: 1,
    result: resultOf(differs, notices, problems, planned === undefined),
    server: planned === undefined ? null : serverOf(planned, address),
    document: source,
    withSecrets,
    changes: shown(changes),
    remembered: shown(all.filter(isMemory)),
    waiting: shown(waiting),
    notices: notices.map(shownNotice),
    problems: problems.map((problem) => shownProblem(problem, within)),
  };
}

/** An error says that not everything was looked at, so it stands over a refusal, and that over a difference. */
export function resultOf(differs: boolean, notices: readonly Notice[], problems: readonly Problem[], isUnread: boolean): PlanResult {
  if (isUnread || problems.some(({ severity }) => severity === 'error') || notices.some((notice) => isError(notice) && notice.kind !== 'breaker'))
    return 'error';
  if (notices.some(({ kind }) => kind === 'refused' || kind === 'guardrail_refused' || kind === 'breaker')) return 'refused';
  return differs || notices.some(({ kind }) => kind === 'held') ? 'differs' : 'as_declared';
}

const renderOf = (planned: Planned | undefined): RenderOptions => ({
  major: planned?.input.catalog.server.major ?? 0,
  grantor: planned?.input.catalog.server.grantor ?? '',
});

const serverOf = ({ input: { catalog } }: Planned, { snapshot, ...address }: ViewInput['address']): ShownServer => ({
  ...address,
  login: catalog.server.admin,
  major: catalog.server.major,
  systemIdentifier: catalog.server.place.server,
  readAt: new Date(catalog.server.now).toISOString(),
  snapshot,
});

function shownChange(change: Change, render: RenderOptions): ShownChange {
  const subject = subjectOf(change);
  return {
    kind: change.kind,
    loses: lossOf(change) ?? null,
    role: subject === '' ? null : subject === PUBLIC ? 'PUBLIC' : subject,
    database: databaseOf(change) || null,
    object: objectOf(change),
    sentence: sentenceOf(change),
    names: namesIn(change),
    sql: showChange(change, render),
  };
}

function namesIn(change: Change): readonly string[] {
  const names = 'on' in change ? targetNames(change.on) : 'names' in change ? change.names : [];
  return names.length > 1 ? names : [];
}

export const shownNotice = ({ kind, subject, message, advice }: Notice): ShownNotice => ({
  kind,
  subject: subject === '' ? null : subject === PUBLIC ? 'PUBLIC' : subject,
  message,
  sql: advice?.sql ?? null,
  sqlDatabase: advice === undefined || advice.database === '' ? null : advice.database,
});
