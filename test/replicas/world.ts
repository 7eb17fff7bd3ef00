// A world of replicas with a clock that is told to pass: the product's Lease, hash and precedence, around an API server and writer locks that are only pretended.
import { renewedBy, see, type LeaseRecord, type Seen } from '../../src/model/lease.ts';
import { createMembers, type Members } from '../../src/model/members.ts';
import type { Precedence } from '../../src/postgres/writer-lock.ts';
import { precedenceAmong } from '../../src/steward/replicas.ts';

const TICK = 250;
const RENEW = 5000;
const BEAT = 2000;
const ANSWER = 4000;
const SILENT = 6500;
/** From the end of a partition until a watch is there again. */
const WATCH_AGAIN = 1000;

interface Stored {
  record: LeaseRecord;
  version: number;
}

export interface Replica {
  readonly name: string;
  /** Milliseconds that its clock on the wall is off. */
  skew: number;
  /** Its own clock that only grows began anywhere. */
  readonly base: number;
  state: 'runs' | 'stopped' | 'dead';
  reachesApi: boolean;
  reachesServers: boolean;
  /** The next renewals are done, and nobody hears that they were. */
  losesAnswers: boolean;
  /** The others of which it hears nothing, although it hears. */
  readonly deafTo: Set<string>;
  /** Since when it could have looked after a server. */
  ableFrom: number;
  life: Life;
}

/** What a process has, and loses with its end. */
interface Life {
  readonly holder: string;
  readonly members: Members;
  readonly precedence: readonly Precedence[];
  readonly nextTry: number[];
  seen: Seen | undefined;
  nextRenewal: number;
  watchesFrom: number;
  hasListed: boolean;
}

/** A lock as the server has it. */
export interface Lock {
  holder: Replica | undefined;
  life: Life | undefined;
  heartbeat: number;
  answered: number;
  /** When each replica last said that it waits. */
  readonly waits: Map<Replica, number>;
  vacantFrom: number | undefined;
  longestVacancy: number;
  /** How often it went to another one. */
  moves: number;
}

export class World {
  now = 0;
  readonly leases = new Map<string, Stored>();
  readonly replicas: Replica[];
  readonly locks: Lock[];
  readonly servers: readonly string[];
  #versions = 0;
  #seed = 1;
  #lives = 0;

  constructor(replicas: number, servers: number) {
    this.servers = Array.from({ length: servers }, (_, index) => `server-${index}`);
    this.locks = this.servers.map(() => ({
      holder: undefined,
      life: undefined,
      heartbeat: 0,
      answered: 0,
      waits: new Map(),
      vacantFrom: 0,
      longestVacancy: 0,
      moves: 0,
    }));
    this.replicas = Array.from({ length: replicas }, (_, index) => {
      const replica = {
        name: `replica-${index}`,
        skew: 0,
        base: index * 1_000_003,
        state: 'runs' as const,
        reachesApi: true,
        reachesServers: true,
        losesAnswers: false,
        deafTo: new Set<string>(),
        ableFrom: 0,
      };
      return Object.assign(replica, { life: this.#lifeOf(replica) });
    });
  }

  /** The same each time. */
  #random(): number {
    this.#seed = (this.#seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return this.#seed / 2_147_483_648;
  }

  #lifeOf({ name, base }: Pick<Replica, 'name' | 'base'>): Life {
    const members = createMembers(name);
    const clock = (): number => base + this.now;
    return {
      holder: `${name}_${(this.#lives += 1)}`,
      members,
      precedence: this.servers.map((server) => precedenceAmong(members, name, server, clock)),
      nextTry: this.servers.map(() => this.now),
      seen: undefined,
      nextRenewal: this.now,
      watchesFrom: this.now,
      hasListed: false,
    };
  }

  /** A process that ended starts anew, under the same name. */
  start(replica: Replica): void {
    if (replica.state === 'dead') replica.life = this.#lifeOf(replica);
    replica.state = 'runs';
  }

  kill(replica: Replica): void {
    replica.state = 'dead';
    for (const lock of this.locks) {
      lock.waits.delete(replica);
      // The server sees at once that the connection is gone.
      if (lock.holder === replica) this.#vacate(lock);
    }
  }

  /** As SIGTERM ends it. */
  drain(replica: Replica): void {
    if (replica.state !== 'runs') return;
    const stored = this.leases.get(replica.name);
    if (replica.reachesApi && stored?.record.holder === replica.life.holder) {
      this.leases.delete(replica.name);
      this.#tell(replica.name, undefined);
    }
    this.kill(replica);
  }

  mend(): void {
    for (const replica of this.replicas) {
      this.start(replica);
      [replica.reachesApi, replica.reachesServers, replica.losesAnswers] = [true, true, false];
      replica.deafTo.clear();
    }
  }

