// An entry's `connectionSecret`: which Secret tells programs how to connect, and what it holds beside the standard keys.
import { z } from 'zod';
import { CONNECTION_KEYS, templateParts, uriKeys } from '../model/connection-keys.ts';
import { name, textWith } from './entry-schema.ts';
import { LIMITS } from '../model/limits.ts';
import { mismatch } from './issues.ts';
import { unknownKeys } from './keys.ts';
import { labelKeyProblem, labelValueProblem, namespaceProblem, secretKeyProblem, secretNameProblem } from './names.ts';
import type { ComplainAt } from './problem-report.ts';
import { show } from './show.ts';
import { suggest } from './suggest.ts';
import { type MappingNode, type Node, type Pair, type Path, stringOf, valueOf } from './tree.ts';
import type { ConnectionSecret, Position } from '../model/entries.ts';
import { readValues } from './values.ts';

/** Every key of the mapping, and of one of its `uris`. */
export const CONNECTION_SECRET_KEYS = ['name', 'namespace', 'database', 'template', 'labels', 'annotations', 'uris'] as const;
export const URI_KEYS = ['host', 'port'] as const;
/** Mappings with keys of the author's choice. */
const READ_APART: ReadonlySet<string> = new Set(['template', 'labels', 'annotations', 'uris']);

const schema = z.object({ name: textWith(secretNameProblem), namespace: textWith(namespaceProblem).optional(), database: name('database').optional() });
const uriSchema = z.object({
  host: textWith((text) => (/^[^\s/?#@%,]+$/.test(text) ? undefined : 'must be a host name or an address')),
  port: z.int({ error: 'must be a port' }).min(1, 'must be a port').max(65_535, 'must be a port').optional(),
});

/** Reads the mapping, or the name alone. */
export function readConnectionSecret(node: Node, complain: ComplainAt, positionOf: (offset: number) => Position): ConnectionSecret | undefined {
  const base = { template: new Map(), labels: new Map(), annotations: new Map(), uris: new Map(), namespace: undefined, database: undefined };
  if (node.kind !== 'mapping') {
    const text = stringOf(node);
    const problem = text === undefined ? mismatch('the name of a Secret or a mapping with `name`', node) : secretNameProblem(text);
    if (problem !== undefined) complain(node.offset, [], problem);
    return text === undefined ? undefined : { ...base, name: text, position: positionOf(node.offset) };
  }
  for (const { offset, path, message } of unknownKeys(node, [], CONNECTION_SECRET_KEYS)) complain(offset, path, message);
  const values = readValues(node, [], schema, READ_APART, complain);
  const uris = readUris(valueOf(node, 'uris'), complain);
  const template = readTemplate(valueOf(node, 'template'), [...uris.keys()], complain);
  const labels = readTexts(valueOf(node, 'labels'), ['labels'], complain, metadataKeyProblem, labelValueProblem);
  const annotations = readTexts(valueOf(node, 'annotations'), ['annotations'], complain, metadataKeyProblem, () => undefined);
  if (values === undefined) return undefined;
  return { ...base, ...values, template, labels, annotations, uris, position: positionOf(node.offset) };
}

/** The pairs of a mapping, which may not be more than a Secret can reasonably hold. */
function firstOf(node: MappingNode, path: Path, complain: ComplainAt): readonly Pair[] {
  if (node.pairs.length <= LIMITS.connectionKeys) return node.pairs;
  complain(node.offset, path, `has ${node.pairs.length} keys; at most ${LIMITS.connectionKeys} are read`);
  return node.pairs.slice(0, LIMITS.connectionKeys);
}

type Check = (text: string) => string | undefined;

/** A mapping of texts, with a check of its keys and one of its values. */
function readTexts(node: Node | undefined, path: Path, complain: ComplainAt, keyProblem: Check, valueProblem: Check): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  if (node === undefined) return texts;
  if (node.kind !== 'mapping') {
    complain(node.offset, path, mismatch('a mapping of texts', node));
    return texts;
  }
  for (const { key, keyOffset, value } of firstOf(node, path, complain)) {
    const wrongKey = keyProblem(key);
    if (wrongKey !== undefined) complain(keyOffset, [...path, key], wrongKey);
    const text = stringOf(value);
    const wrong = text === undefined ? `${mismatch('text', value)}; write it in quotes` : valueProblem(text);
    if (wrong !== undefined) complain(value.offset, [...path, key], wrong);
    else if (text !== undefined) texts.set(key, text);
  }
  return texts;
}

/** Whose Secret it is stands in labels and annotations of ours. */
function metadataKeyProblem(key: string): string | undefined {
  if (key === 'app.kubernetes.io/managed-by' || /^([^/]*\.)?pgsteward\.dev\//.test(key)) return `${show(key)} says whose Secret it is; leave it out`;
  return labelKeyProblem(key);
}

function readTemplate(node: Node | undefined, uris: readonly string[], complain: ComplainAt): ReadonlyMap<string, string> {
  const standard: readonly string[] = [...CONNECTION_KEYS, ...uris.flatMap(uriKeys)];
  const keyProblem: Check = (key) => (standard.includes(key) ? `${show(key)} is in every connection Secret; choose another key` : secretKeyProblem(key));
  return readTexts(node, ['template'], complain, keyProblem, (text) => templateProblem(text, standard));
}

function templateProblem(text: string, known: readonly string[]): string | undefined {
  const parts = templateParts(text);
  if (parts !== undefined && parts.length > 2 * LIMITS.connectionKeys + 1)
    return `names more than ${LIMITS.connectionKeys} values; a Secret could not hold them all`;
  if (parts === undefined) return 'has a `{{` without `}}`, or the other way round; write `{{ username }}`';
  const unknown = parts.find((part, index) => index % 2 === 1 && !known.includes(part));
  if (unknown === undefined) return undefined;
  const near = suggest(unknown, known);
  return `${show(`{{ ${unknown} }}`)} is no key of the Secret; ${near === undefined ? `known here: ${known.join(', ')}` : `did you mean ${show(`{{ ${near} }}`)}?`}`;
}

function readUris(node: Node | undefined, complain: ComplainAt): ConnectionSecret['uris'] {
  const uris = new Map<string, { host: string; port: number | undefined }>();
  if (node === undefined) return uris;
  if (node.kind !== 'mapping') {
    complain(node.offset, ['uris'], mismatch('a mapping of names to `{host, port}`', node));
    return uris;
  }
  const taken = new Set<string>(CONNECTION_KEYS);
  for (const { key, keyOffset, value } of firstOf(node, ['uris'], complain)) {
    const path = ['uris', key];
    if (!/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(key)) complain(keyOffset, path, 'the name must be lower-case letters, digits and `-`');
    const twice = uriKeys(key).find((uriKey) => taken.has(uriKey));
    if (twice !== undefined) complain(keyOffset, path, `the key ${show(twice)} is there already; choose another name`);
    for (const uriKey of uriKeys(key)) taken.add(uriKey);
    if (value.kind !== 'mapping') {
      complain(value.offset, path, mismatch('a mapping with `host`', value));
      continue;
    }
    for (const { offset, path: at, message } of unknownKeys(value, path, URI_KEYS)) complain(offset, at, message);
    const values = readValues(value, path, uriSchema, new Set(), complain);
    if (values !== undefined) uris.set(key, { host: values.host, port: values.port });
  }
  return uris;
}
