// Once for: what is made of a value is made once, as long as whatever else it is made of is the same as well.

/** The same function, which remembers for each key what it made last. Keys and what stands beside them are values: nobody changes them. */
export function onceFor<K extends object, D extends readonly unknown[], V>(make: (key: K, ...beside: D) => V): (key: K, ...beside: D) => V {
  const known = new WeakMap<K, { readonly beside: D; readonly value: V }>();
  return (key, ...beside) => {
    const found = known.get(key);
    if (found !== undefined && beside.every((one, index) => Object.is(one, found.beside[index]))) return found.value;
    const value = make(key, ...beside);
    known.set(key, { beside, value });
    return value;
  };
}
