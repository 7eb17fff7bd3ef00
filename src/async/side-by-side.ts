// Work on many items, so many at a time. Work gives back what it found, and whoever asked stores it: nothing is kept between an await and another.

/**
 * Runs `work` for every item, at most `most` at once.
 * @returns what the work gave back, in the order of the items, whichever was done first.
 * @throws the first failure, when everything that had begun has ended; nothing is begun after it.
 */
export async function sideBySide<T, R>(most: number, items: Iterable<T>, work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const failures: unknown[] = [];
  // One iterator for all of them: each takes the next item when it is done with its last.
  const queue = [...items].entries();
  await Promise.all(
    Array.from({ length: most }, async () => {
      for (let next = queue.next(); next.done !== true && failures.length === 0; next = queue.next()) {
        const [index, item] = next.value;
        try {
          results[index] = await work(item);
        } catch (error) {
          failures.push(error);
        }
      }
    }),
  );
  if (failures.length > 0) throw failures[0];
  return results;
}

/** Whether `test` holds for any of the items; what had begun has ended, and the rest is not asked once one is found. @throws as sideBySide does. */
export async function anySideBySide<T>(most: number, items: Iterable<T>, test: (item: T) => Promise<boolean>): Promise<boolean> {
  const found: T[] = [];
  await sideBySide(most, items, async (item) => {
    if (found.length === 0 && (await test(item))) found.push(item);
  });
  return found.length > 0;
}
