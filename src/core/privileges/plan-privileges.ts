// The plan of privileges: subjects and snapshots in, changes and notices out, each database by itself.
import type { Catalog } from '../catalog.ts';
import type { Change } from '../change.ts';
import { type DatabaseEntry, type GrantRule, UNKNOWN_DATABASE } from '../document/types.ts';
import type { Law } from '../law.ts';
import type { Notice } from '../notice.ts';
import { targetWords } from '../sentence.ts';
import { actingOf } from './acting.ts';
import { type DatabaseContents, isSystemSchema, type ObjectGroup, PUBLIC } from './contents.ts';
import { planContents, planDatabase } from './databases.ts';
import { diffDefaults } from './diff-defaults.ts';
import { diffObjects, type ObjectDiffInput } from './diff-objects.ts';
import { foresee, handedOver, newContents } from './foresee.ts';
import { KINDS, kindWords } from './kinds.ts';
import { isGlob, matches } from './pattern.ts';
import { existingIn, pendingIn } from './pending.ts';
import { fallbackNotice, planTrigger, type TriggerPolicy } from '../triggers/plan-trigger.ts';
import { type Subject, type SubjectsInput, subjectsOf } from './subject.ts';

/** What is known of a database in this cycle. */
export type DatabaseReading =
  | { readonly kind: 'read'; readonly contents: DatabaseContents }
  /** Nothing changed since it was last found right; what held then still holds. */
  | { readonly kind: 'settled'; readonly notices: readonly Notice[] }
  | { readonly kind: 'unreadable'; readonly reason: string };

export interface PrivilegesInput extends SubjectsInput {
  readonly law: Law;
  readonly readings: ReadonlyMap<string, DatabaseReading>;
  /** Whether revokes are applied, or only reported. */
  readonly revokes: boolean;
  readonly triggers: TriggerPolicy;
}

export interface PrivilegesPlan {
  readonly changes: readonly Change[];
  readonly notices: readonly Notice[];
  /** What holds in each database that was read, for when it is found unchanged. */
  readonly noticesOf: ReadonlyMap<string, readonly Notice[]>;
}

/** The databases whose contents matter, of those that there are and that can be connected to. */
export function databasesToRead(subjects: readonly Subject[], input: Omit<SubjectsInput, 'isManaged'>): readonly string[] {
  const { document, catalog, defaultDatabase } = input;
  const declared = new Set(document.databases.map((entry) => entry.name));
  const patterns = new Set(
    subjects.flatMap(({ rules }) => rules.rules.flatMap((rule) => (KINDS[rule.kind].scope === 'cluster' ? [] : [rule.database ?? defaultDatabase]))),
  );
  return [...catalog.databases.values()]
    .filter((database) => database.allowsConnections)
    .filter(
      ({ name, isTemplate }) =>
        declared.has(name) ||
        catalog.granted.has(name) ||
        catalog.triggerDatabases.has(name) ||
        [...patterns].some((pattern) => (isTemplate ? pattern === name : matches(pattern, name))),
    )
    .map(({ name }) => name);
}

