// What a saved plan holds for: the server, its databases, the document, what is remembered there, and what the plan does.
import { effectOfAll } from '../changes/effect.ts';
import { digestOf } from '../model/digest.ts';
import type { Change } from '../changes/change.ts';
import type { ForPlan } from '../steward/read-for-plan.ts';

/** Values and digests of values; none of anything secret. */
export interface Bound {
  /** The system identifier of the server; null where it cannot be read. */
  readonly server: string | null;
  /** Each database with its OID. */
  readonly databases: readonly (readonly [name: string, oid: number])[];
  readonly document: string;
  /** The OID of the ledger; null for none. */
  readonly ledger: number | null;
  /** Which roles are ours. */
  readonly remembered: string;
  readonly effect: string;
}

export function boundOf(changes: readonly Change[], { input: { catalog } }: ForPlan, document: string): Bound {
  const { server, ledger } = catalog.server.place;
  const rows = [...catalog.managed.values()].map(({ name, entity, origin, source, oid, status }) => [name, entity, origin, source, oid, status]);
  return {
    server,
    databases: [...catalog.databases.values()].flatMap(({ name, oid }) => (oid === undefined ? [] : [[name, oid] as const])),
    document,
    ledger,
    remembered: digestOf(rows.map((row) => JSON.stringify(row)).toSorted()),
    effect: effectOfAll(changes),
  };
}

/**
 * Why a saved plan does not hold any longer; undefined where it does. A database that came since is no reason by itself.
 * @param isLedgerNew the ledger was made for this very cycle.
 */
export function whyStale(saved: Bound, now: Bound, isLedgerNew = false): string | undefined {
  const there = new Map(now.databases);
  const others = saved.databases.filter(([name, oid]) => there.get(name) !== oid).map(([name]) => name);
  const reasons: readonly (readonly [isSo: boolean, reason: string])[] = [
    [saved.server !== now.server, `the server is another one (${now.server ?? 'not known'}, and not ${saved.server ?? 'not known'})`],
    [others.length > 0, `databases are gone or others: ${others.slice(0, SHOWN).join(', ')}${others.length > SHOWN ? ', …' : ''}`],
    [saved.document !== now.document, 'the document is another one'],
    [(saved.ledger !== now.ledger && !(isLedgerNew && saved.ledger === null)) || saved.remembered !== now.remembered, 'the ledger says something else'],
    [saved.effect !== now.effect, 'what would be done is something else'],
  ];
  const found = reasons.filter(([isSo]) => isSo).map(([, reason]) => reason);
  return found.length === 0 ? undefined : found.join('; ');
}

const SHOWN = 3;
