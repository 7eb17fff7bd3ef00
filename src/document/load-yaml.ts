// YAML text → located tree, by the yaml package: strict, without tags of its own, and bounded whatever its aliases say.
import { isAlias, isMap, isScalar, isSeq, Lexer, parseDocument, type ParsedNode, Scalar, type YAMLMap } from 'yaml';
import { LIMITS } from '../model/limits.ts';
import type { ListNode, MappingNode, Node, Pair } from './tree.ts';
import { yamlMessage } from './yaml-errors.ts';

/** After the first errors of the parser the others are mostly their echoes, and there can be a million of them. */
const MOST_FAULTS = 50;

/** Why nothing of a text can be used, and where. */
export interface Fault {
  readonly offset: number;
  readonly message: string;
}

/** What aliases may still add; shared by the pieces of one document. */
export interface AliasBudget {
  left: number;
}

/** A fresh budget for one document. */
export const aliasBudget = (): AliasBudget => ({ left: LIMITS.aliasNodes });

export type Loaded =
  | { readonly root: Node; readonly faults?: undefined; readonly tooLarge?: undefined }
  | { readonly root?: undefined; readonly faults: readonly Fault[]; readonly tooLarge?: boolean };

/**
 * Reads one YAML document. Duplicate keys are left in the tree; every other error and every warning of the parser is a fault.
 * Time and memory are linear in the text, and aliases are shared instead of copied.
 * @param budget what its aliases may add; it is spent here.
 * @param base is added to every offset: where the text starts in the whole document.
 */
export function loadYaml(text: string, budget: AliasBudget, base = 0): Loaded {
  const tooMany = tooManyTokens(text);
  if (tooMany !== undefined) return { faults: [{ offset: base + tooMany, message: TOO_MANY }], tooLarge: true };
  // The parser compares each key with each other one; duplicateKeys does it in linear time.
  const document = withoutStacks(() =>
    parseDocument(text, { schema: 'core', resolveKnownTags: false, stringKeys: true, uniqueKeys: false, prettyErrors: false }),
  );
  const faults = [...document.errors, ...document.warnings]
    .slice(0, MOST_FAULTS)
    .map((error) => ({ offset: base + error.pos[0], message: yamlMessage(error) }));
  if (faults.length > 0) return { faults: withoutEchoes(faults) };
  try {
    return { root: new Converter(base, budget).convert(document.contents, base, 1) };
  } catch (error) {
    if (error instanceof FaultError) return { faults: [error.fault] };
    throw error;
  }
}

/** The parser makes an error for everything that is wrong, a hundred thousand of them: what is written down of the stack costs more than the parsing. */
function withoutStacks<T>(run: () => T): T {
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return run();
  } finally {
    Error.stackTraceLimit = before;
  }
}

const TOO_MANY = `the document has more than ${LIMITS.documentTokens} words, brackets, spaces and line ends up to here, which is more than is read at once; make it smaller, or write \`users\` as a block list, without anchors and as the last key, which is read in parts`;

/** Where there are more tokens than the parser may get; they are only counted here, and none is kept. */
export function tooManyTokens(text: string): number | undefined {
  // Each token has a character at least.
  if (text.length <= LIMITS.documentTokens) return undefined;
  let [count, offset] = [0, 0];
  for (const token of new Lexer().lex(text)) {
    count += 1;
    // Marks of the lexer itself, which are not in the text.
    if (!token.startsWith('\u0002') && !token.startsWith('\u001f')) offset += token.length;
    if (count > LIMITS.documentTokens) return Math.min(offset, text.length);
  }
  return undefined;
}

/** The parser often says the same of one place twice. */
function withoutEchoes(faults: readonly Fault[]): readonly Fault[] {
  return [...new Map(faults.map((fault) => [`${fault.offset} ${fault.message}`, fault])).values()];
}

class FaultError extends Error {
  readonly fault: Fault;

  constructor(offset: number, message: string) {
    super(message);
    this.fault = { offset, message };
  }
}

/** A finished anchored node, with what each alias to it costs. */
interface Anchored {
  readonly node: Node;
  readonly size: number;
  readonly height: number;
}

class Converter {
  readonly #base: number;
  readonly #budget: AliasBudget;
  readonly #anchors = new Map<string, Anchored>();
  /** Nodes so far, with everything that aliases stand for counted as if it were written out. */
  #size = 0;
  #deepest = 0;

  constructor(base: number, budget: AliasBudget) {
    this.#base = base;
    this.#budget = budget;
  }

