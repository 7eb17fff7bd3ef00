// By two: what is known of two names together, without a text made of both: for thousands of them that would be most of the work.

/** A map whose keys are two names. */
export interface ByTwo<V> {
  get(one: string, other: string): V | undefined;
  set(one: string, other: string, value: V): void;
}

/** An empty one. */
export function createByTwo<V>(): ByTwo<V> {
  const all = new Map<string, Map<string, V>>();
  return {
    get: (one, other) => all.get(one)?.get(other),
    set: (one, other, value) => {
      const known = all.get(one);
      if (known === undefined) all.set(one, new Map([[other, value]]));
      else known.set(other, value);
    },
  };
}