/** The plan for everything that privileges concern. Pure. */
export function planPrivileges(input: PrivilegesInput): PrivilegesPlan {
  const { document, catalog, law, defaultDatabase } = input;
  const acting = actingOf(catalog);
  const subjects = subjectsOf(input);
  const entries = new Map(document.databases.map((entry) => [entry.name, entry]));
  const changes: Change[] = [];
  const notices: Notice[] = [...subjects.flatMap((subject) => staticNotices(subject, input)), ...fallbackNotice(catalog, input.triggers, subjects)];
  const newOwners = new Map<string, string>();
  for (const entry of entries.values()) {
    const found = planDatabase(entry, catalog, law, defaultDatabase);
    changes.push(...found.changes);
    notices.push(...found.notices);
    for (const change of found.changes) if (change.kind === 'alter_database_owner') newOwners.set(change.database, change.owner);
  }
  const isOurs = isOursAmong(subjects);
  const shared = refusals(law, catalog, '');
  changes.push(
    ...diffObjects({
      database: '',
      groups: withParameters(catalog, subjects).flatMap((group) => (group.kind === 'database' ? handedOver(group, newOwners) : [group])),
      defaults: [],
      subjects,
      acting,
      isOurs,
      revokes: input.revokes,
      refused: shared.refused,
    }),
  );
  notices.push(...shared.notices);
  const noticesOf = new Map<string, readonly Notice[]>();
  const planned = [...catalog.databases.values()].flatMap(({ name, planned: isPlanned }): [string, DatabaseReading][] =>
    isPlanned === true ? [[name, { kind: 'read', contents: newContents(name, catalog) }]] : [],
  );
  for (const [name, reading] of [...input.readings, ...planned]) {
    if (reading.kind === 'settled') notices.push(...reading.notices);
    else if (reading.kind === 'unreadable')
      notices.push({ kind: 'failed', subject: '', message: `database ${name} cannot be read, and its privileges stay as they are: ${reading.reason}` });
    else {
      const owner = newOwners.get(name) ?? catalog.databases.get(name)?.owner ?? '';
      const found = planOne(reading.contents, entries.get(name), owner, { subjects, acting, isOurs }, input);
      changes.push(...found.changes);
      notices.push(...found.notices);
      noticesOf.set(name, found.notices);
    }
  }
  // What an entry meant that is wrong now may be what keeps somebody's access: nothing is taken away there.
  const { invalidDatabases: invalid } = document;
  const isTold = (change: Change): boolean => {
    if (change.kind !== 'revoke_privilege' && change.kind !== 'revoke_default_privilege') return true;
    const follows = change.kind === 'revoke_default_privilege' || change.role === PUBLIC;
    if (follows && invalid.has(UNKNOWN_DATABASE)) return false;
    return !invalid.has(change.kind === 'revoke_default_privilege' ? change.database : change.on.database || (change.on.names[0] ?? ''));
  };
  return { changes: changes.filter(isTold), notices, noticesOf };
}

function planOne(
  now: DatabaseContents,
  entry: DatabaseEntry | undefined,
  owner: string,
  { subjects, acting, isOurs }: Pick<ObjectDiffInput, 'subjects' | 'acting' | 'isOurs'>,
  input: PrivilegesInput,
) {
  const { catalog, law, defaultDatabase } = input;
  const made = entry === undefined ? { changes: [], notices: [] } : planContents(entry, now, law, acting);
  const contents = foresee(now, made.changes, catalog.server.admin);
  const exists = existingIn(contents.groups);
  const { refused, notices } = refusals(law, catalog, contents.name);
  const objects = diffObjects({
    database: contents.name,
    groups: contents.groups,
    defaults: contents.defaults,
    subjects,
    acting,
    isOurs,
    revokes: input.revokes,
    refused,
  });
  const defaults = diffDefaults({
    contents,
    owner,
    createdBy: entry?.createdBy ?? [],
    exists: (role) => catalog.cluster.roles.has(role) || input.isManaged(role),
    subjects,
    major: catalog.server.major,
    acting,
  });
  const { invalidDatabases } = input.document;
  const trigger = planTrigger({
    database: contents.name,
    state: contents.trigger,
    subjects,
    policy: input.triggers,
    catalog,
    revokes: input.revokes,
    isInvalid: invalidDatabases.has(contents.name) || invalidDatabases.has(UNKNOWN_DATABASE),
  });
  const strays = contents.strays.map(({ role, what, count }): Notice => ({
    kind: 'unmanaged',
    subject: role,
    message: `holds ${count} privilege(s) on what pgsteward does not manage in database ${contents.name} (${what.replaceAll('_', ' ')}: the server's own, its own memory, or of a kind that it does not know); they stay as they are`,
  }));
  return {
    changes: [...made.changes, ...trigger.changes, ...objects, ...defaults],
    notices: [
      ...made.notices,
      ...trigger.notices,
      ...notices,
      ...strays,
      ...subjects.flatMap((subject) => pendingIn(contents, subject, defaultDatabase, exists)),
    ],
  };
}

