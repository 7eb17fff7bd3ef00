// Leases, hash and precedence against a model: skewed clocks, lost renewals, processes that stand still, partitions between each pair and from the servers.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { renewedBy, see, type LeaseRecord } from '../../src/model/lease.ts';
import { createMembers, MOST_MEMBERS } from '../../src/model/members.ts';
import { ranking } from '../../src/model/rendezvous.ts';
import { createPrecedence } from '../../src/steward/precedence.ts';
import { World } from './world.ts';

const RUNS = Number(process.env['CASES'] ?? 25);

const record: LeaseRecord = { holder: 'a_1', seconds: 15, acquired: 'then', renewed: 'now', transitions: 0 };

it('a Lease is taken from another one only when it did not change for its duration by our own clock, whatever times it says', () => {
  const far = { ...record, renewed: '2099-01-01T00:00:00.000000Z' };
  const past = { ...record, renewed: '1999-01-01T00:00:00.000000Z' };
  for (const one of [record, far, past]) {
    const seen = see(undefined, one, 1000);
    expect(renewedBy('a_2', seen, 15_999, 't')).toBeUndefined();
    // Read again unchanged: no younger for that.
    const again = see(seen, { ...one }, 9000);
    expect(renewedBy('a_2', again, 15_999, 't')).toBeUndefined();
    expect(renewedBy('a_2', again, 16_000, 't')).toEqual({ holder: 'a_2', seconds: 15, acquired: 't', renewed: 't', transitions: 1 });
    expect(renewedBy('a_2', see(again, { ...one, renewed: 'later' }, 15_000), 29_999, 't')).toBeUndefined();
  }
});

it('our own Lease is renewed whenever we like, one that was given back is taken at once, and nobody is believed for more than a minute', () => {
  expect(renewedBy('a_1', see(undefined, record, 0), 99_999, 't')).toEqual({ ...record, renewed: 't' });
  expect(renewedBy('a_2', see(undefined, { ...record, holder: '' }, 0), 1, 't')).toMatchObject({ holder: 'a_2', transitions: 1 });
  expect(renewedBy('a_2', undefined, 1, 't')).toMatchObject({ holder: 'a_2', acquired: 't', transitions: 0 });
  const greedy = see(undefined, { ...record, seconds: 2_000_000_000, transitions: 2_147_483_647 }, 0);
  expect(renewedBy('a_2', greedy, 59_999, 't')).toBeUndefined();
  expect(renewedBy('a_2', greedy, 60_000, 't')).toMatchObject({ transitions: 2_147_483_647 });
});

it('when a replica goes, only its servers move, and each has one that is preferred', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.string({ minLength: 1, maxLength: 20 }), { minLength: 1, maxLength: 9 }),
      fc.array(fc.string(), { maxLength: 30 }),
      (replicas, servers) => {
        for (const server of servers) {
          const all = ranking(server, replicas);
          expect(all.toSorted()).toEqual(replicas.toSorted());
          expect(ranking(server, replicas.toReversed())).toEqual(all);
          for (const gone of replicas)
            expect(
              ranking(
                server,
                replicas.filter((one) => one !== gone),
              ),
            ).toEqual(all.filter((one) => one !== gone));
        }
      },
    ),
    { numRuns: RUNS },
  );
});

it('2,000 servers are shared evenly by 8 replicas, before and after one goes: the busiest has less than 1.3 of the mean', () => {
  const servers = Array.from({ length: 2000 }, (_, index) => `server-${index}`);
  for (const prefix of ['pgsteward-7f9c6d5b8-', 'a']) {
    const replicas = Array.from({ length: 8 }, (_, index) => `${prefix}${index}`);
    for (const some of [replicas, ...replicas.map((gone) => replicas.filter((one) => one !== gone))]) {
      const load = Map.groupBy(servers, (server) => ranking(server, some)[0]);
      expect(load.size).toBe(some.length);
      expect(Math.max(...[...load.values()].map((all) => all.length)) / (servers.length / some.length)).toBeLessThan(1.3);
    }
  }
});

