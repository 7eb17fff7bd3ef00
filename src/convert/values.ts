// Bytes of a file, in YAML or JSON → what each of its documents says, as plain data. Bounded as our own documents are.
import { aliasBudget, loadYaml } from '../document/load-yaml.ts';
import { hasTooManyMarks, MANIFEST_LIMITS, partsOf } from '../document/manifests.ts';
import { plainOf } from '../document/tree.ts';

export type Values = { readonly values: readonly unknown[]; readonly error?: undefined } | { readonly error: string };

/** @returns the documents that say something, or what is wrong with the first that cannot be read: with its line, and nothing of its content. */
export function valuesOf(bytes: Uint8Array): Values {
  const text = new TextDecoder().decode(bytes);
  const start = text.trimStart();
  if (start.startsWith('{') || start.startsWith('[')) {
    if (hasTooManyMarks(text)) return { error: `has more than ${MANIFEST_LIMITS.jsonMarks} brackets, braces, colons and commas` };
    try {
      return { values: [JSON.parse(text)] };
    } catch {
      // In curly braces there may be YAML.
    }
  }
  const values: unknown[] = [];
  for (const { text: part, line } of partsOf(text, false).values()) {
    const { root, faults } = loadYaml(part, aliasBudget());
    const fault = faults?.[0];
    if (fault !== undefined) return { error: `line ${line + part.slice(0, fault.offset).split('\n').length - 1}: ${fault.message}` };
    if (root !== undefined) values.push(plainOf(root));
  }
  return { values };
}