  /** @param fallback where to point at for a value that is not written at all. */
  convert(parsed: ParsedNode | null, fallback: number, depth: number): Node {
    const offset = parsed === null || (isScalar(parsed) && parsed.source === '' && parsed.type === 'PLAIN') ? fallback : this.#base + parsed.range[0];
    this.#enter(offset, depth);
    if (isAlias(parsed)) return this.#resolve(parsed.source, offset, depth);
    const anchor = parsed?.anchor;
    if (parsed === null || anchor === undefined) return this.#convertPlain(parsed, offset, depth);
    const [sizeBefore, deepestBefore] = [this.#size, this.#deepest];
    this.#deepest = depth;
    const node = this.#convertPlain(parsed, offset, depth);
    this.#anchors.set(anchor, { node, size: this.#size - sizeBefore, height: this.#deepest - depth });
    this.#deepest = Math.max(deepestBefore, this.#deepest);
    return node;
  }

  #enter(offset: number, depth: number): void {
    this.#size += 1;
    this.#deepest = Math.max(this.#deepest, depth);
    if (depth > LIMITS.documentDepth)
      throw new FaultError(offset, `nested more than ${LIMITS.documentDepth} levels deep; nothing of the document is used until this is corrected`);
  }

  #spend(offset: number, size: number): void {
    this.#size += size;
    this.#budget.left -= size;
    if (this.#budget.left >= 0) return;
    throw new FaultError(offset, `the aliases up to here stand for more than ${LIMITS.aliasNodes} values; write the document with fewer of them`);
  }

  #convertPlain(parsed: ParsedNode | null, offset: number, depth: number): Node {
    if (isMap(parsed)) return this.#convertMap(parsed, offset, depth);
    if (isSeq(parsed)) return { kind: 'list', items: parsed.items.map((item) => this.#convertItem(item, depth + 1)), offset };
    if (!isScalar(parsed)) return { kind: 'scalar', value: null, source: '', plain: true, offset };
    const { value, source, type } = parsed;
    const plain = type === Scalar.PLAIN;
    if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
      return { kind: 'scalar', value, source, plain, offset };
    throw new FaultError(offset, 'not valid YAML: this value is of no known kind; write it in quotes');
  }

  #convertItem(item: ParsedNode, depth: number): Node {
    return this.convert(item, this.#base + item.range[0], depth);
  }

  #convertMap(map: YAMLMap.Parsed, offset: number, depth: number): MappingNode {
    const own: Pair[] = [];
    const sources: Node[] = [];
    for (const { key, value } of map.items) {
      const keyOffset = this.#base + key.range[0];
      const node = this.convert(value, keyOffset, depth + 1);
      const isMerge = isScalar(key) && key.value === '<<' && key.type === Scalar.PLAIN;
      if (isMerge) sources.push(...mergeSources(node, keyOffset));
      else own.push({ key: isScalar(key) ? String(key.value) : '', keyOffset, value: node });
    }
    return { kind: 'mapping', pairs: sources.length === 0 ? own : [...own, ...this.#merged(own, sources)], offset };
  }

  /** What merge keys add: an own key wins over a merged one, and an earlier source over a later one. */
  #merged(own: readonly Pair[], sources: readonly Node[]): readonly Pair[] {
    const seen = new Set(own.map((pair) => pair.key));
    const added: Pair[] = [];
    for (const source of sources) {
      if (source.kind !== 'mapping') continue;
      this.#spend(source.offset, source.pairs.length);
      for (const pair of source.pairs) {
        if (seen.has(pair.key)) continue;
        seen.add(pair.key);
        added.push(pair);
      }
    }
    return added;
  }

  #resolve(anchor: string, offset: number, depth: number): Node {
    const anchored = this.#anchors.get(anchor);
    if (anchored === undefined)
      throw new FaultError(offset, 'not valid YAML: no anchor of this name ends before the alias; nothing of the document is used until this is corrected');
    this.#enter(offset, depth + anchored.height);
    this.#spend(offset, anchored.size);
    return { ...anchored.node, offset };
  }
}

function mergeSources(node: Node, keyOffset: number): readonly Node[] {
  const sources = node.kind === 'list' ? (node satisfies ListNode).items : [node];
  if (sources.every((source) => source.kind === 'mapping')) return sources;
  throw new FaultError(keyOffset, 'not valid YAML: `<<` merges a mapping or a list of mappings; nothing of the document is used until this is corrected');
}
