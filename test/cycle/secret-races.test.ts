// No password but a Secret's: an API server that throttles, forgets, loses answers and changes its mind, and a real server whose log says what was set.
import * as fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { parseVerifier, verifierMatches } from '../../src/model/scram.ts';
import { type Answer, type FakeKube, startFakeKube } from '../support/fake-kube.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { resetServer, type Steward } from '../support/steward.ts';

let server: Postgres;
let kube: FakeKube;
let steward: Steward;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());
const start = async (): Promise<void> => {
  kube = await startFakeKube();
  steward = await kube.steward(server);
  server.mark();
};
const end = async (): Promise<void> => {
  await steward.close();
  await kube.close();
  await resetServer(server);
};
beforeEach(start);
afterEach(end);

const THROTTLED: Answer = { status: 429, headers: { 'retry-after': '60' } };
const secretOf = (user: string): string => `user-${user}-secret`;
/** What the server was told to store, by user, in order. */
const set = (): (readonly [string, string])[] =>
  [...server.log().matchAll(/ALTER ROLE "([^"]+)"[^;\n]*? PASSWORD '([^']*)'/g)].map(([, user = '', verifier = '']) => [user, verifier]);

/** Every password that was set is one that the user's Secret held. */
async function expectOnlySecrets(): Promise<void> {
  for (const [user, verifier] of set()) {
    expect(parseVerifier(verifier), `${user}: no verifier was set`).toBeDefined();
    const values = [...new Set(kube.history(secretOf(user)))];
    const matches = await Promise.all(values.map((value) => verifierMatches(verifier, value, 1e6)));
    expect(matches.includes(true), `${user}: what was set stood in no Secret of its`).toBe(true);
  }
}

it('while the API server asks to slow down because of another Secret, a generated password is set as it was made', async () => {
  kube.document([{ username: 'alice', password: { generate: {} } }, { username: 'bob' }]);
  kube.put(secretOf('bob'), 'the-password-of-bob');
  kube.fault = (verb, name) => (verb === 'GET' && name === secretOf('bob') ? THROTTLED : undefined);
  const report = await steward.cycle();
  expect(kube.history(secretOf('alice'))).toHaveLength(1);
  expect(set().map(([user]) => user)).toEqual(['alice']);
  await expectOnlySecrets();
  const [password = ''] = kube.history(secretOf('alice'));
  await (await server.client('postgres', { user: 'alice', password })).end();
  await expect(server.client('postgres', { user: 'alice', password: '********' })).rejects.toThrow('password authentication failed');
  expect(report.notices.filter(({ subject }) => subject === 'alice')).toEqual([]);
});

const FAULTS: Readonly<Record<string, Answer | 'lost'>> = {
  throttled: THROTTLED,
  throttledBriefly: { status: 429, headers: { 'retry-after': '0' } },
  forbidden: { status: 403 },
  broken: { status: 500 },
  nonsense: { status: 200, body: '{"metadata":{}}' },
  lost: 'lost',
};
const users = ['alice', 'bob', 'carol'] as const;
const step = fc.record({
  /** By number of the request for a Secret in this cycle. */
  faults: fc.dictionary(fc.integer({ min: 0, max: 9 }).map(String), fc.constantFrom(...Object.keys(FAULTS)), { maxKeys: 4 }),
  hand: fc.option(fc.record({ user: fc.constantFrom(...users), password: fc.option(fc.string({ unit: 'grapheme-ascii', minLength: 7, maxLength: 12 })) })),
});

it('whatever the API server answers and whoever changes Secrets meanwhile, no password is ever set that is not a Secret’s', async () => {
  await end();
  let passwords = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 5 }), fc.boolean(), async (steps, rotates) => {
      await start();
      kube.document(
        users.map((username) =>
          username === 'carol'
            ? { username }
            : { username, password: { generate: {} }, ...(rotates && username === 'bob' ? { rotation: { every: '90d' } } : {}) },
        ),
      );
      try {
        for (const { faults, hand } of steps) {
          if (hand !== null) kube.put(secretOf(hand.user), hand.password ?? undefined);
          let request = 0;
          kube.fault = (_verb, name) => (name.endsWith('-secret') ? FAULTS[faults[String(request++)] ?? ''] : undefined);
          await steward.cycle();
        }
        await expectOnlySecrets();
        passwords += set().length;
      } finally {
        await end();
      }
    }),
    { numRuns: 30, seed: 11 },
  );
  await start();
  expect(passwords).toBeGreaterThan(30);
}, 120_000);
