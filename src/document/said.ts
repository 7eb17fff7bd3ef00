// What an item of a document says, as one line of JSON: without its place, its comments and the order of its keys. It is what a revision keeps of the item.
import { LIMITS } from '../model/limits.ts';
import type { ProblemReport } from './problem-report.ts';
import type { MappingNode, Node, ScalarNode } from './tree.ts';

/** A key of whose values the spelling counts: the server gets it. */
const SPELT: ReadonlySet<string> = new Set(['settings', 'databaseSettings']);
/** What an item is called stands before everything else. */
const FIRST: readonly string[] = ['username', 'name', 'privilege'];
/** Of what is too large to be kept. */
const TOO_LARGE = 'isTooLarge';

/**
 * An item that is valid: what is wrong with a document may hold anything, also a password.
 * @param nameKey its name is said in any case; the rest only as far as there is room in the document's report.
 */
export function saidOf(node: MappingNode, nameKey: 'username' | 'name', report: Pick<ProblemReport, 'spendSaid'>): string {
  const size = sizeOf(node, LIMITS.saidOfDocument);
  if (report.spendSaid(size)) return JSON.stringify(plainly(node, false));
  const name = node.pairs.find(({ key }) => key === nameKey)?.value;
  return JSON.stringify({ [nameKey]: name?.kind === 'scalar' ? name.value : null, [TOO_LARGE]: true });
}

/** About as many characters as it takes, or more than the most: a few lines of a document may stand for many. */
function sizeOf(node: Node, most: number): number {
  if (node.kind === 'scalar') return typeof node.value === 'string' ? node.value.length + 3 : node.source.length + 3;
  let size = 2;
  for (const part of node.kind === 'list' ? node.items : node.pairs) {
    if (size > most) break;
    size += 'key' in part ? part.key.length + 3 + sizeOf(part.value, most - size) : sizeOf(part, most - size);
  }
  return size;
}

function plainly(node: Node, isSpelt: boolean): unknown {
  if (node.kind === 'scalar') return isSpelt ? spelt(node) : node.value;
  if (node.kind === 'list') return node.items.map((item) => plainly(item, isSpelt));
  // Without a prototype, so that a key `__proto__` is a key like any other.
  const plain = Object.create(null) as Record<string, unknown>;
  for (const { key, value } of node.pairs.toSorted((one, other) => orderOf(one.key, other.key)))
    if (!(key in plain)) plain[key] = plainly(value, isSpelt || SPELT.has(key));
  return plain;
}

/** As the reader takes a number among settings (document/settings.ts). */
const spelt = ({ value, source }: ScalarNode): unknown =>
  typeof value === 'number' ? (/^[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?$/.test(source) ? source : String(value)) : value;

function orderOf(one: string, other: string): number {
  const [first, second] = [FIRST.indexOf(one), FIRST.indexOf(other)];
  if (first !== second) return second - first;
  return one < other ? -1 : one > other ? 1 : 0;
}
