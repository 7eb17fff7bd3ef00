// What is neither a document nor a server, at its limit and one over it.
import { expect, it } from 'vitest';
import { atOnce, createPace } from '../../src/model/in-parts.ts';
import { LIMITS } from '../../src/model/limits.ts';
import { readPassword } from '../../src/model/secret-value.ts';
import { mostIterations } from '../../src/plan/secrets/password-check.ts';
import { subjectsOf } from '../../src/plan/privileges/subject.ts';
import { createVerifier, verifierMatches } from '../../src/model/scram.ts';
import { planTrigger } from '../../src/plan/triggers/plan-trigger.ts';
import { NO_TRIGGER } from '../../src/model/trigger-state.ts';
import { rulesDocument } from '../../src/plan/triggers/rules-document.ts';
import { triggerRulesOf } from '../../src/plan/triggers/trigger-rules.ts';
import { describeFailure } from '../../src/postgres/failures.ts';
import { read } from '../document/read.ts';
import { catalogOf } from '../support/pure-plan.ts';

it('a password is as long as it may be, and a verifier in a Secret asks for as many rounds; one more of either is refused, with what it was', () => {
  const of = (text: string): unknown => readPassword(new TextEncoder().encode(text));
  expect(of('ü'.repeat(1024))).toMatchObject({ kind: 'plain' });
  expect(of('ü'.repeat(1025))).toEqual({ kind: 'refused', reason: 'has more than 1024 characters' });
  const key = `${'A'.repeat(43)}=`;
  const verifier = (iterations: number): string => `SCRAM-SHA-256$${iterations}:AAAA$${key}:${key}`;
  expect(of(verifier(LIMITS.verifierIterations))).toMatchObject({ kind: 'verifier' });
  expect(of(verifier(LIMITS.verifierIterations + 1))).toEqual({
    kind: 'refused',
    reason: `is a verifier with more than ${LIMITS.verifierIterations} iterations`,
  });
});

it('a verifier may ask for as many rounds as are computed, or as the server says where that is more, and with one more it is none of ours', async () => {
  const stored = await createVerifier('a password', { iterations: LIMITS.verifierIterations });
  expect(await verifierMatches(stored, 'a password', mostIterations(4096))).toBe(true);
  expect(
    await verifierMatches(stored.replace(`$${LIMITS.verifierIterations}:`, `$${LIMITS.verifierIterations + 1}:`), 'a password', mostIterations(4096)),
  ).toBe(false);
  // What is computed there would match: only the rounds are too many.
  expect(await verifierMatches(await createVerifier('a password', { iterations: 101 }), 'a password', 100)).toBe(false);
  expect([mostIterations(LIMITS.verifierIterations + 1), mostIterations(1)]).toEqual([LIMITS.verifierIterations + 1, LIMITS.verifierIterations]);
});

it('the rules of an event trigger take as many bytes as they may, and with one more the database has none, while its neighbour has', () => {
  const catalog = catalogOf(['r'], []);
  const databases = new Map(
    ['shop', 'other'].flatMap((name) => [...catalog.databases.values()].slice(0, 1).map((facts) => [name, { ...facts, name }] as const)),
  );
  const subjects = (count: number, last: number) => {
    const tables = [...Array.from({ length: count }, (_, index) => `t${`${index}`.padStart(59, '0')}`), 'z'.repeat(last)].join(', ');
    const document = read(
      `roles: [{name: r, grants: [{databases: [shop], schemas: [s], tables: [${tables}], actions: [SELECT]}, {databases: [other], schemas: [s], tables: [t], actions: [SELECT]}]}]\nusers: [{username: u, login: false}]\n`,
    );
    return subjectsOf({ document, catalog, adminDatabase: 'postgres', defaultDatabase: 'postgres', isManaged: () => true });
  };
  const bytesOf = (count: number): number => {
    const rules = atOnce(triggerRulesOf(subjects(count, 1), 'shop', true, createPace()));
    return atOnce(rulesDocument(rules, 'shop', createPace())).bytes;
  };
  const left = LIMITS.triggerRules - bytesOf(0);
  const each = bytesOf(1) - bytesOf(0);
  const planned = (database: string, more: number): unknown => {
    const { changes, notices } = atOnce(
      planTrigger({
        database,
        state: NO_TRIGGER,
        subjects: subjects(Math.floor(left / each), 1 + (left % each) + more),
        policy: 'on',
        catalog: { ...catalog, databases },
        revokes: true,
        isInvalid: false,
        holds: undefined,
        pace: createPace(),
      }),
    );
    return [changes.map(({ kind }) => kind), notices.map(({ message }) => message)];
  };
  expect(planned('shop', 0)).toEqual([['install_event_trigger'], []]);
  expect(planned('shop', 1)).toEqual([[], [expect.stringContaining(`would take ${LIMITS.triggerRules + 1} bytes`)]]);
  expect(planned('other', 1)).toEqual([['install_event_trigger'], []]);
});

it('a message of the server is told as long as it may be, and what is longer is cut', () => {
  expect(describeFailure(new Error('x'.repeat(2000)))).toBe('x'.repeat(2000));
  expect(describeFailure(new Error('x'.repeat(2001)))).toBe(`${'x'.repeat(2000)}…`);
});
