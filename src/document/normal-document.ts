// A document as a revision keeps it: what is in force of it, in one form, by which documents that say the same are the same.
import { createHash } from 'node:crypto';
import type { Document } from '../model/entries.ts';

/** The lists of a document, in the order in which people read them. */
export const SAID_LISTS = ['guardrails', 'permissions', 'roles', 'databases', 'users'] as const;
export type SaidList = (typeof SAID_LISTS)[number];

export interface NormalDocument {
  /** JSON: each list by the names of its items. */
  readonly text: string;
  /** SHA-256 of it, in hexadecimal digits. */
  readonly digest: string;
  /** The source of the author whose it is; undefined for the operator's. */
  readonly source: string | undefined;
}

interface Item {
  readonly list: SaidList;
  readonly name: string;
  readonly said: string;
  readonly source: string | undefined;
}

/** All documents that have anything in force, by the file names of their entries. */
export function normalDocuments(document: Document): ReadonlyMap<string, NormalDocument> {
  const files = new Map<string, Item[]>();
  const add = (file: string, item: Item): void => {
    const items = files.get(file);
    if (items === undefined) files.set(file, [item]);
    else items.push(item);
  };
  const { users, roles, databases, said = [] } = document;
  for (const { position, username, said: text, source } of users)
    if (text !== undefined) add(position.file, { list: 'users', name: username, said: text, source });
  for (const { position, name, said: text, source } of roles) if (text !== undefined) add(position.file, { list: 'roles', name, said: text, source });
  for (const { position, name, said: text, source } of databases) if (text !== undefined) add(position.file, { list: 'databases', name, said: text, source });
  for (const { position, list, name, said: text } of said) add(position.file, { list, name, said: text, source: undefined });
  return new Map([...files].map(([file, items]) => [file, normalOf(items)]));
}

function normalOf(items: readonly Item[]): NormalDocument {
  const lists = SAID_LISTS.flatMap((list) => {
    const of = items.filter((item) => item.list === list).toSorted((one, other) => (one.name < other.name ? -1 : one.name > other.name ? 1 : 0));
    return of.length === 0 && list !== 'users' ? [] : [`"${list}":[${of.map(({ said }) => said).join(',\n')}]`];
  });
  const text = `{${lists.join(',\n')}}`;
  return { text, digest: createHash('sha256').update(text).digest('hex'), source: items.find(({ source }) => source !== undefined)?.source };
}
