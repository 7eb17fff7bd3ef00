// Validity: when the passwords of managed users stop to be accepted or are due to be replaced, and how many of them soon.
import type { Catalog } from '../model/catalog.ts';
import type { Entity } from '../changes/change.ts';
import type { Document } from '../model/entries.ts';

/** The end of one user's validity, in milliseconds since the epoch. */
export interface ValidityEnd {
  readonly user: string;
  readonly end: number;
}

const DAY_MS = 86_400_000;

/** The spans that are counted; also a metric label. */
export const SPANS = [
  ['1d', DAY_MS],
  ['7d', 7 * DAY_MS],
  ['30d', 30 * DAY_MS],
] as const;

export interface Validity {
  /** The next to end; undefined where none does. */
  readonly soonest: ValidityEnd | undefined;
  readonly expired: number;
  /** By span, the longer ones with those of the shorter. */
  readonly ending: Readonly<Record<(typeof SPANS)[number][0], number>>;
}

/** Ends of the users that may log in, the soonest first, as the server has them. */
export function validityEnds({ cluster }: Catalog, entities: ReadonlyMap<string, Entity>, document: Document): readonly ValidityEnd[] {
  const ends: ValidityEnd[] = [];
  // That the time of one of two users ends is how a rotation goes on.
  const outOfTurn = new Set(document.users.flatMap(({ username, turn }) => (turn?.state === 'off' ? [username] : [])));
  for (const [user, entity] of entities) {
    const role = entity === 'user' && !outOfTurn.has(user) ? cluster.roles.get(user) : undefined;
    if (role?.login !== true || role.validUntil === null) continue;
    const end = Date.parse(role.validUntil);
    // The server also knows an end that lies before all time.
    ends.push({ user, end: Number.isNaN(end) ? Number.NEGATIVE_INFINITY : end });
  }
  return ends.toSorted((a, b) => a.end - b.end);
}

/** The next generated password to be replaced, and how many should have been by now. */
export function rotationsAt(due: ReadonlyMap<string, number>, now: number): { readonly next: ValidityEnd | undefined; readonly overdue: number } {
  const sorted = [...due].map(([user, end]): ValidityEnd => ({ user, end })).toSorted((a, b) => a.end - b.end);
  return { next: sorted.find(({ end }) => end > now), overdue: sorted.filter(({ end }) => end <= now).length };
}

/** What the ends mean at a moment; asked for by whoever reads metrics or /status, as time passes without any cycle. */
export function validityAt(ends: readonly ValidityEnd[], now: number): Validity {
  const expired = ends.filter(({ end }) => end <= now).length;
  const within = (span: number): number => ends.filter(({ end }) => end > now && end <= now + span).length;
  return { soonest: ends[expired], expired, ending: { '1d': within(SPANS[0][1]), '7d': within(SPANS[1][1]), '30d': within(SPANS[2][1]) } };
}
