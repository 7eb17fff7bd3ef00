// Changes in another database than the ledger's: no transaction spans two, so an intent is recorded before the COMMIT there and closed after it.
import type pg from 'pg';
import type { Change } from '../changes/change.ts';
import { executable, renderBatch } from '../changes/render.ts';
import { isTimeout } from './insist.ts';
import { lockedRelations } from './locked.ts';
import type { ApplyContext, Place } from './run.ts';
import { auditSql, doneSql } from './audit-write.ts';
import { query } from './query.ts';
import { beginSql } from './transaction.ts';

export interface Elsewhere extends Place {
  /** One transaction for a batch. @throws whatever the server answers; nothing of the batch is then done, unless the session broke. */
  send(batch: readonly Change[], lockTimeout: number): Promise<void>;
  /** Does something in the session, where one is open and all that was sent has succeeded. */
  afterwards(work: (client: pg.ClientBase) => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

type ElsewhereContext = Pick<
  ApplyContext,
  'connections' | 'ledger' | 'fence' | 'render' | 'loans' | 'source' | 'why' | 'whyOf' | 'revision' | 'repeats' | 'statementTimeout' | 'lockTimeout'
>;

/** A session in a database, opened when it is needed and again after a failure. */
export function createElsewhere(database: string, context: ElsewhereContext): Elsewhere {
  let session: pg.Client | undefined;
  /** @returns the number of each row by the place of its record, from 1 on, where that is asked for. */
  const record = (statements: readonly string[]): Promise<ReadonlyMap<number, number>> =>
    context.connections.withAdmin(async (client) => {
      const results = await query(client, [beginSql(context), context.fence, ...statements, 'COMMIT'].join(';\n'));
      return new Map((results.at(-2) ?? []).map(([place, id]) => [Number(place), Number(id)]));
    });
  /** The closing of the last batch's intents, which runs beside the statements of the next. */
  let closing: Promise<unknown> | undefined;
  const closeLast = async (): Promise<void> => {
    const last = closing;
    closing = undefined;
    await last;
  };
  const end = async (): Promise<void> => {
    const client = session;
    session = undefined;
    await client?.end().catch(() => undefined);
  };
  return {
    close: async () => {
      await end();
      await closeLast();
    },
    afterwards: async (work) => {
      if (session !== undefined) await work(session);
    },
    locked: async () => {
      session ??= await context.connections.open(database);
      return lockedRelations(session, context.render.major);
    },
    send: async (batch, lockTimeout) => {
      const { before, after } = context.loans(batch);
      const statements = renderBatch(
        batch.map((change) => executable(change)),
        context.render,
      );
      session ??= await context.connections.open(database);
      try {
        await session.query([beginSql({ ...context, lockTimeout }), context.fence, ...before, ...statements, ...after].join(';\n'));
        await closeLast();
        // What fails leaves no intent behind: the statements have succeeded by now, and only the COMMIT is open.
        const ids = context.ledger
          ? await record(
              auditSql(
                batch.map((change) => ({ change, outcome: 'intent' })),
                context,
                true,
              ),
            )
          : new Map<number, number>();
        await session.query('COMMIT');
        // What is only counted has no row to close: a crash in between counts it once too often.
        if (ids.size === 0) return;
        const begun = batch.flatMap((change, index) => (ids.has(index + 1) ? [change] : []));
        closing = record(doneSql(begun, [...ids.values()]));
        // Whoever waits for it hears of a failure; until then it is nobody's.
        closing.catch(() => undefined);
      } catch (error) {
        // A lock that is not to be had is a thing of every day: whoever takes a batch apart does not log in for each part.
        if (!isTimeout(error)) await end();
        else await session?.query('ROLLBACK').catch(end);
        throw error;
      }
    },
  };
}
