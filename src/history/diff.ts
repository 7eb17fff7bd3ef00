// What differs between two revisions: entries of their documents, by list and name.
import { oneLine } from '../document/show.ts';
import { SAID_LISTS, type SaidList } from '../document/normal-document.ts';
import type { Written } from '../document/write-yaml.ts';
import type { KeptDocument, KeptItem } from './kept-document.ts';

/** A document with where it was from. */
export interface PlacedDocument {
  readonly ref: string;
  readonly document: KeptDocument;
}

export interface KeyChange {
  readonly key: string;
  /** As JSON; undefined where the key was not there. */
  readonly from: string | undefined;
  readonly to: string | undefined;
}

export interface EntryChange {
  readonly list: SaidList;
  readonly name: string;
  readonly change: 'added' | 'removed' | 'changed';
  /** Where it stands, or stood. */
  readonly document: string;
  /** Of an entry that was changed. */
  readonly keys: readonly KeyChange[];
}

/** Permissions and guardrails belong to their document; roles, users and databases are of the whole server. */
const OF_DOCUMENT: ReadonlySet<SaidList> = new Set(['permissions', 'guardrails']);

/** In the order of people's reading, by name. */
export function differences(before: readonly PlacedDocument[], after: readonly PlacedDocument[]): readonly EntryChange[] {
  return SAID_LISTS.flatMap((list) => {
    const [was, is] = [entriesOf(before, list), entriesOf(after, list)];
    const keys = [...new Set([...was.keys(), ...is.keys()])].toSorted();
    return keys.flatMap((key) => changeOf(list, was.get(key), is.get(key)) ?? []);
  });
}

interface Entry {
  readonly name: string;
  readonly ref: string;
  readonly item: KeptItem;
}

const entriesOf = (documents: readonly PlacedDocument[], list: SaidList): ReadonlyMap<string, Entry> =>
  new Map(
    documents.flatMap(({ ref, document }) =>
      [...(document.get(list) ?? [])].map(([name, item]) => [JSON.stringify(OF_DOCUMENT.has(list) ? [name, ref] : [name]), { name, ref, item }] as const),
    ),
  );

function changeOf(list: SaidList, was: Entry | undefined, is: Entry | undefined): EntryChange | undefined {
  if (was === undefined || is === undefined) {
    const one = is ?? was;
    return one && { list, name: one.name, change: was === undefined ? 'added' : 'removed', document: one.ref, keys: [] };
  }
  const moved = was.ref === is.ref ? [] : [{ key: '(document)', from: JSON.stringify(was.ref), to: JSON.stringify(is.ref) }];
  const keys = [...new Set([...was.item.keys(), ...is.item.keys()])].flatMap((key): KeyChange[] => {
    const [from, to] = [textOf(was.item.get(key)), textOf(is.item.get(key))];
    return from === to ? [] : [{ key, from, to }];
  });
  return moved.length + keys.length === 0 ? undefined : { list, name: is.name, change: 'changed', document: is.ref, keys: [...moved, ...keys] };
}

/** JSON; mappings come with their keys in one order. */
const textOf = (value: Written | undefined): string | undefined => (value === undefined ? undefined : JSON.stringify(value, plainly));

function plainly(_key: string, value: unknown): unknown {
  if (!(value instanceof Map)) return value;
  const plain = Object.create(null) as Record<string, unknown>;
  for (const [key, one] of value as ReadonlyMap<string, unknown>) plain[key] = one;
  return plain;
}

const WORDS: Readonly<Record<SaidList, string>> = { users: 'user', roles: 'role', databases: 'database', permissions: 'permission', guardrails: 'guardrail' };
const SIGNS: Readonly<Record<EntryChange['change'], string>> = { added: '+', removed: '-', changed: '~' };
/** Characters of a value on a line. */
const LONGEST = 300;

/** Lines of text. */
export const differenceLines = (changes: readonly EntryChange[]): readonly string[] =>
  changes.flatMap(({ list, name, change, document, keys }) => [
    oneLine(`${SIGNS[change]} ${WORDS[list]} ${name} (${document})`),
    ...keys.map(({ key, from, to }) => oneLine(`    ${key}: ${shortened(from)} → ${shortened(to)}`)),
  ]);

const shortened = (text: string | undefined): string =>
  text === undefined ? 'nothing' : text.length > LONGEST ? `${text.slice(0, LONGEST).toWellFormed()}…` : text;
