// Kept rows: what was read of a relation stands for the next reading, part by part, as long as a digest of who wrote its rows last is the same.
import type pg from 'pg';
import { queryByName, type Row } from './query.ts';

/** The rows of a large relation are in so many parts, by OIDs that stand in them: one change is a small part of all. */
const PARTS = 256;

/** SQL, and the same here: the part that a row with this sum of OIDs is in. */
export const partSql = (oids: string): string => `((${oids}) % ${PARTS})::pg_catalog.oid`;
export const partOfOids = (oids: number): number => oids % PARTS;

/** A relation whose rows may be kept. */
export interface Kept<T> {
  /** SELECT of each part and its digest; undefined where nothing tells that a row has changed. */
  readonly digests: string | undefined;
  /** SELECT of the rows that meet a condition, as one of its parts is. */
  readonly rows: (condition: string) => string;
  /** SQL: the part of a row, within that SELECT. */
  readonly part: string;
  readonly read: (rows: readonly Row[]) => readonly T[];
  readonly partOf: (row: T) => number;
}

export type Relations<T> = { readonly [K in keyof T]: Kept<T[K]> };
export type Rows<T> = { readonly [K in keyof T]: readonly T[K][] };
type Digests = ReadonlyMap<number, string>;

/** The rows of the last reading, for the next one. */
export interface RowKeeper<T> {
  /** Of what was read under these facts; undefined for nothing. */
  readonly under: (scope: string) => { readonly rows: Rows<T>; readonly digests: { readonly [K in keyof T]: Digests } } | undefined;
  readonly keep: (scope: string, rows: Rows<T>, digests: { readonly [K in keyof T]: Digests }) => void;
  /** All is read the next time. */
  readonly forget: () => void;
  /** How many rows are kept. */
  readonly size: () => number;
  /** Whether all is read as well each time, and has to be the same. */
  readonly proves: boolean;
}

/** One for the life of a process. @param proves for tests: reads everything as well, and compares. */
export function createRowKeeper<T>(proves = false): RowKeeper<T> {
  let last: { readonly scope: string; readonly kept: NonNullable<ReturnType<RowKeeper<T>['under']>> } | undefined;
  return {
    under: (scope) => {
      // What is of no use is no burden to what is read in its place.
      if (last?.scope !== scope) last = undefined;
      return last?.kept;
    },
    keep: (scope, rows, digests) => {
      last = { scope, kept: { rows, digests } };
    },
    forget: () => {
      last = undefined;
    },
    size: () => Object.values<readonly unknown[]>(last?.kept.rows ?? {}).reduce((sum, rows) => sum + rows.length, 0),
    proves,
  };
}

/**
 * The rows of these relations, and those of the other statements: in one round trip where nothing is kept, and else in two, of which the second reads
 * what has changed. The transaction sees one snapshot.
 * @param scope equal only where rows of the same digest are the same: of one server since one start.
 */
export async function readKept<T extends object, O extends string>(
  client: pg.ClientBase,
  relations: Relations<T>,
  others: Readonly<Record<O, string>>,
  keeping: { readonly keeper: RowKeeper<T>; readonly scope: string } | undefined,
): Promise<{ readonly rows: Rows<T>; readonly others: Readonly<Record<O, readonly Row[]>> }> {
  const names = Object.keys(relations) as (keyof T & string)[];
  const before = keeping?.keeper.under(keeping.scope);
  const selects: Record<string, string> = { ...others };
  for (const name of names) {
    const { rows, digests } = relations[name];
    if (before === undefined || digests === undefined) selects[`${name} rows`] = rows('true');
    if (keeping !== undefined && digests !== undefined) selects[`${name} digests`] = digests;
  }
  const found = await queryByName(client, selects);
  const digests = mapped<T, Digests>(names, (name) => new Map((found[`${name} digests`] ?? []).map(([part, digest]) => [part as number, digest as string])));
  const changed = mapped<T, ReadonlySet<number>>(names, (name) => (before === undefined ? new Set() : changedParts(before.digests[name], digests[name])));
  const wanted = names.filter((name) => changed[name].size > 0);
  const fresh =
    wanted.length === 0 ? {} : await queryByName(client, Object.fromEntries(wanted.map((name) => [name, partsSql(relations[name], changed[name])])));
  const rows = mapped<T, readonly T[keyof T][]>(names, (name) => {
    const { read, partOf } = relations[name];
    const whole = found[`${name} rows`];
    if (before === undefined || whole !== undefined) return read(whole ?? []);
    const [kept, gone] = [before.rows[name], changed[name]];
    // The very same list, of which much may be known already.
    return gone.size === 0 ? kept : [...kept.filter((row) => !gone.has(partOf(row))), ...read(fresh[name] ?? [])];
  }) as Rows<T>;
  if (before !== undefined && keeping?.keeper.proves === true) await prove(client, names, relations, rows);
  keeping?.keeper.keep(keeping.scope, rows, digests);
  return { rows, others: found as Record<O, readonly Row[]> };
}

const mapped = <T, V>(names: readonly (keyof T & string)[], value: (name: keyof T & string) => V): { readonly [K in keyof T]: V } =>
  Object.fromEntries(names.map((name) => [name, value(name)])) as { readonly [K in keyof T]: V };

/** Those that are there now and were not so, and those that are gone. */
function changedParts(before: Digests, now: Digests): ReadonlySet<number> {
  const changed = new Set<number>();
  for (const [part, digest] of now) if (before.get(part) !== digest) changed.add(part);
  for (const part of before.keys()) if (!now.has(part)) changed.add(part);
  return changed;
}

const partsSql = ({ rows, part }: Pick<Kept<unknown>, 'rows' | 'part'>, parts: ReadonlySet<number>): string =>
  rows(`${part} = ANY ('{${[...parts].join(',')}}'::pg_catalog.oid[])`);

/** @throws where kept rows are not what the server has. What is in them is not said: they hold verifiers. */
async function prove<T extends object>(client: pg.ClientBase, names: readonly (keyof T & string)[], relations: Relations<T>, rows: Rows<T>): Promise<void> {
  const whole = await queryByName(client, Object.fromEntries(names.map((name) => [name, relations[name].rows('true')])));
  const texts = (list: readonly unknown[]): string => JSON.stringify(list.map((row) => JSON.stringify(row)).toSorted());
  for (const name of names)
    if (texts(rows[name]) !== texts(relations[name].read(whole[name] ?? []))) throw new Error(`kept rows of ${name} are not those of the server`);
}
