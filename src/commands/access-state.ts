// The server as a snapshot has it, or as a plan would leave it: for the verbs that say who may do what.
import { beforeChanges } from '../access/difference.ts';
import { afterChanges } from '../access/after.ts';
import type { AccessState } from '../access/state.ts';
import type { Change } from '../changes/change.ts';
import { section } from '../explain/say.ts';
import type { ObjectReference } from '../explain/object-name.ts';
import { type Answer, refusalOf, sayAnswer } from './access.ts';
import { liveServer, planFrom, warning } from './plan.ts';
import { OLDER_SNAPSHOT } from './plan-access.ts';
import { readPlanInputs } from './plan-inputs.ts';
import { openSnapshot } from './plan-snapshot.ts';
import { withProgress } from './progress.ts';
import { settingsFrom } from './settings.ts';
import { type Given, type Program, UsageError } from './verb.ts';

export interface AccessStates {
  /** What is asked: after the plan where there is one. */
  readonly now: AccessState;
  /** Before the plan, with its roles as they are called afterwards; undefined where there is no plan. */
  readonly before: AccessState | undefined;
  readonly asRead: AccessState;
  readonly changes: readonly Change[];
  /** Databases that were asked for and not read, and why. */
  readonly unread: ReadonlyMap<string, string>;
  readonly adminDatabase: string;
  /** Of the plan, what cannot be known before. */
  readonly unknown: readonly string[];
  /** Why the audit log is not asked. */
  readonly noAudit: string;
  /** Roles that the ledger in a snapshot has, and the document that each is of. */
  readonly sources: ReadonlyMap<string, string>;
}

/** What is read of the live server. */
export interface AccessWish {
  readonly isWanted: (database: string, adminDatabase: string) => boolean;
  readonly columns: boolean;
}

const ONLY_FOR_PLANS = ['document', 'secrets', 'without-secrets'];

/**
 * Answers from a snapshot, or from the state after a plan.
 * @param reads options of a document that mean something without a plan as well.
 * @returns the exit code; undefined where neither is asked for, and the live server has the answer.
 * @throws UsageError
 */
export async function answerFromState(
  given: Given,
  self: Program,
  wish: AccessWish,
  work: (states: AccessStates) => Promise<Answer>,
  reads: readonly string[] = [],
): Promise<number | undefined> {
  const isAfter = given.options.has('after-plan');
  const alone = ONLY_FOR_PLANS.filter((name) => given.options.has(name) && !reads.includes(name));
  if (!isAfter && alone.length > 0) throw new UsageError(`--${alone[0]} is about a plan: --after-plan asks the server as that would leave it`);
  if (!isAfter && !given.options.has('snapshot') && !given.options.has('snapshot-max-age')) return undefined;
  try {
    const states = await statesOf(given, self, wish, isAfter);
    const { code, lines, data } = await work(states);
    return await sayAnswer(given, self, {
      code,
      lines: [...lines, ...section('not known of the plan', states.unknown)],
      data: { ...data, unknown: states.unknown },
    });
  } catch (error) {
    throw refusalOf(error);
  }
}

async function statesOf(given: Given, self: Program, { isWanted, columns }: AccessWish, isAfter: boolean): Promise<AccessStates> {
  const config = settingsFrom(given, self);
  // Without a plan nobody misses a Secret.
  const asked = isAfter ? given : { ...given, options: new Map([...given.options, ['without-secrets', true as const]]) };
  const fromSnapshot = await openSnapshot(asked, config, self, warning(self));
  const { place, access, close, address } = fromSnapshot?.open ?? liveServer(config, self);
  try {
    return await withProgress(self.stderr, fromSnapshot === undefined ? 'reading the server' : 'reading the snapshot', async () => {
      const changes = isAfter ? await plannedChanges(fromSnapshot?.given ?? given, self, fromSnapshot?.config ?? config, place) : [];
      const read = await access(({ name }) => isWanted(name, address.adminDatabase) || name === 'template1', { beside: true, columns });
      if (read === undefined) throw new UsageError(OLDER_SNAPSHOT);
      const { state, unread } = read;
      const after = isAfter ? afterChanges(state, changes) : undefined;
      return {
        now: after ?? state,
        before: after === undefined ? undefined : beforeChanges(state, changes),
        asRead: state,
        changes,
        unread,
        adminDatabase: address.adminDatabase,
        unknown: after?.unknown ?? [],
        noAudit: fromSnapshot === undefined ? 'it is not asked of a server as a plan would leave it' : 'a snapshot has no audit log',
        sources: fromSnapshot?.sources ?? new Map(),
      };
    });
  } catch (error) {
    throw fromSnapshot === undefined ? error : fromSnapshot.refused(error);
  } finally {
    await close();
  }
}

async function plannedChanges(
  given: Given,
  self: Program,
  config: Parameters<typeof readPlanInputs>[1],
  place: Parameters<typeof planFrom>[1],
): Promise<readonly Change[]> {
  const inputs = await readPlanInputs(given, config, self, warning(self));
  try {
    const planned = await planFrom(inputs, place);
    if (planned === undefined) throw new UsageError('there is no plan: the document cannot be used, see pgsteward validate');
    return planned.changes;
  } finally {
    await inputs.close();
  }
}

/** Why nothing can be said of a database; nothing where it was read. @throws UsageError */
export function refuseUnread({ unread, now }: AccessStates, database: string): void {
  const reason = unread.get(database);
  if (reason !== undefined && !now.databases.has(database)) throw new UsageError(`database ${database} was not read: ${reason}`);
}

/** Whether something is read for an object: its database, or where all is asked that is in none. */
export const isIn =
  ({ database }: Pick<ObjectReference, 'database'>): AccessWish['isWanted'] =>
  (name, adminDatabase) =>
    name === (database ?? adminDatabase);
