// A document → its text: what is written by us for people to read and edit. Names are values: whatever stands in one, the text means it, and has nothing for a terminal.
import { Document, isMap, isScalar, isSeq, Scalar, visit } from 'yaml';

/** What can be written. Mappings keep their order, and no key is special in them. */
export type Written = string | number | boolean | null | readonly Written[] | ReadonlyMap<string, Written>;

/** Short lists and mappings without any within stand on one line. */
const ONE_LINE = 100;

/** What a terminal may take for a command, and what looks like something else than it is. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;
/** What other readers of YAML take for a moment. */
const DATE = /^\d{4}-\d{2}-\d{2}/;
/** As a key without quotes it is none: what stands behind it would be merged into the mapping. */
const MERGE = '<<';
const UNSEEN_BUT_LINE_ENDS = /(?!\n)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** The text of a document, in YAML. */
export function yamlOf(written: Written): string {
  // What is said twice is written twice: an alias is nothing for people.
  const document = new Document(written, { aliasDuplicateObjects: false });
  visit(document, {
    Scalar: (_key, node) => {
      if (typeof node.value === 'string' && (node.value === MERGE || UNSEEN.test(node.value) || DATE.test(node.value))) node.type = Scalar.QUOTE_DOUBLE;
    },
    Seq: (_key, node) => {
      node.flow = isShort(node);
    },
    Map: (_key, node) => {
      node.flow = isShort(node) && !node.has('users');
    },
  });
  return document.toString({ lineWidth: 0, flowCollectionPadding: false }).replaceAll(UNSEEN_BUT_LINE_ENDS, escaped);
}

const isShort = (node: unknown): boolean => lengthOf(node) <= ONE_LINE;

/** How much of a line a node takes; a list of anything but words and privileges has lines of its own. */
function lengthOf(node: unknown): number {
  if (isSeq(node))
    return node.items.every((item) => isScalar(item) || (isMap(item) && item.has('privilege')))
      ? node.items.reduce<number>((sum, item) => sum + lengthOf(item), 2)
      : Number.POSITIVE_INFINITY;
  if (isMap(node)) return node.items.reduce<number>((sum, { key, value }) => sum + lengthOf(key) + lengthOf(value), 2);
  return isScalar(node) ? String(node.value).length + 2 : 0;
}

/** Such characters stand in double quotes only. */
function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return code > 0xff_ff ? `\\U${code.toString(16).padStart(8, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
}
