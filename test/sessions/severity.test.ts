// The reader of severities passes over whatever a server says of the length of its messages, also where that is none.
import { EventEmitter } from 'node:events';
import { expect, it } from 'vitest';
import type pg from 'pg';
import { keepSeverities } from '../../src/postgres/severity.ts';

const message = (type: string, length: number, body = ''): Buffer => {
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeInt32BE(length, 1);
  return Buffer.concat([head, Buffer.from(body)]);
};
const whole = (type: string, body: string): Buffer => message(type, 4 + body.length, body);

/** What the error of a session says after these chunks. */
function severityAfter(...chunks: readonly Buffer[]): string {
  const stream = new EventEmitter();
  const connection = Object.assign(new EventEmitter(), { stream });
  keepSeverities({ connection } as unknown as pg.Client);
  for (const chunk of chunks) stream.emit('data', chunk);
  const error = { severity: 'FEHLER' };
  connection.emit('errorMessage', error);
  return error.severity;
}

const ERROR = whole('E', 'SFEHLER\0VERROR\0Mno\0\0');

it('an error is found behind rows, wherever the chunks are cut', () => {
  const bytes = Buffer.concat([whole('D', 'row'), whole('D', ''), whole('D', 'x'.repeat(300)), ERROR]);
  for (let cut = 0; cut <= bytes.length; cut += 1) expect(severityAfter(bytes.subarray(0, cut), bytes.subarray(cut))).toBe('ERROR');
});

it.each([-2_147_483_648, -1000, -10, -1, 0, 3])('a message whose length is said to be %d stops nobody', (length) => {
  expect(severityAfter(Buffer.concat([whole('D', 'row'), message('D', length, 'x'.repeat(50))]), ERROR)).toMatch(/^(ERROR|FEHLER)$/);
});
