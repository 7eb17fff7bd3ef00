// What an entry says about its password and its connection Secret.
import { expect, it } from 'vitest';
import { hasPassword } from '../../src/model/entries.ts';
import { only, problemsOf } from './read.ts';

const user = (more: string) => only(`users:\n  - username: alice\n    ${more}\n`);

it('a password is generated with 32 letters and digits unless the entry says more', () => {
  expect(user('login: true').password).toBeUndefined();
  expect(user('password: {generate: {}}').password).toEqual({ kind: 'generate', length: 32, alphabet: 'alphanumeric' });
  expect(user('password: {generate: {alphabet: hex}}').password).toEqual({ kind: 'generate', length: 32, alphabet: 'hex' });
  expect(user('password: {generate: {length: 22}}').password).toEqual({ kind: 'generate', length: 22, alphabet: 'alphanumeric' });
});

it('fewer than 128 bits are refused, with the length that would be enough', () => {
  const problem = (spec: string) => problemsOf(`users: [{username: alice, password: {generate: ${spec}}}]`).join('\n');
  expect(problem('{length: 22}')).toBe('');
  expect(problem('{length: 21}')).toContain('takes a length of 22');
  expect(problem('{length: 31, alphabet: hex}')).toContain('takes a length of 32');
  for (const length of ['0', '-1', '2.5', 'x', 'null', '1025', '[32]']) expect(problem(`{length: ${length}}`), length).not.toBe('');
});

it('without a password the entry needs no Secret, so that a name which leads to no Secret is fine', () => {
  const alice = user('password: none');
  expect([alice.password, hasPassword(alice), alice.login]).toEqual([{ kind: 'none' }, false, true]);
  expect(problemsOf('users: [{username: a.-b, password: none}, {username: x_y, password: none}, {username: x-y}]')).toEqual([]);
});

it('a connection Secret is a name, or a mapping with everything', () => {
  expect(user('connectionSecret: alice-db').connectionSecret).toMatchObject({ name: 'alice-db', namespace: undefined, database: undefined });
  const whole = user(
    "connectionSecret: {name: db, namespace: team-a, database: shop, template: {DSN: 'user={{username}}', P: '{{ ro-uri }}'}, labels: {tier: db}, annotations: {a.b/c: 'any text'}, uris: {ro: {host: replica, port: 5433}}}",
  ).connectionSecret;
  expect(whole).toEqual({
    name: 'db',
    namespace: 'team-a',
    database: 'shop',
    template: new Map([
      ['DSN', 'user={{username}}'],
      ['P', '{{ ro-uri }}'],
    ]),
    labels: new Map([['tier', 'db']]),
    annotations: new Map([['a.b/c', 'any text']]),
    uris: new Map([['ro', { host: 'replica', port: 5433 }]]),
    position: { file: 'users.yaml', line: 3, column: 23 },
  });
});
