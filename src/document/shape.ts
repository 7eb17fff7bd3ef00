// Shapes: what keys a mapping has and what each value may be, as a table from which both the reader and the JSON Schema are made, so that they say the same.
import { mismatch } from './issues.ts';
import { repeatedKeys, unknownKeys } from './keys.ts';
import type { ComplainAt } from './problem-report.ts';
import { show } from './show.ts';
import { suggest } from './suggest.ts';
import { type ListNode, type MappingNode, type Node, type Path, type ScalarNode, valueOf } from './tree.ts';

export type Shape =
  /** Text of which `problem` says what is wrong with it; that is beyond what a schema sees. */
  | { readonly kind: 'text'; readonly about?: string; readonly problem?: (text: string) => string | undefined }
  | { readonly kind: 'integer'; readonly about?: string; readonly least: number; readonly most: number }
  /** A number of seconds, which may have a fraction. */
  | { readonly kind: 'number'; readonly about?: string; readonly least: number; readonly most: number }
  | { readonly kind: 'flag'; readonly about?: string }
  | { readonly kind: 'words'; readonly about?: string; readonly words: readonly string[] }
  | { readonly kind: 'list'; readonly about?: string; readonly of: Shape; readonly least: number; readonly most: number }
  /** Any keys, with values of one shape. */
  | {
      readonly kind: 'map';
      readonly about?: string;
      readonly of: Shape;
      readonly key: (key: string) => string | undefined;
      readonly least: number;
      readonly most: number;
    }
  /** What a reader of its own looks at, wherever the shape is used. */
  | { readonly kind: 'elsewhere'; readonly about?: string; readonly schema: Readonly<Record<string, unknown>> }
  /** Exactly these keys. */
  | { readonly kind: 'mapping'; readonly about?: string; readonly keys: Readonly<Record<string, Shape>>; readonly required: readonly string[] };

/** Says everything that is not of a shape, each at its place. Values of texts are quoted by whoever says what is wrong with them. */
export function checkShape(node: Node, path: Path, shape: Shape, complain: ComplainAt): void {
  switch (shape.kind) {
    case 'elsewhere':
      return;
    case 'list':
      return checkList(node, path, shape, complain);
    case 'map':
      return checkMap(node, path, shape, complain);
    case 'mapping':
      return checkMapping(node, path, shape, complain);
    default: {
      const message = node.kind === 'scalar' ? scalarProblem(node, shape) : mismatch(wanted(shape), node);
      if (message !== undefined) complain(node.offset, path, message);
    }
  }
}

type Of<K extends Shape['kind']> = Extract<Shape, { readonly kind: K }>;
type Scalar = Of<'text' | 'integer' | 'number' | 'flag' | 'words'>;

function wanted(shape: Scalar): string {
  switch (shape.kind) {
    case 'text':
      return 'text';
    case 'flag':
      return '`true` or `false`';
    case 'words':
      return shape.words.map((word) => `\`${word}\``).join(' or ');
    default:
      return `${shape.kind === 'integer' ? 'a whole number' : 'a number'} from ${shape.least} to ${shape.most}`;
  }
}

function scalarProblem(node: ScalarNode, shape: Scalar): string | undefined {
  const { value } = node;
  if (shape.kind === 'flag') return typeof value === 'boolean' ? undefined : mismatch(wanted(shape), node);
  if (shape.kind === 'integer' || shape.kind === 'number') {
    const isGood = typeof value === 'number' && (shape.kind === 'number' || Number.isInteger(value)) && value >= shape.least && value <= shape.most;
    return isGood ? undefined : `must be ${wanted(shape)}`;
  }
  if (typeof value !== 'string') return `${mismatch('text', node)}${node.source === '' ? '' : '; write it in quotes'}`;
  if (shape.kind === 'text') return shape.problem?.(value);
  if (shape.words.includes(value)) return undefined;
  const near = suggest(value, shape.words);
  return `must be ${wanted(shape)}${near === undefined ? '' : `; did you mean \`${near}\`?`}`;
}

function checkList(node: Node, path: Path, shape: Of<'list'>, complain: ComplainAt): void {
  if (node.kind !== 'list') return complain(node.offset, path, mismatch('a list', node));
  if (!countIsGood(node, node.items.length, path, shape, complain)) return;
  for (const [index, item] of node.items.entries()) checkShape(item, [...path, index], shape.of, complain);
}

function checkMap(node: Node, path: Path, shape: Of<'map'>, complain: ComplainAt): void {
  if (node.kind !== 'mapping') return complain(node.offset, path, mismatch('a mapping', node));
  if (!countIsGood(node, node.pairs.length, path, shape, complain)) return;
  for (const problem of repeatedKeys(shallow(node), path)) complain(problem.offset, problem.path, problem.message);
  for (const { key, keyOffset, value } of node.pairs) {
    const problem = shape.key(key);
    if (problem !== undefined) complain(keyOffset, [...path, key], problem);
    checkShape(value, [...path, key], shape.of, complain);
  }
}

function countIsGood(node: ListNode | MappingNode, count: number, path: Path, { least, most }: Of<'list' | 'map'>, complain: ComplainAt): boolean {
  if (count >= least && count <= most) return true;
  complain(node.offset, path, count < least ? `the ${node.kind} is empty` : `there are ${count} of them, and at most ${most} are read`);
  return false;
}

function checkMapping(node: Node, path: Path, shape: Of<'mapping'>, complain: ComplainAt): void {
  const known = Object.keys(shape.keys);
  if (node.kind !== 'mapping')
    return complain(node.offset, path, mismatch(`a mapping with ${shape.required.length > 0 ? shape.required.map(show).join(', ') : 'keys'}`, node));
  for (const { offset, path: at, message } of [...unknownKeys(node, path, known), ...repeatedKeys(shallow(node), path)]) complain(offset, at, message);
  for (const key of shape.required) if (valueOf(node, key) === undefined) complain(node.offset, path, `the key \`${key}\` is missing`);
  for (const [key, of] of Object.entries(shape.keys)) {
    const value = valueOf(node, key);
    if (value !== undefined) checkShape(value, [...path, key], of, complain);
  }
}

/** Each mapping says its own repeated keys. */
const shallow = (node: MappingNode): MappingNode => ({ ...node, pairs: node.pairs.map((pair) => ({ ...pair, value: NOTHING })) });
const NOTHING = { kind: 'scalar', value: null, source: '', plain: true, offset: 0 } as const;

/** The same as JSON Schema. */
export function schemaOf(shape: Shape): Readonly<Record<string, unknown>> {
  const about = shape.about === undefined ? {} : { description: shape.about };
  switch (shape.kind) {
    case 'elsewhere':
      return { ...shape.schema, ...about };
    case 'text':
      return { ...about, type: 'string' };
    case 'flag':
      return { ...about, type: 'boolean' };
    case 'words':
      return { ...about, enum: shape.words };
    case 'integer':
    case 'number':
      return { ...about, type: shape.kind, minimum: shape.least, maximum: shape.most };
    case 'list':
      return { ...about, type: 'array', items: schemaOf(shape.of), minItems: shape.least, maxItems: shape.most };
    case 'map':
      return { ...about, type: 'object', additionalProperties: schemaOf(shape.of), minProperties: shape.least, maxProperties: shape.most };
    case 'mapping': {
      const properties = Object.fromEntries(Object.entries(shape.keys).map(([key, of]) => [key, schemaOf(of)]));
      return { ...about, type: 'object', properties, required: shape.required, additionalProperties: false };
    }
  }
}