  /** @param check is asked after each quarter of a second. */
  pass(ms: number, check: () => void = () => undefined): void {
    for (const end = this.now + ms; this.now < end;) {
      this.now += TICK;
      for (const replica of this.replicas) if (replica.state === 'runs') this.#live(replica);
      this.#measure();
      check();
    }
  }

  /** For how long nobody looked after a server, although somebody could have all that time. */
  #measure(): void {
    for (const replica of this.replicas) if (replica.state !== 'runs' || !replica.reachesServers) replica.ableFrom = this.now;
    const able = Math.min(...this.replicas.map(({ ableFrom }) => ableFrom));
    for (const lock of this.locks) {
      const { holder, vacantFrom, heartbeat } = lock;
      if (holder?.state === 'runs' && holder.reachesServers) continue;
      lock.longestVacancy = Math.max(lock.longestVacancy, this.now - Math.max(able, vacantFrom ?? heartbeat));
    }
  }

  /** The live replicas as this one sees them. */
  seenBy(replica: Replica): readonly string[] {
    return replica.life.members.live(replica.base + this.now);
  }

  #tell(name: string, version: number | undefined): void {
    for (const other of this.replicas)
      if (other.state === 'runs' && this.#hears(other) && !other.deafTo.has(name))
        other.life.members.took(name, version === undefined ? undefined : String(version), other.base + this.now);
  }

  #hears = (replica: Replica): boolean => replica.reachesApi && replica.life.hasListed && this.now >= replica.life.watchesFrom;

  #live(replica: Replica): void {
    const { life } = replica;
    if (!replica.reachesApi) [life.watchesFrom, life.hasListed] = [this.now + WATCH_AGAIN, false];
    else if (!life.hasListed && this.now >= life.watchesFrom) {
      life.hasListed = true;
      const versions = [...this.leases].filter(([name]) => !replica.deafTo.has(name)).map(([name, { version }]) => [name, String(version)] as const);
      life.members.listed(new Map(versions), replica.base + this.now);
    }
    if (this.now >= life.nextRenewal) this.#renew(replica);
    this.locks.forEach((lock, index) => {
      if (lock.holder === replica && lock.life === life) this.#beat(replica, lock, index);
      else if (this.now >= (life.nextTry[index] ?? 0)) this.#try(replica, lock, index);
    });
  }

  #renew(replica: Replica): void {
    const { life, name } = replica;
    life.nextRenewal = this.now + 2000;
    if (!replica.reachesApi) return;
    const stored = this.leases.get(name);
    const clock = replica.base + this.now;
    life.seen = stored && see(life.seen, stored.record, clock);
    const record = renewedBy(life.holder, life.seen, clock, String(this.now + replica.skew));
    if (record === undefined) return;
    this.leases.set(name, { record, version: (this.#versions += 1) });
    this.#tell(name, this.#versions);
    if (!replica.losesAnswers) life.nextRenewal = this.now + RENEW;
  }

  #beat(replica: Replica, lock: Lock, index: number): void {
    // A heartbeat that gets no answer ends its term.
    if (!replica.reachesServers) {
      if (this.now - lock.answered < BEAT + ANSWER) return;
      lock.life = undefined;
      return;
    }
    if (this.now - lock.heartbeat < BEAT) return;
    [lock.heartbeat, lock.answered] = [this.now, this.now];
    const precedence = replica.life.precedence[index];
    const heir = precedence?.heir();
    if (heir === undefined) return;
    const waits = [...lock.waits].some(([one, at]) => one.name === heir && this.now - at <= 4000);
    if (precedence?.givesUp(waits) === true) this.#vacate(lock);
  }

  #try(replica: Replica, lock: Lock, index: number): void {
    const { life } = replica;
    const precedence = life.precedence[index];
    if (precedence === undefined) return;
    life.nextTry[index] = this.now + Math.ceil((precedence.pause() * (0.5 + this.#random() / 2)) / TICK) * TICK;
    if (!replica.reachesServers) return;
    const isSilent = lock.holder !== undefined && this.now - lock.heartbeat > SILENT;
    if (lock.holder !== undefined && !isSilent) {
      precedence.held();
      lock.waits.set(replica, this.now);
    } else if (precedence.mayClaim(isSilent)) {
      lock.holder = replica;
      lock.life = life;
      // Not all of them in step.
      [lock.heartbeat, lock.answered] = [this.now - Math.floor(this.#random() * 8) * TICK, this.now];
      lock.vacantFrom = undefined;
      lock.moves += 1;
      lock.waits.delete(replica);
      precedence.claimed();
    } else lock.waits.set(replica, this.now);
  }

  #vacate(lock: Lock, from = this.now): void {
    lock.holder = undefined;
    lock.life = undefined;
    lock.vacantFrom = from;
  }
}