it('of any number of announcements a bounded number counts, we among them, and what is long gone is told', () => {
  const members = createMembers('us');
  members.listed(new Map(Array.from({ length: 5000 }, (_, index) => [`replica-${String(index).padStart(4, '0')}`, '1'])), 0);
  expect(members.live(1)).toHaveLength(MOST_MEMBERS);
  expect(members.live(1)).toContain('us');
  expect(members.live(1)).toBe(members.live(2));
  for (let now = 5000; now <= 300_000; now += 5000) {
    members.took('us', String(now), now);
    expect(members.live(now).length).toBe(now < 15_000 ? MOST_MEMBERS : 1);
  }
  expect(members.live(300_000)).toEqual(['us']);
  expect([members.forgotten(300_000).size, members.forgotten(300_001).size]).toEqual([0, 1000]);
  expect(members.settledFor(300_001)).toBe(285_001);
});

it('time in which nothing is heard of anybody, as while the API server is away, says of nobody that it is gone', () => {
  const members = createMembers('us');
  const all = new Map([
    ['us', '1'],
    ['other', '1'],
    ['third', '1'],
  ]);
  members.listed(all, 0);
  members.took('us', '2', 5000);
  expect(members.live(1_000_000)).toEqual(['other', 'third', 'us']);
  // It is heard again: whoever lives has its time to renew.
  members.listed(all, 1_000_000);
  members.took('third', '2', 1_004_000);
  members.took('us', '3', 1_009_000);
  expect(members.live(1_014_999)).toEqual(['other', 'third', 'us']);
  members.took('us', '4', 1_015_000);
  expect(members.live(1_015_000)).toEqual(['third', 'us']);
  members.took('other', undefined, 1_016_000);
  members.took('third', undefined, 1_016_000);
  expect(members.live(1_016_000)).toEqual(['us']);
});

it('a lock is given up only to a preferred one that was seen to wait three times in a row, after nobody had come or gone and it had been ours for 15 seconds', () => {
  let now = 0;
  let settled = 0;
  let first = 'other';
  const precedence = createPrecedence({ self: 'us', ranking: () => [first, 'us', 'other'], settledFor: () => settled, hasHeard: () => true, now: () => now });
  precedence.claimed();
  [now, settled] = [14_999, 100_000];
  expect(precedence.heir()).toBeUndefined();
  [now, settled] = [15_000, 14_999];
  expect(precedence.heir()).toBeUndefined();
  settled = 15_000;
  expect(precedence.heir()).toBe('other');
  const looks = (...waiting: readonly boolean[]): readonly boolean[] => waiting.map((one) => precedence.givesUp(one));
  expect(looks(true, true, false, true, true, true)).toEqual([false, false, false, false, false, true]);
  precedence.claimed();
  now += 29_999;
  expect(precedence.heir()).toBeUndefined();
  now += 1;
  expect(precedence.heir()).toBe('other');
  expect(looks(true, true)).toEqual([false, false]);
  first = 'us';
  expect(precedence.heir()).toBeUndefined();
  first = 'other';
  expect([precedence.heir(), ...looks(true, true)]).toEqual(['other', false, false]);
});

