// Document text → located tree, in as little time and memory as its form allows; the outcome is always that of loadYaml.
import { aliasBudget, type Fault, type Loaded, loadYaml } from './load-yaml.ts';
import { readSimpleItem } from './simple-item.ts';
import { splitUsers } from './split.ts';
import type { MappingNode, Node } from './tree.ts';

/** So many items go to the parser at once: its tree takes two hundred times the memory of its text. */
export const ITEMS_AT_ONCE = 200;

/** Reads a document item by item where that is safe, and as a whole where it is not, or where anything is wrong. */
export function load(text: string): Loaded & { readonly isInParts?: true } {
  const { root, faults } = loadInPieces(text);
  if (root !== undefined) return { root, isInParts: true };
  const whole = loadYaml(text, aliasBudget());
  // Of what is too large as a whole, a part that is wrong says more.
  return whole.tooLarge === true && faults !== undefined ? { faults } : whole;
}

interface Pieces {
  readonly root?: MappingNode;
  /** What is wrong with a part by itself. */
  readonly faults?: readonly Fault[] | undefined;
}

/** Nothing where the document cannot be taken apart, or a part is not perfectly good YAML on its own (an anchor elsewhere, an error). */
function loadInPieces(text: string): Pieces {
  const split = splitUsers(text);
  if (split === undefined) return {};
  const frame = loadYaml(text.slice(0, split.itemStarts[0]), aliasBudget()).root;
  const last = frame?.kind === 'mapping' ? frame.pairs.at(-1) : undefined;
  if (frame?.kind !== 'mapping' || last?.keyOffset !== split.usersOffset) return {};
  const { items, faults } = loadItems(text, split.itemStarts, split.indent);
  if (items === undefined) return { faults };
  const users: Node = { kind: 'list', items, offset: (split.itemStarts[0] ?? 0) + split.indent };
  return { root: { ...frame, pairs: [...frame.pairs.slice(0, -1), { ...last, value: users }] } };
}

function loadItems(
  text: string,
  starts: readonly number[],
  indent: number,
): { readonly items?: readonly Node[]; readonly faults?: readonly Fault[] | undefined } {
  const items: Node[] = [];
  const budget = aliasBudget();
  const endOf = (index: number): number => starts[index + 1] ?? text.length;
  let index = 0;
  while (index < starts.length) {
    const start = starts[index] ?? 0;
    const simple = readSimpleItem(text.slice(start, endOf(index)), indent, start);
    if (simple !== undefined) {
      items.push(simple);
      index += 1;
      continue;
    }
    const last = Math.min(index + ITEMS_AT_ONCE, starts.length) - 1;
    const { root: list, faults } = loadYaml(text.slice(start, endOf(last)), budget, start);
    if (list?.kind !== 'list' || list.items.length !== last - index + 1) return { faults };
    items.push(...list.items);
    index = last + 1;
  }
  return { items };
}
