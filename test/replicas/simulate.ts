// How many servers move when one of several replicas goes, how long nobody looks after them, and how even the load is: with the product's own Lease, hash and precedence.
// node test/replicas/simulate.ts [SERVERS] [REPLICAS]
import { ranking } from '../../src/model/rendezvous.ts';
import { type Lock, type Replica, World } from './world.ts';

const [SERVERS, REPLICAS] = [Number(process.argv[2] ?? 2000), Number(process.argv[3] ?? 8)];
/** Locks come to rest within this. */
const SETTLES = 45_000;

const FAULTS: Readonly<Record<string, (world: World, replica: Replica) => void>> = {
  'killed (SIGKILL)': (world, replica) => world.kill(replica),
  'stands still (SIGSTOP)': (_world, replica) => void (replica.state = 'stopped'),
  'cut off from the servers': (_world, replica) => void (replica.reachesServers = false),
  'drained (SIGTERM)': (world, replica) => world.drain(replica),
  'cut off from the API server': (_world, replica) => void (replica.reachesApi = false),
};

function loadOf(locks: readonly Lock[]): string {
  const load = [...Map.groupBy(locks, ({ holder }) => holder).values()].map((all) => all.length);
  const mean = locks.length / load.length;
  return `${load.length} replicas with ${Math.min(...load)} to ${Math.max(...load)} servers, max/mean ${(Math.max(...load) / mean).toFixed(2)}`;
}

const quantile = (sorted: readonly number[], part: number): string =>
  ((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0) / 1000).toFixed(2);

function simulate(what: string, fault: (world: World, replica: Replica) => void): void {
  const world = new World(REPLICAS, SERVERS);
  world.pass(SETTLES);
  const before = world.locks.map(({ holder }) => holder);
  const victim = world.replicas[0] as Replica;
  const load = loadOf(world.locks);
  for (const lock of world.locks) lock.longestVacancy = 0;
  fault(world, victim);
  world.pass(SETTLES);
  const moved = world.locks.filter(({ holder }, index) => holder !== before[index]);
  const others = world.locks.filter(({ holder }, index) => holder !== before[index] && before[index] !== victim);
  const alone = moved.map(({ longestVacancy }) => longestVacancy).toSorted((a, b) => a - b);
  console.log(`one of ${REPLICAS} ${what}: ${moved.length} of ${SERVERS} servers move, ${others.length} of those of others`);
  if (moved.length > 0)
    console.log(`  nobody looks for ${quantile(alone, 0.5)} s (median), ${quantile(alone, 0.99)} s (p99), ${quantile(alone, 1)} s (longest)`);
  console.log(`  before: ${load}\n  after:  ${loadOf(world.locks)}`);
}

for (const [what, fault] of Object.entries(FAULTS)) simulate(what, fault);

// Few servers are shared less evenly: what the hash alone gives, over many names.
for (const [servers, replicas] of [
  [10, 3],
  [60, 3],
  [100, 3],
  [500, 5],
  [2000, 8],
] as const) {
  const ratios = Array.from({ length: 200 }, (_, round) => {
    const names = Array.from({ length: replicas }, (_unused, index) => `${round}-replica-${index}`);
    const all = Array.from({ length: servers }, (_unused, index) => `server-${index}`);
    const load = [...Map.groupBy(all, (server) => ranking(server, names)[0]).values()].map((some) => some.length);
    return (Math.max(...load) * replicas) / servers;
  }).toSorted((a, b) => a - b);
  console.log(
    `${servers} servers on ${replicas} replicas, 200 sets of names: max/mean ${(ratios[100] ?? 0).toFixed(2)} (median), ${(ratios[198] ?? 0).toFixed(2)} (p99)`,
  );
}