it('a free lock is tried at once by the preferred one, and by the others by their place; one that fell silent sooner; and in doubt at the start', () => {
  for (const [place, free, silent] of [
    [0, 0, 0],
    [1, 2000, 500],
    [2, 4000, 2000],
    [3, 5000, 3500],
    [9, 5000, 5000],
  ] as const)
    for (const [isSilent, wait] of [
      [false, free],
      [true, silent],
    ] as const) {
      let now = 0;
      const all = Array.from({ length: 10 }, (_, index) => (index === place ? 'us' : `other-${index}`));
      const precedence = createPrecedence({ self: 'us', ranking: () => all, settledFor: () => 0, hasHeard: () => true, now: () => now });
      precedence.held();
      expect(precedence.mayClaim(isSilent)).toBe(wait === 0);
      now = wait - 1;
      if (wait > 0) expect(precedence.mayClaim(false)).toBe(false);
      expect(precedence.pause()).toBeGreaterThanOrEqual(200);
      expect(precedence.pause()).toBeLessThanOrEqual(2000);
      now = wait;
      expect(precedence.mayClaim(false)).toBe(true);
      // Somebody has it again: all of it begins anew.
      precedence.held();
      expect(precedence.mayClaim(false)).toBe(place === 0);
    }
  let now = 0;
  const alone = createPrecedence({ self: 'us', ranking: () => ['us'], settledFor: () => 0, hasHeard: () => false, now: () => now });
  expect(alone.mayClaim(false)).toBe(false);
  now = 2000;
  expect(alone.mayClaim(false)).toBe(true);
});

it('the first two try a lock that somebody holds often, and the others the more seldom the more of them there are', () => {
  const pauseOf = (place: number, count: number): number => {
    const all = Array.from({ length: count }, (_, index) => (index === place ? 'us' : `other-${index}`));
    return createPrecedence({ self: 'us', ranking: () => all, settledFor: () => 0, hasHeard: () => true, now: () => 0 }).pause();
  };
  expect([pauseOf(0, 3), pauseOf(1, 3), pauseOf(2, 3), pauseOf(3, 4), pauseOf(2, 5), pauseOf(7, 8), pauseOf(63, 64)]).toEqual([
    500, 1000, 15_000, 30_000, 45_000, 60_000, 60_000,
  ]);
});

type Step = readonly [what: string, who: number, other: number, ms: number];
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.tuple(
    fc.constantFrom('kill', 'drain', 'start', 'stop', 'resume', 'api', 'servers', 'lose', 'skew', 'deaf', 'mend'),
    fc.nat(4),
    fc.nat(4),
    fc.oneof(fc.nat(3000), fc.nat(40_000)),
  ),
  { minLength: 1, maxLength: 25 },
);

function take(world: World, [what, who, other, ms]: Step): void {
  const replica = world.replicas[who % world.replicas.length];
  const second = world.replicas[other % world.replicas.length];
  if (replica === undefined || second === undefined) return;
  if (what === 'kill') world.kill(replica);
  if (what === 'drain') world.drain(replica);
  if (what === 'start') world.start(replica);
  if (what === 'stop' && replica.state === 'runs') replica.state = 'stopped';
  if (what === 'resume' && replica.state === 'stopped') replica.state = 'runs';
  if (what === 'api') replica.reachesApi = !replica.reachesApi;
  if (what === 'servers') replica.reachesServers = !replica.reachesServers;
  if (what === 'lose') replica.losesAnswers = !replica.losesAnswers;
  if (what === 'skew') replica.skew += ms * 1000 - 20_000_000;
  if (what === 'deaf') replica.deafTo.add(second.name);
  if (what === 'mend') world.mend();
  world.pass(ms);
}

/** Which of these believe that they are preferred for a server. */
const preferredAmong = (world: World, index: number, some: World['replicas']): readonly string[] =>
  some.filter((replica) => ranking(world.servers[index] ?? '', world.seenBy(replica))[0] === replica.name).map(({ name }) => name);

it('whatever happened, once it is quiet each server has one that is preferred, it is the one that holds the lock, and nothing moves any more', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 5 }), steps, (count, all) => {
      const world = new World(count, 4);
      for (const step of all) take(world, step);
      world.mend();
      world.pass(40_000);
      for (const replica of world.replicas) expect(world.seenBy(replica)).toEqual(world.replicas.map(({ name }) => name));
      world.servers.forEach((_, index) => expect(preferredAmong(world, index, world.replicas)).toHaveLength(1));
      // What came back is kept for ten minutes at most.
      world.pass(700_000);
      const moves = world.locks.map((lock) => lock.moves);
      world.locks.forEach((lock, index) =>
        expect(lock.holder?.name).toBe(
          ranking(
            world.servers[index] ?? '',
            world.replicas.map(({ name }) => name),
          )[0],
        ),
      );
      world.pass(300_000);
      expect(world.locks.map((lock) => lock.moves)).toEqual(moves);
    }),
    { numRuns: RUNS },
  );
});

