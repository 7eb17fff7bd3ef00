// One document of several: the entries of all, held against each other, and the problems of each at its place.
import { checkAcross } from './across.ts';
import type { DocumentDraft, MemberDraft } from './draft.ts';
import { type Document, UNKNOWN_DATABASE } from '../model/entries.ts';

/**
 * Puts documents together, each under a file name of its own. Names that several of them declare are invalid in all of them, as within one;
 * permissions belong to the document that they stand in.
 *
 * Where one of them cannot be used nothing is, and they are not held against each other: what is missing would be called undeclared.
 * @param defaultDatabase what blocks without a database are about; undefined where nobody knows yet.
 */
export function compose(drafts: readonly DocumentDraft[], defaultDatabase?: string): Document {
  // No document at all says nothing about anybody.
  const usable = drafts.length > 0 && drafts.every((draft) => draft.usable);
  const read = usable ? drafts : [];
  const [users, roles, databases] = [read.flatMap((draft) => draft.users), read.flatMap((draft) => draft.roles), read.flatMap((draft) => draft.databases)];
  const refused = checkAcross({ users, roles, databases }, defaultDatabase);
  const invalid: readonly MemberDraft[] = [
    ...users.filter((draft) => draft.entry === undefined || refused.has(draft)),
    ...roles.filter((draft) => draft.declaration === undefined || refused.has(draft)),
  ];
  return {
    users: users.flatMap((draft) => (refused.has(draft) ? [] : (draft.entry ?? []))),
    roles: roles.flatMap((draft) => (refused.has(draft) ? [] : (draft.declaration ?? []))),
    databases: databases.flatMap((draft) => (refused.has(draft) ? [] : (draft.entry ?? []))),
    invalid: new Set(invalid.flatMap(({ names }) => names)),
    invalidRenames: new Map(invalid.flatMap(({ names, former }) => (former === undefined ? [] : names.map((name) => [name, former.name] as const)))),
    invalidDatabases: new Set(databases.flatMap((draft) => (draft.entry === undefined || refused.has(draft) ? [draft.name ?? UNKNOWN_DATABASE] : []))),
    guardrails: read.flatMap((draft) => draft.guardrails),
    said: read.flatMap((draft) => draft.said),
    usable,
    problems: drafts.flatMap((draft) => draft.report.sorted()),
  };
}
