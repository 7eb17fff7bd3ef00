// The plan of privileges: subjects and snapshots in, changes and notices out, each database by itself.
import { append } from '../../model/append.ts';
import type { Catalog } from '../../model/catalog.ts';
import { type Change, firstName } from '../../changes/change.ts';
import { UNKNOWN_DATABASE } from '../../model/entries.ts';
import type { InParts } from '../../model/in-parts.ts';
import type { Notice } from '../../changes/notice.ts';
import { fallbackNotice } from '../triggers/plan-trigger.ts';
import { actingOf } from './acting.ts';
import { type ObjectGroup, PUBLIC } from '../../model/contents.ts';
import { planDatabase } from './plan-database.ts';
import { diffObjects } from './diff-objects.ts';
import { handedOver, newContents } from './foresee.ts';
import { isGlob, matches } from '../../model/pattern.ts';
import { planInside } from './privileges-inside.ts';
import type { DatabaseReading, PrivilegesInput, PrivilegesPlan } from './privileges-plan.ts';
import { refusals } from './refusals.ts';
import { leftOut, staticNotices } from './rule-notices.ts';
import { isOursAmong, type Subject, subjectsOf } from './subject.ts';

/** The plan for everything that privileges concern. Pure. */
export function* planPrivileges(input: PrivilegesInput): InParts<PrivilegesPlan> {
  const { document, catalog, law, adminDatabase } = input;
  const acting = actingOf(catalog);
  const subjects = subjectsOf(input);
  const entries = new Map(document.databases.map((entry) => [entry.name, entry]));
  const changes: Change[] = [];
  const notices: Notice[] = [
    ...subjects.flatMap((subject) => staticNotices(subject, input)),
    ...fallbackNotice(catalog, input.triggers, subjects),
    ...leftOut(subjects, catalog),
  ];
  const newOwners = new Map<string, string>();
  for (const entry of entries.values()) {
    const found = planDatabase(entry, catalog, law, adminDatabase);
    changes.push(...found.changes);
    notices.push(...found.notices);
    for (const change of found.changes) if (change.kind === 'alter_database_owner') newOwners.set(change.database, change.owner);
  }
  const isOurs = isOursAmong(subjects);
  const shared = refusals(law, catalog, '');
  append(
    changes,
    yield* diffObjects({
      database: '',
      owner: '',
      inTemplate: false,
      groups: withParameters(catalog, subjects).flatMap((group) => (group.kind === 'database' ? handedOver(group, newOwners) : [group])),
      defaults: [],
      subjects,
      acting,
      isOurs,
      revokes: input.revokes,
      refused: shared.refused,
      pace: input.pace,
    }),
  );
  notices.push(...shared.notices);
  const noticesOf = new Map<string, readonly Notice[]>();
  const planned = [...catalog.databases.values()].flatMap(({ name, planned: isPlanned }): [string, DatabaseReading][] =>
    isPlanned === true ? [[name, { kind: 'read', contents: newContents(name, catalog) }]] : [],
  );
  for (const [name, reading] of [...input.readings, ...planned]) {
    if (reading.kind === 'settled') append(notices, reading.notices);
    else if (reading.kind === 'unreadable')
      notices.push({ kind: 'failed', subject: '', message: `database ${name} cannot be read, and its privileges stay as they are: ${reading.reason}` });
    else {
      const owner = newOwners.get(name) ?? catalog.databases.get(name)?.owner ?? '';
      try {
        yield;
        const found = yield* planInside(reading.contents, entries.get(name), owner, { subjects, acting, isOurs }, input);
        append(changes, found.changes);
        append(notices, found.notices);
        noticesOf.set(name, found.notices);
      } catch (error) {
        // Whatever somebody put into one database, the others go on.
        const message = `database ${name} cannot be planned, and its privileges stay as they are: ${String(error)}`;
        notices.push({ kind: 'failed', subject: '', message });
      }
    }
  }
  // What an entry meant that is wrong now may be what keeps somebody's access: nothing is taken away there.
  const { invalidDatabases: invalid, sources } = document;
  // Of an author's entry that was never right since we began nobody knows who creates objects there: what those give stays, where they are authors' own.
  const isLost = (change: { readonly database: string; readonly creator: string }): boolean =>
    sources?.keptDatabases.has(change.database) === true && !entries.has(change.database) && sources.claims.has(change.creator);
  const isTold = (change: Change): boolean => {
    if (change.kind !== 'revoke_privilege' && change.kind !== 'revoke_default_privilege') return true;
    if (change.kind === 'revoke_default_privilege' && isLost(change)) return false;
    const follows = change.kind === 'revoke_default_privilege' || change.role === PUBLIC;
    if (follows && invalid.has(UNKNOWN_DATABASE)) return false;
    return !invalid.has(change.kind === 'revoke_default_privilege' ? change.database : change.on.database || firstName(change.on));
  };
  return { changes: changes.filter(isTold), notices, noticesOf };
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
