// Bytes → YAML tree: what cannot be read as one document at all is told here, with its place.
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseAllDocuments, type Document as YamlDocument } from 'yaml';
import type { Position } from './types.ts';

/** The size that Kubernetes itself allows for a ConfigMap. */
export const MAX_BYTES = 1_048_576;

export interface Failure {
  readonly position: Position;
  readonly message: string;
}

export interface Tree {
  readonly document: YamlDocument.Parsed;
  readonly value: unknown;
  /** Duplicate keys and the like: problems of one place that leave the structure clear. */
  readonly local: readonly (Failure & { readonly offset: number })[];
  /** The place of a node or key; the start of the document where there is none. */
  readonly positionOf: (node: unknown) => Position;
}

const START: Position = { line: 1, column: 1 };

/** Reads one YAML document. Aliases are bounded, so that a few lines cannot become gigabytes. */
export function readTree(content: Uint8Array): Tree | readonly Failure[] {
  const fail = (message: string, position = START): readonly Failure[] => [{ position, message }];
  if (content.byteLength > MAX_BYTES) return fail(`the document has ${content.byteLength} bytes; the limit is ${MAX_BYTES}`);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch {
    return fail(`the document is not UTF-8 (byte ${firstBadByte(content)})`);
  }
  const lines = new LineCounter();
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const documents = parseAllDocuments(text, { lineCounter: lines, merge: true, prettyErrors: false, uniqueKeys: true, customTags: [], logLevel: 'error' });
  const [document, second] = 'empty' in documents ? [] : documents;
  if (document === undefined || (document.contents === null && document.errors.length === 0)) return fail('the document is empty');
  const problems = [...document.errors, ...document.warnings];
  const fatal = problems.filter((problem) => problem.code !== 'DUPLICATE_KEY');
  if (fatal.length > 0) return fatal.map((problem) => ({ position: at(problem.pos[0]), message: problem.message.replace(/\s*\n[\s\S]*$/, '') }));
  if (second !== undefined) return fail('there are several documents (---) where one is expected', at(second.range[0]));
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 1000 });
  } catch (error) {
    return fail(`the aliases of the document cannot be resolved: ${error instanceof Error ? error.message : String(error)}`);
  }
  return {
    document,
    value,
    local: document.errors.map((problem) => ({ offset: problem.pos[0], position: at(problem.pos[0]), message: 'this key stands here twice; remove one' })),
    positionOf: (node) => {
      const range = (node as Partial<Node> | null | undefined)?.range;
      return range === null || range === undefined ? START : at(range[0]);
    },
  };
}

function firstBadByte(content: Uint8Array): number {
  let [low, high] = [0, content.byteLength];
  // The longest prefix that decodes, up to a character that is cut in the middle, ends at the bad byte.
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(content.subarray(0, middle), { stream: true });
      low = middle;
    } catch {
      high = middle - 1;
    }
  }
  return low + 1;
}

/** The node at a path below `node`, or the nearest one above it; for the key itself where `wantKey` says so. */
export function nodeAt(document: YamlDocument.Parsed, path: readonly PropertyKey[], wantKey: boolean): unknown {
  let node: unknown = document.contents;
  for (const [index, step] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document);
    if (isSeq(node) && typeof step === 'number') {
      node = node.items[step] ?? node;
      continue;
    }
    if (!isMap(node)) return node;
    const pair = node.items.find((item) => String(isScalar(item.key) ? item.key.value : item.key) === String(step));
    if (pair === undefined) return node;
    const last = index === path.length - 1;
    node = last && wantKey ? pair.key : (pair.value ?? pair.key);
  }
  return node;
}
