// Answers of the server are bounded: whoever may make roles, objects or settings decides how long they are.
import type pg from 'pg';
import { LIMITS } from '../model/limits.ts';

interface Wire {
  readonly connection: {
    readonly stream: { on(event: 'data', listener: (chunk: Buffer) => void): void; destroy(error: Error): void };
    on(event: 'readyForQuery' | 'notification', listener: () => void): void;
  };
}

export class AnswerTooLarge extends Error {
  override readonly name = 'AnswerTooLarge';

  constructor() {
    super(`the server's answer has more than ${LIMITS.answerBytes / 1_048_576} MiB, which is more than is read, and nothing is concluded from a part of it`);
  }
}

/** Ends the session where an answer is longer than LIMITS.answerBytes: rows cannot be refused one by one, and a single one may have a gigabyte. */
export function boundAnswers(client: pg.Client): void {
  const { connection } = client as unknown as Wire;
  let received = 0;
  const begin = (): void => {
    received = 0;
  };
  connection.on('readyForQuery', begin);
  // Those come between answers.
  connection.on('notification', begin);
  connection.stream.on('data', (chunk) => {
    received += chunk.length;
    if (received > LIMITS.answerBytes) connection.stream.destroy(new AnswerTooLarge());
  });
}
