// One writer a server: a claim that only a session of our own login can make, as the name of that session, and the fence that every write checks.
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { Outage } from '../model/outage.ts';
import { backendOf, type Connections } from './connection.ts';
import { fenceOf } from './fence.ts';
import { ledgerGuard } from './ledger-ours.ts';
import { pinnedRows, query, type Row } from './query.ts';
import { beginSql, SMALL } from './transaction.ts';
import { CLAIM, claimName, type Claimant, claimants, digestOf, END_SESSION, IN_TRANSACTION, isAnyWaiting, waitingName } from './writer-claims.ts';

export interface WriterLock {
  /** A statement that fails once the claim is no longer ours. */
  readonly fence: string;
  /** Aborted when the claim is lost. */
  readonly lost: AbortSignal;
  /** Aborted when a replica that goes before us waits for it: then it is to be given back at the next occasion. */
  readonly wanted: AbortSignal;
  release(): Promise<void>;
}

/** Who of several replicas goes first here. Whatever it says, there is one writer: a wrong view of it only delays. */
export interface Precedence {
  /** The replica that we are, by which others see us wait. */
  readonly self: string;
  /** Milliseconds from one try to the next; it may become less meanwhile. */
  pause(): number;
  /** Somebody who lives holds the lock. */
  held(): void;
  /** Nobody who lives holds it: whether it is our turn. */
  mayClaim(silent: boolean): boolean;
  /** It is ours from now on. */
  claimed(): void;
  /** The replica that should have it instead of us, where that is certain enough. */
  heir(): string | undefined;
  /** Hears at each look whether the heir waits here. @returns whether the lock is to be given to it. */
  givesUp(isWaiting: boolean): boolean;
}

export interface WriterLockOptions {
  readonly connections: Pick<Connections, 'open'>;
  readonly adminDatabase: string;
  /** `namespace/name` of the document that is followed: whoever follows the same one stands by for the other. */
  readonly source: string;
  readonly signal: AbortSignal;
  /** Called on each attempt that did not succeed. */
  readonly onWait: (why: Waiting) => void;
  /** Where several replicas share the servers. */
  readonly precedence?: Precedence | undefined;
}

/** Why this instance is not the writer: another one of the same document is, or there is an outage. */
export type Waiting = { readonly kind: 'standby'; readonly message: string } | { readonly kind: 'outage'; readonly error: unknown };

const RETRY_MS = 1000;
const HEARTBEAT_MS = 2000;
/**
 * A heartbeat without an answer for so long: by the time that others may take us for gone, after so long without one, we have stopped. Replicas that
 * share servers are followed sooner: a takeover takes less than ten seconds, whatever happened.
 */
const TIMES = { alone: { answer: 5000, silent: 8000 }, shared: { answer: 4000, silent: 6500 } } as const;
/** An attempt to claim: twice what the waits in it may take. */
const ATTEMPT_MS = 20_000;
/** Whoever looks more seldom keeps no session meanwhile. */
const STAYS_MS = 5000;
/** What a writer that is gone has under way is given so long to end by itself. */
const PATIENCE_MS = 1000;

/** Waits until the claim is ours. @throws when the signal aborts. */
export async function acquireWriterLock(options: WriterLockOptions): Promise<WriterLock> {
  for (;;) {
    options.signal.throwIfAborted();
    let client: pg.Client | undefined;
    try {
      client = await options.connections.open(options.adminDatabase);
      const lock = await waitForClaim(await sessionOf(client), options);
      if (lock !== undefined) return lock;
      await client.end();
      await pause(options);
    } catch (error) {
      client?.end().catch(() => undefined);
      options.signal.throwIfAborted();
      options.onWait({ kind: 'outage', error });
      await pause(options);
    }
  }
}

/** Two that claimed at the same moment have both withdrawn: not in step again. */
async function pause({ signal, precedence }: WriterLockOptions): Promise<void> {
  const part = 0.5 + Math.random() / 2;
  const began = performance.now();
  for (;;) {
    const left = began + (precedence?.pause() ?? RETRY_MS) * part - performance.now();
    if (left <= 0) return;
    // Whose turn it is may change while we wait for long.
    await sleep(Math.min(left, RETRY_MS), undefined, { signal });
  }
}

