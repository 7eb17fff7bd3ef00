// What a failure means: only what really comes from a session or the network breaks the whole; what our own code throws never does.
import { readFileSync } from 'node:fs';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { classify, mayPass, notOpened } from '../../src/postgres/failures.ts';

const coded = (code: string, more: object = {}): Error => Object.assign(new Error('x'), { code, ...more });
const answer = (code: string, severity: string): Error => Object.assign(new pg.DatabaseError('x', 1, 'error'), { code, severity });

describe('is a broken session', () => {
  it.each(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENOTFOUND', '57P01', '08006', 'ERR_SSL_WRONG_VERSION_NUMBER'])('%s', (code) =>
    expect(classify(coded(code))).toBe('connection'),
  );
  it.each([coded('ENETUNREACH', { syscall: 'connect' }), coded('ECONNABORTED', { syscall: 'write' })])(
    'an error of the network that nobody has heard of: %o',
    (error) => expect(classify(error)).toBe('connection'),
  );
  it.each([answer('57P01', 'FATAL'), answer('25P04', 'FATAL'), answer('08P01', 'FATAL')])('whatever the server ends it with: %o', (error) =>
    expect(classify(error)).toBe('connection'),
  );
  it('whatever keeps one from being opened', () => {
    for (const error of [new Error('SASL: SCRAM-SERVER-FINAL-MESSAGE: server signature does not match'), coded('DEPTH_ZERO_SELF_SIGNED_CERT'), coded('ENOENT')])
      expect(classify(notOpened(error))).toBe('connection');
  });
  it('every message that pg gives a query when its session broke or it took too long', () => {
    const source = readFileSync(new URL('../../node_modules/pg/lib/client.js', import.meta.url), 'utf8');
    const messages = [...source.matchAll(/Error\('([^'\n]*(?:onnection terminated|timeout|queryable|expired)[^'\n]*)'/g)].map(([, message]) => message ?? '');
    expect(messages.length).toBeGreaterThanOrEqual(5);
    for (const message of messages) expect([message, classify(new Error(message))]).toEqual([message, 'connection']);
  });
});

describe('is one change alone', () => {
  it.each([
    new RangeError('the name «x» has 70 bytes'),
    new TypeError('x is undefined'),
    coded('ERR_INVALID_ARG_TYPE'),
    coded('ENOENT', { syscall: 'open' }),
    'text',
    undefined,
  ])('what our own code throws: %o', (error) => {
    expect(classify(error)).toBe('defect');
    expect(mayPass(error)).toBe(false);
  });
  it.each(['57P01', '53300', '08006', 'EPIPE'])('a code that somebody else raises in a statement: %s', (code) =>
    expect(classify(answer(code, 'ERROR'))).toBe('refused'),
  );
});