/** The groups that all databases share, with the parameters that have no ACL yet: they have no row that could be read. */
function withParameters(catalog: Catalog, subjects: readonly Subject[]): readonly ObjectGroup[] {
  const rules = subjects.flatMap((subject) => subject.rules.rules.filter((rule) => rule.kind === 'parameter'));
  if (rules.length === 0 || catalog.server.major < 15) return catalog.shared;
  const known = new Set(catalog.shared.flatMap((group) => (group.kind === 'parameter' ? group.names : [])));
  const wanted = new Set([...catalog.parameters.keys(), ...rules.flatMap((rule) => (isGlob(rule.name) ? [] : [rule.name.toLowerCase()]))]);
  const names = [...wanted].filter((name) => !known.has(name) && rules.some((rule) => matches(rule.name.toLowerCase(), name)));
  return [...catalog.shared, { kind: 'parameter', schema: '', owner: catalog.bootstrap, names, extension: false, untouched: true, entries: [] }];
}

/** Roles whose every privilege the document decides. */
function isOursAmong(subjects: readonly Subject[]): (role: string) => boolean {
  const exact = new Set(subjects.flatMap((subject) => (subject.mode === 'exact' ? [subject.name] : [])));
  return (role) => exact.has(role);
}

/** What the law takes out of the rules, and the notices that say so. */
function refusals(law: Law, catalog: Catalog, database: string): { readonly refused: ObjectDiffInput['refused']; readonly notices: Notice[] } {
  const notices: Notice[] = [];
  const refuse = (subject: Subject, what: string, why: string): void => {
    notices.push({ kind: 'refused', subject: subject.name, position: subject.position, message: `${what} is refused: ${why}` });
  };
  return {
    notices,
    refused: (group, name, subject, wish) => {
      const refused = new Set<string>();
      for (const privilege of wish.keys()) {
        const why =
          group.kind === 'parameter'
            ? law.refuseParameter(name, privilege)
            : keptByExtension(group, privilege, catalog)
              ? 'the extension keeps it from PUBLIC'
              : undefined;
        if (why === undefined) continue;
        refused.add(privilege);
        // What a pattern matches in passing is left out without a word.
        if (subject.rules.scope(group.kind, database, group.schema).findExact(name) === undefined) continue;
        refuse(subject, `${privilege} on ${targetWords({ database, object: group.kind, schema: group.schema, names: [name] })}`, why);
      }
      return refused;
    },
  };
}

/** What a superuser's extension does not give everybody may lead out of the database (pg_read_file and its like). */
const keptByExtension = (group: ObjectGroup, privilege: string, catalog: Catalog): boolean =>
  group.extension &&
  catalog.cluster.roles.get(group.owner)?.superuser === true &&
  !group.entries.some((entry) => entry.grantee === PUBLIC && entry.privilege === privilege);

/** What can be said of rules without any database: privileges that the server does not have, schemas that are refused, databases that are not there. */
function staticNotices(subject: Subject, { catalog, defaultDatabase }: PrivilegesInput): Notice[] {
  const { major } = catalog.server;
  const found = new Map<string, Notice>();
  const say = (kind: Notice['kind'], rule: GrantRule, message: string): void => {
    found.set(message, { kind, subject: subject.name, position: rule.position, message });
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
      say('cannot', rule, `privileges in database ${database} cannot be managed: it allows no connections; run ALTER DATABASE … ALLOW_CONNECTIONS true`);
    if (rule.kind === 'tablespace' && !isGlob(rule.name) && !catalog.shared.some((group) => group.kind === 'tablespace' && group.names.includes(rule.name)))
      say('pending', rule, `CREATE on tablespace ${rule.name} waits until it exists`);
  }
  return [...found.values()];
}