const timesOf = (precedence: Precedence | undefined) => (precedence === undefined ? TIMES.alone : TIMES.shared);

interface Session {
  readonly client: pg.Client;
  /** Behind a pooler a session's name may end up with anybody, a transaction's cannot: there the claim is one transaction that stays open. */
  readonly pooled: boolean;
}

async function sessionOf(client: pg.Client): Promise<Session> {
  const [pid, isStandby] = ((await query(client, 'SELECT pg_catalog.pg_backend_pid(), pg_catalog.pg_is_in_recovery()'))[0]?.[0] ?? []) as unknown[];
  // The address may lead to another server by the next attempt.
  if (isStandby) throw new Outage('standby', 'the server is a standby, and read-only');
  return { client, pooled: backendOf(client) !== pid };
}

/** @returns undefined where we are to look again only after some time, for which no session is kept. */
async function waitForClaim(session: Session, options: WriterLockOptions): Promise<WriterLock | undefined> {
  for (;;) {
    // A server that hangs is an outage to be told, and no reason to wait in silence.
    const deadline = setTimeout(() => cutOff(session.client), ATTEMPT_MS);
    const outcome = await attempt(session, options).finally(() => clearTimeout(deadline));
    if (!('kind' in outcome)) return outcome;
    options.onWait(outcome);
    if ((options.precedence?.pause() ?? 0) > STAYS_MS) return undefined;
    await pause(options);
  }
}

/**
 * Claims where nobody else does. Whoever has claimed looks again, and withdraws where it sees any other claim: of two, one looks after the other
 * has claimed, so that never both stay.
 * @returns who stands in the way.
 */
async function attempt(session: Session, options: WriterLockOptions): Promise<WriterLock | Waiting> {
  const { client, pooled } = session;
  const { source, precedence } = options;
  const { silent: silentMs } = timesOf(precedence);
  if (pooled) await client.query(`${beginSql(SMALL)}; SET LOCAL idle_in_transaction_session_timeout = 0`);
  const before = await others(client, silentMs);
  const silent = before.filter((one) => one.silent);
  if (silent.length === before.length && precedence?.mayClaim(silent.length > 0) === false) {
    await standAside(session, options);
    return { kind: 'standby', message: 'nobody is, and another replica goes first for a few seconds' };
  }
  for (const one of silent) await query(client, END_SESSION(one));
  const [first] = silent.length > 0 ? await others(client, silentMs) : before;
  if (first !== undefined) return withdraw(session, first, options);
  const token = `${digestOf(source)}${randomBytes(4).toString('hex')}`;
  const [row = []] = (await query(client, `${claim(token, pooled)}; SELECT pid, backend_start::text FROM ${CLAIM.own}`)).at(-1) ?? [];
  const [rival] = await others(client, silentMs);
  if (rival !== undefined) return withdraw(session, rival, options);
  await waitForOldWrites(client, () => query(client, claim(token, pooled)));
  precedence?.claimed();
  return hold(session, token, row, options);
}

const claim = (token: string, isLocal: boolean): string => `SELECT pg_catalog.set_config('application_name', ${claimName(token)}, ${isLocal})`;

const others = async (client: pg.Client, silentMs: number): Promise<readonly Claimant[]> =>
  claimants((await query(client, CLAIM.others)).at(-1) ?? [], silentMs);

/** Claims no more, and shows to whoever holds the lock that we wait for it. */
async function standAside({ client, pooled }: Session, { source, precedence }: WriterLockOptions): Promise<void> {
  const name = precedence === undefined ? `'pgsteward'` : waitingName(source, precedence.self);
  await client.query(pooled ? 'ROLLBACK' : `SELECT pg_catalog.set_config('application_name', ${name}, false)`);
}

