// What can be said of rules without a look into any database.
import { type Advice, allowConnections } from '../../changes/advice.ts';
import type { Catalog } from '../../model/catalog.ts';
import type { GrantRule } from '../../model/entries.ts';
import type { Notice } from '../../changes/notice.ts';
import { type DatabaseContents, isSystemSchema, ownName } from '../../model/contents.ts';
import { firstNames } from '../../model/first-names.ts';
import { KINDS, kindWords } from '../../model/kinds.ts';
import { isGlob, matches } from '../../model/pattern.ts';
import type { Subject, SubjectsInput } from './subject.ts';

/** Databases that a pattern matches and does not mean. */
export function leftOut(subjects: readonly Subject[], { databases }: Catalog): Notice[] {
  const patterns = new Set([...new Set(subjects.map(({ rules }) => rules))].flatMap(({ rules }) => rules.flatMap(({ database }) => database ?? [])));
  const globs = [...patterns].filter(isGlob);
  const names = [...databases.values()].flatMap(({ name, exactOnly, isTemplate }) =>
    exactOnly === true && !isTemplate && !patterns.has(name) && globs.some((glob) => matches(glob, name)) ? [name] : [],
  );
  return names.length === 0
    ? []
    : [
        {
          kind: 'unmanaged',
          subject: '',
          message: `a pattern does not mean ${names.toSorted().join(', ')}: the platform's own, or closed to our admin (no CONNECT, and no right to give it); what is to be managed there is named exactly`,
        },
      ];
}

/** Foreign servers of a database that a pattern matches and does not mean. */
export function serversLeftOut(subjects: readonly Subject[], { name: database, groups }: DatabaseContents): Notice[] {
  const apart = groups.filter(({ kind, exactOnly }) => kind === 'foreign_server' && exactOnly === true).flatMap(({ names }) => names);
  if (apart.length === 0) return [];
  const scopes = [...new Set(subjects.map(({ rules }) => rules))].map((rules) => rules.scope('foreign_server', database, ''));
  const names = apart.filter((name) => scopes.some((scope) => (scope.find(name)?.size ?? 0) > 0 && scope.findExact(name) === undefined)).map(ownName);
  if (names.length === 0) return [];
  const message = `a pattern does not mean the foreign server(s) ${firstNames(names.toSorted())} of database ${database}: they have a user mapping for PUBLIC, and whoever may use them works there as whom it names. What is to be granted is named exactly`;
  return [{ kind: 'unmanaged', subject: '', message }];
}

/** What can be said of rules without any database: privileges that the server does not have, schemas that are refused, databases that are not there. */
export function staticNotices(subject: Subject, { catalog, defaultDatabase }: Pick<SubjectsInput, 'catalog' | 'defaultDatabase'>): Notice[] {
  const { major } = catalog.server;
  const found = new Map<string, Notice>();
  const say = (kind: Notice['kind'], rule: GrantRule, message: string, advice?: Advice): void => {
    found.set(message, { kind, subject: subject.name, position: rule.position, message, advice });
  };
  for (const rule of subject.rules.rules) {
    const what = kindWords(rule.kind);
    for (const { privilege } of rule.privileges) {
      const since = KINDS[rule.kind].privileges[privilege] ?? 14;
      if (since > major) say('invalid', rule, `${privilege} on a ${what} needs PostgreSQL ${since}; this server is ${major}, and the privilege is left out`);
    }
    if (rule.implied || rule.privileges.length === 0) continue;
    if (isSystemSchema(rule.schema)) say('refused', rule, `privileges in schema ${rule.schema} are refused: it belongs to the server or to pgsteward`);
    const database = rule.database ?? defaultDatabase;
    if (database !== '' && !isGlob(database) && !catalog.databases.has(database))
      say('pending', rule, `privileges in database ${database} wait until it exists`);
    if (catalog.databases.get(database)?.allowsConnections === false && KINDS[rule.kind].scope !== 'cluster')
      say('cannot', rule, `privileges in database ${database} cannot be managed: it allows no connections`, allowConnections(database));
    if (rule.kind === 'tablespace' && !isGlob(rule.name) && !catalog.shared.some((group) => group.kind === 'tablespace' && group.names.includes(rule.name)))
      say('pending', rule, `CREATE on tablespace ${rule.name} waits until it exists`);
  }
  return [...found.values()];
}
