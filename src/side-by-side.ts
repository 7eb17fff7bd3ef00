// Work on many items, so many at a time.

/** Runs `work` for every item, at most `most` at once. @throws the first failure; what the others have begun goes on. */
export async function sideBySide<T>(most: number, items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  // One iterator for all of them: each takes the next item when it is done with its last.
  const queue = items[Symbol.iterator]();
  await Promise.all(
    Array.from({ length: most }, async () => {
      for (let next = queue.next(); next.done !== true; next = queue.next()) await work(next.value);
    }),
  );
}
