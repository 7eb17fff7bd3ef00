// Changes in another database than the ledger's: no transaction spans two, so an intent is recorded before the COMMIT there and closed after it.
import type pg from 'pg';
import type { Change } from '../core/change.ts';
import { renderBatch } from '../core/sql.ts';
import { type ApplyContext, ledgerFacts } from './run-batch.ts';
import { auditSql } from './ledger-write.ts';
import { query } from './query.ts';
import { beginSql } from './transaction.ts';

export interface Elsewhere {
  /** One transaction for a batch. @throws whatever the server answers; nothing of the batch is then done, unless the session broke. */
  send(batch: readonly Change[]): Promise<void>;
  close(): Promise<void>;
}

type ElsewhereContext = Pick<ApplyContext, 'connections' | 'ledger' | 'fence' | 'render' | 'source' | 'why' | 'statementTimeout' | 'lockTimeout'>;

/** A session in a database, opened when it is needed and again after a failure. */
export function createElsewhere(database: string, context: ElsewhereContext): Elsewhere {
  let session: pg.Client | undefined;
  const facts = ledgerFacts(context);
  const record = (statements: readonly string[]): Promise<readonly number[]> =>
    context.connections.withAdmin(async (client) => {
      const results = await query(client, [beginSql(context), context.fence, ...statements, 'COMMIT'].join(';\n'));
      return (results.at(-2) ?? []).map((row) => Number(row[0]));
    });
  /** The closing of the last batch's intents, which runs beside the statements of the next. */
  let closing: Promise<unknown> | undefined;
  const settle = async (): Promise<void> => {
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
      await settle();
    },
    send: async (batch) => {
      session ??= await context.connections.open(database);
      try {
        await session.query([beginSql(context), context.fence, ...renderBatch(batch, context.render)].join(';\n'));
        await settle();
        // What fails leaves no intent behind: the statements have succeeded by now, and only the COMMIT is open.
        const ids = context.ledger
          ? await record(
              auditSql(
                batch.map((change) => ({ change, outcome: 'intent' })),
                facts,
                ' RETURNING id',
              ),
            )
          : [];
        await session.query('COMMIT');
        if (ids.length === 0) return;
        closing = record(
          auditSql(
            batch.map((change, index) => ({ change, outcome: 'applied', intent: ids[index] ?? 0 })),
            facts,
          ),
        );
        // Whoever waits for it hears of a failure; until then it is nobody's.
        closing.catch(() => undefined);
      } catch (error) {
        await end();
        throw error;
      }
    },
  };
}