it('while parts do not see each other, each part that sees itself whole has one that is preferred, and nothing is given to and fro', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 5 }), steps, fc.array(fc.nat(2), { minLength: 5, maxLength: 5 }), (count, all, parts) => {
      const world = new World(count, 4);
      for (const step of all) take(world, step);
      world.mend();
      const groups = [...Map.groupBy(world.replicas, (_, index) => parts[index] ?? 0).values()];
      for (const group of groups) for (const replica of group) for (const other of world.replicas) if (!group.includes(other)) replica.deafTo.add(other.name);
      world.pass(60_000);
      for (const group of groups) world.servers.forEach((_, index) => expect(preferredAmong(world, index, group)).toHaveLength(1));
      const moves = world.locks.map((lock) => lock.moves);
      world.pass(1_000_000);
      // Each lock goes at most once more: to whom its holder takes for the preferred one.
      world.locks.forEach((lock, index) => expect(lock.moves - (moves[index] ?? 0)).toBeLessThanOrEqual(1));
    }),
    { numRuns: RUNS },
  );
});

it('a wrong view only delays: as long as anybody could look after a server, it is never left alone for a minute', () => {
  let worst = 0;
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 5 }), steps, (count, all) => {
      const world = new World(count, 4);
      for (const step of all) take(world, step);
      worst = Math.max(worst, ...world.locks.map((lock) => lock.longestVacancy));
      expect(worst).toBeLessThan(60_000);
    }),
    { numRuns: RUNS },
  );
  console.log(`nobody looked for ${worst / 1000} s at most`);
});

it.each([
  ['whose way to the servers comes and goes', (replica: World['replicas'][number]) => void (replica.reachesServers = !replica.reachesServers)],
  ['that dies again and again', (replica: World['replicas'][number], world: World) => (replica.state === 'dead' ? world.start(replica) : world.kill(replica))],
  ['whose Lease comes and goes', (replica: World['replicas'][number]) => void (replica.reachesApi = !replica.reachesApi)],
])('a preferred replica %s gets the lock back ever more seldom', (_what, change) => {
  for (const every of [20_000, 45_000]) {
    const world = new World(3, 1);
    world.pass(120_000);
    const preferred = world.locks[0]?.holder as World['replicas'][number];
    for (const end = world.now + 3_600_000; world.now < end; world.pass(every)) change(preferred, world);
    expect(world.locks[0]?.moves).toBeLessThan(25);
  }
});

for (const [what, fault] of [
  ['is killed', (world: World, who: number) => world.kill(world.replicas[who] as World['replicas'][number])],
  ['stands still', (world: World, who: number) => void Object.assign(world.replicas[who] as object, { state: 'stopped' })],
  ['is cut off from the servers', (world: World, who: number) => void Object.assign(world.replicas[who] as object, { reachesServers: false })],
  ['is drained', (world: World, who: number) => world.drain(world.replicas[who] as World['replicas'][number])],
] as const)
  it(`when one of five ${what}, its servers are taken over within ten seconds, and no others move`, () => {
    for (let who = 0; who < 5; who += 1) {
      const world = new World(5, 20);
      world.pass(120_000);
      const before = world.locks.map((lock) => lock.holder);
      for (const lock of world.locks) lock.longestVacancy = 0;
      // Any moment between two heartbeats.
      world.pass(250 * (who + 3));
      fault(world, who);
      world.pass(60_000);
      world.locks.forEach((lock, index) => {
        if (before[index] !== world.replicas[who]) expect(lock.holder).toBe(before[index]);
        else {
          expect(lock.holder).not.toBe(before[index]);
          expect(lock.longestVacancy).toBeLessThan(what === 'is drained' ? 1000 : 9000);
        }
      });
    }
  });
