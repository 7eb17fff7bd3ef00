// A digest of what an entry of the document says, wherever it stands in it.
import { createHash } from 'node:crypto';
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

/** Without places, which change with every line above, and with maps as lists. */
function plainly(key: string, value: unknown): unknown {
  if (key === 'position') return undefined;
  if (key === 'rules' && Array.isArray(value)) return digestOfRules(value);
  return value instanceof Map ? [...value] : value;
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

const digestOf = (value: unknown): string => createHash('sha256').update(JSON.stringify(value, plainly)).digest('base64url').slice(0, 16);
