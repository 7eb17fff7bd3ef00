// Kept together: what stewards keep of the catalogs from one look to the next has a bound over all of them. Beyond it those that were looked at longest ago keep nothing, and read all of it when they look again.

export interface KeptTogether {
  /** A steward has ended a cycle, and keeps so many rows until it is told to release them. */
  note(server: string, rows: number, release: () => void): void;
  /** It keeps nothing any more. */
  gone(server: string): void;
  /** Whether a cycle of it had so many rows in its hands that few such are to be worked on at once. */
  isLarge(server: string): boolean;
  /** All that is kept now. */
  readonly rows: number;
}

/** @param most rows of all together; the last one that was looked at keeps its own. @param large so many make one large. */
export function createKeptTogether(most: number, large: number): KeptTogether {
  /** The one that was looked at longest ago first. */
  const kept = new Map<string, { rows: number; readonly release: () => void }>();
  const larges = new Set<string>();
  const sum = (): number => [...kept.values()].reduce((all, { rows }) => all + rows, 0);
  return {
    note: (server, rows, release) => {
      if (rows >= large) larges.add(server);
      else if (rows > 0) larges.delete(server);
      kept.delete(server);
      kept.set(server, { rows, release });
      let left = sum() - most;
      for (const [name, one] of kept) {
        if (left <= 0 || name === server) break;
        if (one.rows === 0) continue;
        left -= one.rows;
        one.release();
        one.rows = 0;
      }
    },
    gone: (server) => {
      kept.delete(server);
      larges.delete(server);
    },
    isLarge: (server) => larges.has(server),
    get rows() {
      return sum();
    },
  };
}
