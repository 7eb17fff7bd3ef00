// Segments: everything for one database, on a session of its own, or on several side by side where much is granted.
import { type Change, databaseOf, namesOf } from '../changes/change.ts';
import { KINDS, type ObjectKind } from '../model/kinds.ts';
import { statementKey } from '../changes/render.ts';
import { sideBySide } from '../async/side-by-side.ts';
import { createElsewhere, type Elsewhere } from './elsewhere.ts';
import { classify, describeFailure } from './failures.ts';
import { batches, batchSql } from './batch-sql.ts';
import type { ApplyContext, Place, Run } from './run.ts';
import { inAdminDatabase, runBatch } from './run-batch.ts';

/** Where a lane's batches are sent. */
interface Session extends Place {
  /** Called with the next batch while the server works on one. */
  readonly prepare?: (batch: readonly Change[]) => void;
  /** Called when all batches of a database are done. */
  readonly afterwards?: Elsewhere['afterwards'];
  readonly close: () => Promise<void>;
}

/** Sessions for one database at most. */
const LANES = 4;
/** So many objects are worth a further session. */
const WORTH = 1000;
/** There can be thousands of what is in schemas, and a GRANT on one of them concerns no other object; but one on a column concerns its table. */
const isManifold = (kind: ObjectKind): boolean => KINDS[kind].scope === 'schema' && kind !== 'column';

/**
 * Runs the changes of each database, several databases side by side. A database that cannot be reached is its own failure.
 * @throws when the session of the admin database breaks, the server is read-only or the writer's lock is lost.
 */
export async function runSegments(run: Run, changes: readonly Change[], adminDatabase: string): Promise<void> {
  const segments = Map.groupBy(changes, databaseOf);
  const lanes = Math.min(LANES, Math.max(1, Math.floor(run.context.sessions / Math.max(1, segments.size))));
  await sideBySide(run.context.sessions, [...segments], ([database, segment]) => runSegment(run, database === '' ? adminDatabase : database, segment, lanes));
}

async function runSegment(run: Run, database: string, segment: readonly Change[], lanes: number): Promise<void> {
  const { context } = run;
  const isAdmin = database === context.adminDatabase;
  const open = (): Session => (isAdmin ? writtenAhead(context) : createElsewhere(database, context));
  try {
    await runLanes(run, open, segment, lanes, (client) => context.rereading?.read(database, client) ?? Promise.resolve());
  } catch (error) {
    if (isAdmin || context.signal.aborted || classify(error) !== 'connection') throw error;
    const message = describeFailure(error);
    const told = new Set(run.outcomes.map((outcome) => outcome.change));
    for (const change of segment) if (!told.has(change)) run.outcomes.push({ change, result: 'failed', class: 'connection', message });
  }
}

type Afterwards = Parameters<Elsewhere['afterwards']>[0];

/** What is worth several sessions is done by them side by side, between what comes before and after it; everything else by one. */
async function runLanes(run: Run, open: () => Session, segment: readonly Change[], most: number, afterwards: Afterwards): Promise<void> {
  const wide = lanesOf(segment.filter(isWide), most);
  if (wide.length < 2) return runLane(run, open, segment, afterwards);
  const first = segment.findIndex(isWide);
  await runLane(run, open, segment.slice(0, first));
  // All of them end before a failure is heard of: what one began is not left running.
  const ends = await Promise.allSettled(wide.map((lane) => runLane(run, open, lane)));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  await runLane(
    run,
    open,
    segment.slice(first).filter((change) => !isWide(change)),
    afterwards,
  );
}

const isWide = (change: Change): boolean => change.kind === 'grant_privilege' && isManifold(change.on.object);

/** The changes on so many sessions as they are worth; those that share an object share a lane. */
function lanesOf(changes: readonly Change[], most: number): readonly (readonly Change[])[] {
  const groups = [...Map.groupBy(changes, (change) => ('on' in change ? `${change.on.object} ${change.on.schema}` : '')).values()].map((group) => {
    const statements = new Map(group.map((change) => [statementKey(change), namesOf(change).length]));
    return { group, weight: [...statements.values()].reduce((sum, names) => sum + names, 0) };
  });
  const total = groups.reduce((sum, { weight }) => sum + weight, 0);
  const lanes = Array.from({ length: Math.min(most, Math.ceil(total / WORTH)) }, () => ({ changes: [] as Change[], weight: 0 }));
  for (const { group, weight } of groups.toSorted((a, b) => b.weight - a.weight)) {
    const lightest = lanes.reduce((a, b) => (b.weight < a.weight ? b : a));
    lightest.changes.push(...group);
    lightest.weight += weight;
  }
  return lanes.map((lane) => lane.changes);
}

async function runLane(run: Run, open: () => Session, lane: readonly Change[], afterwards?: Afterwards): Promise<void> {
  if (lane.length === 0) return;
  const session = open();
  try {
    const list = batches(lane, run.context);
    for (const [index, batch] of list.entries()) {
      const running = runBatch(run, batch, session);
      // Its failure is heard of below.
      running.catch(() => undefined);
      const next = list[index + 1];
      if (next !== undefined) session.prepare?.(next);
      await running;
    }
    if (afterwards !== undefined && !run.context.signal.aborted) await session.afterwards?.(afterwards);
  } finally {
    await session.close();
  }
}

/** Batches for the admin database go through the pool; their texts are written ahead. */
function writtenAhead(context: ApplyContext): Session {
  const texts = new Map<readonly Change[], string>();
  const { send, locked } = inAdminDatabase(context);
  return {
    send: (batch, lockTimeout) => {
      const text = texts.get(batch);
      texts.delete(batch);
      return text === undefined || lockTimeout !== context.lockTimeout
        ? send(batch, lockTimeout)
        : context.connections.withAdmin((client) => client.query(text));
    },
    locked,
    prepare: (batch) => {
      try {
        texts.set(batch, batchSql(batch, new Map(), context));
      } catch {
        // When its turn comes, the one of it that cannot be written fails alone.
      }
    },
    close: async () => undefined,
  };
}
