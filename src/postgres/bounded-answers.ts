// Answers of the server are bounded, and are messages of its protocol, from the first byte on: of several servers, whoever answers for one must not end, fill or hang the process.
import type pg from 'pg';
import { LIMITS } from '../model/limits.ts';
import { createMessageCheck, NoMessage } from './message-check.ts';

type Listener = (chunk: Buffer) => void;

interface Stream {
  readonly destroyed: boolean;
  on(event: 'data' | 'end', listener: Listener): void;
  destroy(error: Error): void;
}

interface Wire {
  readonly connection: {
    attachListeners(stream: Stream): void;
    on(event: 'readyForQuery' | 'notification', listener: () => void): void;
  };
}

export class AnswerTooLarge extends Error {
  override readonly name = 'AnswerTooLarge';

  constructor() {
    super(
      `the server's answer has more than ${LIMITS.answerBytes / 1_048_576} MiB or ${LIMITS.answerRows} rows, which is more than is read, and nothing is concluded from a part of it`,
    );
  }
}

/**
 * Ends the session where an answer is longer than LIMITS.answerBytes, or has more rows than LIMITS.answerRows: rows cannot be refused one by one, and a single one may have a gigabyte. And where pg
 * cannot read it: what it throws then would end the process. To be called before the client connects.
 */
export function boundAnswers(client: pg.Client): void {
  const { connection } = client as unknown as Wire;
  let [received, messages] = [0, 0];
  const begin = (): void => {
    [received, messages] = [0, 0];
  };
  connection.on('readyForQuery', begin);
  // Those come between answers.
  connection.on('notification', begin);
  const attach = connection.attachListeners.bind(connection);
  connection.attachListeners = (stream) => {
    const check = createMessageCheck();
    const guarded =
      (read: Listener): Listener =>
      (chunk) => {
        // What was on its way already when the session was ended.
        if (stream.destroyed) return;
        try {
          received += chunk.length;
          messages += check(chunk);
          if (received > LIMITS.answerBytes || messages > LIMITS.answerRows) throw new AnswerTooLarge();
          read(chunk);
        } catch (error) {
          stream.destroy(error instanceof AnswerTooLarge || error instanceof NoMessage ? error : new NoMessage(error));
        }
      };
    attach({ ...NO_STREAM, on: (event, listener) => stream.on(event, event === 'data' ? guarded(listener) : listener) });
  };
}

/** pg only listens to it. */
const NO_STREAM = { destroyed: false, destroy: () => undefined };
