// What zod finds wrong with an entry, in words for its author.
import type { z } from 'zod';
import type { Node } from './tree.ts';

/** What zod expects → what the author has to write. */
const WANTED: ReadonlyMap<string, string> = new Map([
  ['string', 'text'],
  ['boolean', '`true` or `false`'],
  ['array', 'a list'],
  ['object', 'a mapping'],
  ['record', 'a mapping'],
]);

/** Keys that an entry cannot do without. */
const REQUIRED: ReadonlySet<unknown> = new Set(['username', 'name']);

/**
 * The sentence for one issue. Values are not quoted: a password may stand there by mistake.
 * @param node what stands at the issue's path; undefined where nothing does.
 */
export function issueMessage(issue: z.core.$ZodIssue, node: Node | undefined): string {
  if (issue.code !== 'invalid_type') return issue.message;
  const step = issue.path.at(-1);
  if (node === undefined) return `the key \`${String(step)}\` is missing`;
  const isRole = issue.path.length === 2 && (issue.path[0] === 'roles' || issue.path[0] === 'memberOf');
  const wanted = isRole ? 'the name of a role or a mapping with `name`' : WANTED.get(issue.expected);
  if (wanted === undefined) return issue.message;
  const isOptional = typeof step === 'string' && !REQUIRED.has(step);
  const advice = isOptional && node.kind === 'scalar' && node.value === null ? '; leave the key out if nothing is meant' : adviceFor(wanted, node);
  return `${mismatch(wanted, node)}${advice}`;
}

/** `must be … but is …` */
export const mismatch = (wanted: string, node: Node): string => `must be ${wanted}, but is ${kindOf(node)}`;

function kindOf(node: Node): string {
  if (node.kind !== 'scalar') return `a ${node.kind}`;
  if (node.value === null) return 'null';
  return typeof node.value === 'string' ? 'text' : `a ${typeof node.value}`;
}

function adviceFor(wanted: string, node: Node): string {
  if (node.kind !== 'scalar' || node.source === '') return '';
  if (typeof node.value !== 'string') return wanted === 'text' || wanted.startsWith('the name') ? '; write it in quotes' : '';
  return wanted === WANTED.get('boolean') && !node.plain ? '; write it without quotes' : '';
}
