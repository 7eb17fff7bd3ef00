// The document as a located tree: values with the offsets at which they stand, free of any YAML library's types.
// An offset is a number that grows in the order of the document; where that is, whoever makes the tree says (in a text, `linesOf`).

export type Node = ScalarNode | ListNode | MappingNode;

export interface ScalarNode {
  readonly kind: 'scalar';
  readonly value: string | number | boolean | null;
  /** As written, without quotes; empty where nothing is. */
  readonly source: string;
  /** Written without quotes. */
  readonly plain: boolean;
  readonly offset: number;
}

export interface ListNode {
  readonly kind: 'list';
  readonly items: readonly Node[];
  readonly offset: number;
}

export interface MappingNode {
  readonly kind: 'mapping';
  /** In the order of the document, merged ones last. A key may stand twice: `duplicateKeys` finds it. */
  readonly pairs: readonly Pair[];
  readonly offset: number;
}

export interface Pair {
  readonly key: string;
  readonly keyOffset: number;
  readonly value: Node;
}

/** A step is a mapping's key or a list's index. */
export type Path = readonly (string | number)[];

/** The first value of a key. */
export const valueOf = (mapping: MappingNode, key: string): Node | undefined => mapping.pairs.find((pair) => pair.key === key)?.value;

/** The text of a scalar that YAML reads as a string. */
export const stringOf = (node: Node | undefined): string | undefined => (node?.kind === 'scalar' && typeof node.value === 'string' ? node.value : undefined);

/**
 * Plain data for a schema. Mappings become objects without a prototype, so that a key `__proto__` is a key like any other.
 * @param omit keys of this mapping (not of nested ones) that are left out.
 */
export function plainOf(node: Node, omit?: ReadonlySet<string>): unknown {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map((item) => plainOf(item));
  const plain = Object.create(null) as Record<string, unknown>;
  for (const { key, value } of node.pairs) if (!omit?.has(key) && !(key in plain)) plain[key] = plainOf(value);
  return plain;
}

/** Where a path leads, as far as it goes: the node there, the offset to point at, and the steps that exist. */
export function follow(root: Node, path: Path): { readonly node: Node; readonly offset: number; readonly path: Path } {
  let node = root;
  let offset = root.offset;
  for (const [index, step] of path.entries()) {
    const next = node.kind === 'mapping' ? valueOf(node, String(step)) : node.kind === 'list' ? node.items[Number(step)] : undefined;
    if (next === undefined) return { node, offset, path: path.slice(0, index) };
    ({ offset } = node = next);
  }
  return { node, offset, path };
}

/** Every second and later occurrence of a key, at any depth, with the path to its mapping. */
export function duplicateKeys(node: Node, path: Path = []): readonly { readonly pair: Pair; readonly path: Path }[] {
  if (node.kind === 'scalar') return [];
  if (node.kind === 'list') return node.items.flatMap((item, index) => (item.kind === 'scalar' ? [] : duplicateKeys(item, [...path, index])));
  const seen = new Set<string>();
  return node.pairs.flatMap((pair) => {
    const again = seen.has(pair.key) ? [{ pair, path }] : [];
    seen.add(pair.key);
    return pair.value.kind === 'scalar' ? again : [...again, ...duplicateKeys(pair.value, [...path, pair.key])];
  });
}
