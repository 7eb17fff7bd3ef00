// How much there is to read in a database, counted on the server before anything of it is sent; and the room that all databases of a cycle have.
import type pg from 'pg';
import { query, type Row } from './query.ts';

/** What is counted by one query. */
export interface Counted {
  /** One for each column: its name for people, and how many of them take as much as one object (1 where it is left out). */
  readonly parts: readonly { readonly what: string; readonly per?: number }[];
  /** A SELECT of one row of float8. */
  readonly sql: string;
}

/** A database in which there is more than may be read. Nothing was read of it. */
export class TooManyObjects extends Error {
  override readonly name = 'TooManyObjects';
}

/** Room for objects; one for each cycle's readings. */
export interface Room {
  /** Takes room for so many, where there is some. @returns why there is none. */
  take(objects: number): string | undefined;
  /** For what is read anew. */
  giveBack(objects: number): void;
}

/** So many databases as large as one may be are held at once. */
const LARGE_ONES = 2;

/**
 * @param most objects of one database.
 * @param held how many of earlier readings are still held.
 */
export function createRoom(most: number, held: number): Room {
  let left = most * LARGE_ONES - held;
  return {
    take: (objects) => {
      if (objects > most) return `at most ${most} are read (MAX_OBJECTS)`;
      if (objects > left) return `together with what was read in other databases, at most ${most * LARGE_ONES} are held at once (twice MAX_OBJECTS)`;
      left -= objects;
      return undefined;
    },
    giveBack: (objects) => {
      left += objects;
    },
  };
}

/**
 * Begins a transaction, counts what is to be read in it, and takes room for it.
 * @param begin what begins the transaction, and as its last statement one that answers one row.
 * @returns that row, how many objects there are, and for each that is counted whether there is any.
 * @throws TooManyObjects where there is no room, with what there is most of.
 */
export async function countObjects(
  client: pg.ClientBase,
  counted: readonly Counted[],
  room: Room,
  begin: string,
): Promise<{ readonly row: Row; readonly objects: number; readonly any: readonly boolean[] }> {
  // Each by itself: as one join of a dozen rows the server plans for longer than it counts.
  const answers = await query(client, [begin, ...counted.map(({ sql }) => sql)].join(';\n'));
  const [first = [], ...counts] = answers.slice(-counted.length - 1);
  const numbers = counts.flatMap(([one = []]) => one as readonly number[]);
  const found = counted
    .flatMap(({ parts }) => parts)
    .map(({ what, per = 1 }, index) => ({ what, count: numbers[index] ?? 0, objects: Math.floor((numbers[index] ?? 0) / per) }));
  const total = found.reduce((sum, { objects }) => sum + objects, 0);
  const problem = room.take(total);
  if (problem === undefined) return { row: first[0] ?? [], objects: total, any: counts.map(([one = []]) => Number(one[0]) > 0) };
  const most = found
    .filter(({ objects }) => objects > 0)
    .toSorted((a, b) => b.objects - a.objects)
    .slice(0, 3)
    .map(({ what, count }) => `${count} ${what}`);
  throw new TooManyObjects(
    `it has ${total} objects to look at (${most.join(', ')}), and ${problem}; nothing is granted or revoked there. Find out who makes them, or raise MAX_OBJECTS and the limit of memory`,
  );
}