async function withdraw(session: Session, { pid, address, since, silent, document }: Claimant, options: WriterLockOptions): Promise<Waiting> {
  if (!silent) options.precedence?.held();
  await standAside(session, options);
  const which = `(process ${pid} from ${address}, since ${since})`;
  const outage = (message: string): Waiting => ({ kind: 'outage', error: new Outage('another_writer', message) });
  if (silent)
    return outage(
      `another instance, the writer, has gone silent, and its session does not end ${which}; SELECT pg_catalog.pg_terminate_backend(${pid}) ends it`,
    );
  if (document === digestOf(options.source)) return { kind: 'standby', message: `another instance is the writer ${which}` };
  return outage(`an instance that follows ${await nameOf(session.client, document)} and not ${options.source} is the writer ${which}`);
}

/** A document by the digest that its writer claims with: the ledger knows each of which anybody is. */
async function nameOf(client: pg.Client, document: string): Promise<string> {
  const sources = await pinnedRows(client, `${ledgerGuard('managed_role')}; SELECT DISTINCT source FROM pgsteward.managed_role LIMIT 1000`).catch(() => []);
  return sources.map(([source]) => String(source)).find((source) => digestOf(source) === document) ?? 'another document';
}

/** Nothing is waited for: a server that is out of reach answers no goodbye. */
const cutOff = (client: pg.Client): void => (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();

function hold({ client, pooled }: Session, token: string, [pid, backendStart]: Row, { source, precedence }: WriterLockOptions): WriterLock {
  const lost = new AbortController();
  const wanted = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const stop = (): void => {
    clearTimeout(timer);
    timer = undefined;
  };
  const lose = (): void => {
    stop();
    lost.abort(new Error('the writer lock was lost'));
    cutOff(client);
  };
  const look = async (): Promise<void> => {
    const heir = wanted.signal.aborted ? undefined : precedence?.heir();
    if (heir === undefined) return;
    const rows = (await query(client, CLAIM.isWaiting(source, heir))).at(-1) ?? [];
    if (precedence?.givesUp(isAnyWaiting(rows)) === true) wanted.abort(new Error(`the replica ${heir} goes first here, and waits`));
  };
  const beat = async (): Promise<void> => {
    const deadline = setTimeout(lose, timesOf(precedence).answer);
    await client.query(claim(token, pooled)).then(look).catch(lose);
    clearTimeout(deadline);
    if (timer !== undefined) later();
  };
  const later = (): void => {
    timer = setTimeout(() => void beat(), HEARTBEAT_MS).unref();
  };
  later();
  client.once('end', lose);
  return {
    fence: fenceOf(CLAIM.of(Number(pid), String(backendStart), token)),
    lost: lost.signal,
    wanted: wanted.signal,
    release: async () => {
      stop();
      await client.end().catch(() => undefined);
    },
  };
}

/**
 * A writer's last message may still be running on the server, COMMIT included, after its fence was passed: whatever of our login is in a
 * transaction now has to end. What began later did not pass a fence but ours.
 */
async function waitForOldWrites(client: pg.Client, beat: () => Promise<unknown>): Promise<void> {
  const running = async (): Promise<ReadonlyMap<string, number>> =>
    new Map(((await query(client, IN_TRANSACTION)).at(-1) ?? []).map(([transaction, pid]) => [String(transaction), Number(pid)]));
  const old = await running();
  const leftAfter = async (ms: number): Promise<readonly number[]> => {
    for (const end = performance.now() + ms; ; await sleep(100)) {
      await beat();
      const left = [...(await running())].flatMap(([transaction, pid]) => (old.has(transaction) ? [pid] : []));
      if (left.length === 0 || performance.now() > end) return left;
    }
  };
  const left = await leftAfter(PATIENCE_MS);
  if (left.length === 0) return;
  await query(client, `SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.unnest(ARRAY[${left.join(', ')}]) p(pid)`);
  const [stuck] = await leftAfter(5 * PATIENCE_MS);
  if (stuck !== undefined) throw new Error(`what the last writer had under way does not end (process ${stuck}); nothing is written until it does`);
}
