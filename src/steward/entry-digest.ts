// A digest of what an entry of the document says, wherever it stands in it.
import { hash } from 'node:crypto';
import type { DatabaseEntry, RoleDeclaration, UserEntry } from '../model/entries.ts';

type Entry = UserEntry | RoleDeclaration | DatabaseEntry;

/** A digest of what an entry says, wherever it stands in the document: equal digests and a difference on the server mean drift. */
export function entryDigest(entry: Entry): string {
  const known = digestsOfEntries.get(entry);
  if (known !== undefined) return known;
  const digest = digestOf(entry);
  digestsOfEntries.set(entry, digest);
  return digest;
}

/** Entries live as long as their document; each is digested once. */
const digestsOfEntries = new WeakMap<Entry, string>();

/**
 * Without places, which change with every line above, and the words, which may mean the same; and with maps as lists. Copied before it is put into words:
 * a function that JSON.stringify calls for each value takes several times as long.
 */
function plainly(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(plainly);
  if (value instanceof Map) return [...value].map(plainly);
  const copy: Record<string, unknown> = {};
  for (const [key, one] of Object.entries(value))
    if (key !== 'position' && key !== 'said') copy[key] = key === 'rules' && Array.isArray(one) ? digestOfRules(one) : plainly(one);
  return copy;
}

/** Entries of the same permissions share one list of rules. */
const digestsOfRules = new WeakMap<readonly unknown[], string>();

function digestOfRules(rules: readonly unknown[]): string {
  const known = digestsOfRules.get(rules);
  if (known !== undefined) return known;
  const digest = digestOf(rules);
  digestsOfRules.set(rules, digest);
  return digest;
}

const digestOf = (value: unknown): string => hash('sha256', JSON.stringify(plainly(value)), 'base64url').slice(0, 16);
