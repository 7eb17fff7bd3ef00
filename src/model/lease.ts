// A Lease by which one process says that it is there, after client-go's algorithm: no clock of anybody else is ever compared with ours, only when we saw a change.

/** What a Lease says. */
export interface LeaseRecord {
  /** Empty where it was given back. */
  readonly holder: string;
  /** So long it holds from the moment at which somebody sees it renewed. */
  readonly seconds: number;
  /** Times of whoever wrote it: for people to read, and for a change to be seen. */
  readonly acquired: string;
  readonly renewed: string;
  /** How often it changed hands. */
  readonly transitions: number;
}

/** A Lease as we know it. */
export interface Seen {
  readonly record: LeaseRecord;
  /** When we first saw it so, by a clock of our own that only grows, in milliseconds. */
  readonly at: number;
}

/** Of our own Leases; the others expect it. */
export const LEASE_SECONDS = 15;
/** Whatever a Lease says, nobody is believed to live for longer than this without a sign. */
const LONGEST_SECONDS = 60;

/** The API server takes no more. */
const MOST_TRANSITIONS = 2_147_483_647;

/** What is known once it was read again: the same record is as old as it was. */
export const see = (before: Seen | undefined, record: LeaseRecord, now: number): Seen =>
  before !== undefined && isSame(before.record, record) ? before : { record, at: now };

const isSame = (one: LeaseRecord, other: LeaseRecord): boolean =>
  one.holder === other.holder &&
  one.seconds === other.seconds &&
  one.acquired === other.acquired &&
  one.renewed === other.renewed &&
  one.transitions === other.transitions;

/**
 * What is to be written, so that the Lease is ours for some time more.
 * @param time of the wall, as it is written down.
 * @returns undefined while somebody else holds it.
 */
export function renewedBy(holder: string, seen: Seen | undefined, now: number, time: string): LeaseRecord | undefined {
  if (seen === undefined) return { holder, seconds: LEASE_SECONDS, acquired: time, renewed: time, transitions: 0 };
  const { record, at } = seen;
  if (record.holder === holder) return { ...record, seconds: LEASE_SECONDS, renewed: time };
  if (record.holder !== '' && now < at + 1000 * Math.min(record.seconds, LONGEST_SECONDS)) return undefined;
  return { holder, seconds: LEASE_SECONDS, acquired: time, renewed: time, transitions: Math.min(MOST_TRANSITIONS, record.transitions + 1) };
}
