// Which databases are read at all: those in which something is declared, granted or followed.
import type { SubjectsInput, Subject } from './subject.ts';
import { KINDS } from '../../model/kinds.ts';
import { matches } from '../../model/pattern.ts';

/** The databases whose contents matter, of those that there are and that can be connected to. */
export function databasesToRead(subjects: readonly Subject[], input: Pick<SubjectsInput, 'document' | 'catalog' | 'defaultDatabase'>): readonly string[] {
  const { document, catalog, defaultDatabase } = input;
  const declared = new Set(document.databases.map((entry) => entry.name));
  const patterns = new Set(
    // Users of the same permissions share their rules.
    [...new Set(subjects.map(({ rules }) => rules))].flatMap(({ rules }) =>
      rules.flatMap((rule) => (KINDS[rule.kind].scope === 'cluster' ? [] : [rule.database ?? defaultDatabase])),
    ),
  );
  return [...catalog.databases.values()]
    .filter((database) => database.allowsConnections)
    .filter(
      ({ name, exactOnly }) =>
        declared.has(name) ||
        catalog.granted.has(name) ||
        catalog.triggerDatabases.has(name) ||
        [...patterns].some((pattern) => (exactOnly === true ? pattern === name : matches(pattern, name))),
    )
    .map(({ name }) => name);
}
