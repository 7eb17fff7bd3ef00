// The plan of privileges inside one database: its schemas, objects, default privileges, extensions and event trigger.
import { append } from '../../model/append.ts';
import type { Change } from '../../changes/change.ts';
import { type DatabaseEntry, UNKNOWN_DATABASE } from '../../model/entries.ts';
import { namingOf } from '../encodings.ts';
import type { InParts } from '../../model/in-parts.ts';
import type { Notice } from '../../changes/notice.ts';
import { holdsRules, mayHoldRules } from '../triggers/held-rules.ts';
import { planTrigger } from '../triggers/plan-trigger.ts';
import type { DatabaseContents } from '../../model/contents.ts';
import { planContents } from './plan-database.ts';
import { diffDefaults } from './diff-defaults.ts';
import { diffObjects, type ObjectDiffInput } from './diff-objects.ts';
import { planExtensions } from './extensions.ts';
import { foresee } from './foresee.ts';
import { existingIn, pendingIn } from './pending.ts';
import type { PrivilegesInput, PrivilegesPlan } from './privileges-plan.ts';
import { MAKES_CODE, refusals } from './refusals.ts';
import { serversLeftOut } from './rule-notices.ts';

/** @param owner who owns the database when the plan is done. */
export function* planInside(
  now: DatabaseContents,
  entry: DatabaseEntry | undefined,
  owner: string,
  { subjects, acting, isOurs }: Pick<ObjectDiffInput, 'subjects' | 'acting' | 'isOurs'>,
  input: PrivilegesInput,
): InParts<Pick<PrivilegesPlan, 'changes' | 'notices'>> {
  const { catalog, law, defaultDatabase } = input;
  const isTemplate = catalog.databases.get(now.name)?.isTemplate === true;
  const made = entry === undefined ? { changes: [], notices: [] } : planContents(entry, now, law, acting, isTemplate);
  const contents = foresee(now, made.changes, catalog.server.admin);
  const exists = existingIn(contents.groups);
  yield;
  const isNamed = namingOf(catalog);
  const { refused, notices } = refusals(law, catalog, contents.name);
  const objects = yield* diffObjects({
    database: contents.name,
    owner,
    inTemplate: isTemplate,
    groups: contents.groups,
    defaults: contents.defaults,
    subjects,
    acting,
    isOurs,
    revokes: input.revokes,
    refused,
    pace: input.pace,
  });
  const defaults = yield* diffDefaults({
    contents,
    owner,
    createdBy: entry?.createdBy ?? [],
    exists: (role) => catalog.cluster.roles.has(role) || input.isManaged(role),
    subjects,
    major: catalog.server.major,
    acting,
    pace: input.pace,
  });
  const none = { changes: [], notices: [] };
  const extensions = entry === undefined ? none : planExtensions(entry, { contents, catalog, law, owner, revokes: input.revokes ? objects : [] });
  const { invalidDatabases } = input.document;
  const unfollowed = input.unfollowed?.get(contents.name);
  const isHeld = holdsRules(input.document, catalog);
  const trigger = yield* planTrigger({
    database: contents.name,
    state: contents.trigger,
    // Its rules name roles as the database does.
    subjects: subjects.filter(({ name }) => isNamed(name, contents.name) && unfollowed?.has(name) !== true),
    policy: input.triggers,
    catalog,
    revokes: input.revokes,
    isInvalid: invalidDatabases.has(contents.name) || invalidDatabases.has(UNKNOWN_DATABASE),
    holds: mayHoldRules(input.document) ? (role) => isHeld(role) && isNamed(role, contents.name) && unfollowed?.has(role) !== true : undefined,
    pace: input.pace,
  });
  const pending: Notice[] = [];
  for (const subject of subjects) {
    append(pending, pendingIn(contents, subject, defaultDatabase, exists));
    if (input.pace(subject.rules.rules.length)) yield;
  }
  const strays = contents.strays.map(({ role, what, count }): Notice => ({
    kind: 'unmanaged',
    subject: role,
    message: `holds ${count} privilege(s) on what pgsteward does not manage in database ${contents.name} (${what.replaceAll('_', ' ')}: the server's own, its own memory, or of a kind that it does not know); they stay as they are`,
  }));
  return {
    changes: [...made.changes, ...extensions.changes, ...trigger.changes, ...objects, ...(isTemplate ? defaults.flatMap(withoutCode) : defaults)],
    notices: [...made.notices, ...extensions.notices, ...trigger.notices, ...notices, ...serversLeftOut(subjects, contents), ...strays, ...pending],
  };
}

/** What objects to come of a template may give. */
function withoutCode(change: Change): readonly Change[] {
  if (change.kind !== 'grant_default_privilege') return [change];
  const privileges = change.privileges.filter((privilege) => !MAKES_CODE.has(privilege));
  return privileges.length === 0 ? [] : [{ ...change, privileges }];
}
