// When connection Secrets are written: what they wait for, and what they do not.
import { expect, it } from 'vitest';
import type { Change } from '../../src/changes/change.ts';
import type { Notice } from '../../src/changes/notice.ts';
import { nextStep, planConnections } from '../../src/plan/secrets/secret-plan.ts';
import { read } from '../document/read.ts';

const document = read(`
roles: [{name: outer, memberOf: [inner]}, {name: inner}, {name: other}]
users: [{username: alice, roles: [outer], connectionSecret: db}, {username: bob, roles: [other]}]`);
type Write = Extract<Change, { kind: 'write_connection_secret' }>;
const write = (more: Partial<Write> = {}): Write => ({
  kind: 'write_connection_secret',
  role: 'alice',
  namespace: 'n',
  secret: 'db',
  reason: 'new',
  isBroken: false,
  ...more,
});
const comment = (role: string): Change => ({ kind: 'set_comment', role, comment: 'x' });
const pending = (subject: string): Notice => ({ kind: 'pending', subject, message: '' });
const plan = (change: Write, changes: readonly Change[], notices: readonly Notice[], isDeferred = false) =>
  planConnections(
    { create: [], rotate: [], rotationDue: new Map(), write: [change], told: new Map(), notices: [] },
    document,
    { changes, notices },
    () => true,
    () => isDeferred,
  );
const isWritten = (change: Write, changes: readonly Change[], notices: readonly Notice[] = []): boolean => plan(change, changes, notices).changes.length === 1;

it('a first one waits for everything that its user and the roles behind it still lack, and for nobody else', () => {
  expect(isWritten(write(), [])).toBe(true);
  for (const name of ['alice', 'outer', 'inner']) {
    expect(isWritten(write(), [comment(name)]), name).toBe(false);
    expect(isWritten(write(), [], [pending(name)]), name).toBe(false);
  }
  expect(isWritten(write(), [comment('bob'), comment('other')], [pending('other'), { kind: 'held', subject: 'alice', message: '' }])).toBe(true);
  const [notice] = plan(write(), [comment('bob')], [pending('inner'), pending('outer')]).notices;
  expect(notice).toMatchObject({ kind: 'pending', subject: 'alice', position: { line: 3 } });
  expect(notice?.message).toMatch(/something is still missing for inner, outer$/);
});

it('one whose password no longer works waits for nothing but the new password', () => {
  const broken = write({ reason: 'rotated', isBroken: true });
  expect(isWritten(broken, [comment('alice')], [pending('inner')])).toBe(true);
  expect(isWritten(broken, [{ kind: 'set_password', role: 'alice', reason: 'rotated' }])).toBe(false);
  expect(isWritten(write({ reason: 'changed' }), [comment('alice')])).toBe(false);
});

it('one that failed waits as everything does', () => {
  expect(plan(write(), [], [], true)).toEqual({ changes: [], deferred: [write()], notices: [] });
});

it('Secrets for passwords are made first and alone, and connection Secrets when nothing is left to do on the server', () => {
  const create: Change = { kind: 'create_secret', role: 'bob', secret: 's', key: 'k', spec: { kind: 'generate', length: 32, alphabet: 'hex' } };
  const all = [create, comment('bob'), write()];
  expect(nextStep(all, [], document)).toEqual([create]);
  expect(nextStep(all.slice(1), [], document)).toEqual([comment('bob')]);
  expect(nextStep(all.slice(2), [], document)).toEqual([write()]);
  expect(nextStep(all.slice(2), [comment('inner')], document)).toEqual([]);
});
