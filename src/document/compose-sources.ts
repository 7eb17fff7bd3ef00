// One document of the operator's and those of authors: each source is read by itself, so that what is wrong with one is nobody else's, and then held against its scope.
import { beyondQuota } from './quota.ts';
import { claimsOf, type Claimed, type Group, membersOf, movesAway, whyNotIts, whyNotItsDatabase } from './claims.ts';
import { compose } from './compose.ts';
import type { DatabaseDraft, DocumentDraft, Draft, ItemDraft, MemberDraft, RoleDraft } from './draft.ts';
import { databaseFindings, NEVER, roleFindings, userFindings } from './scope.ts';
import type { Finding, ScopeFacts } from './scope-facts.ts';
import { show } from './show.ts';
import type { Document, Problem } from '../model/entries.ts';
import type { Author } from '../model/fleet.ts';
import { isWithin } from '../model/pattern.ts';
import { type AuthorFacts, authorSource, type Sources } from '../model/sources.ts';

export interface AuthorDrafts extends Pick<AuthorFacts, 'heldBecause' | 'gone'> {
  readonly author: Author;
  readonly drafts: readonly DocumentDraft[];
  /** Whether nothing of it is known: what it may have shared, nobody can tell. */
  readonly isUnread: boolean;
}

export interface SourcesInput {
  /** The operator's documents, which all laws but no scope hold for. */
  readonly own: { readonly source: string; readonly drafts: readonly DocumentDraft[] };
  readonly authors: readonly AuthorDrafts[];
  /** Role → its source, as the ledger has it. */
  readonly recorded: ReadonlyMap<string, string>;
  readonly defaultDatabase?: string | undefined;
}

/** Puts them together. Where there is no author it is what compose() makes of the operator's documents. */
export function composeSources({ own, authors, recorded, defaultDatabase }: SourcesInput): Document {
  if (authors.length === 0) return composeOwn(own.drafts, defaultDatabase);
  const groups: readonly Group[] = [
    { source: own.source, author: undefined, drafts: own.drafts },
    ...authors.map(({ author, drafts }) => ({ source: authorSource(author.name), author, drafts })),
  ];
  const claimed = claimsOf(groups, recorded, authorSource);
  const parts = groups.map((group) => partOf(group, claimed, own.source, defaultDatabase));
  return {
    users: parts.flatMap(({ document }) => document.users),
    roles: parts.flatMap(({ document }) => document.roles),
    databases: parts.flatMap(({ document }) => document.databases),
    invalid: new Set(parts.flatMap(({ document }) => [...document.invalid])),
    invalidRenames: new Map(parts.flatMap(({ document }) => [...(document.invalidRenames ?? [])])),
    // What an author says of a database takes nothing away there, so a wrong entry of its holds nothing back either.
    invalidDatabases: parts[0]?.document.invalidDatabases ?? new Set(),
    guardrails: parts[0]?.document.guardrails,
    sources: sourcesOf(parts, authors, recorded),
    usable: true,
    problems: parts.flatMap(({ document }) => document.problems),
  };
}

/** Documents of the operator alone: what is wrong with one of them as a whole is not held against the others. */
function composeOwn(drafts: readonly DocumentDraft[], defaultDatabase: string | undefined): Document {
  const usable = drafts.filter((draft) => draft.usable);
  const document = compose(usable.length === 0 ? drafts : usable, defaultDatabase);
  return usable.length === 0 ? document : { ...document, problems: [...document.problems, ...problemsOf(drafts)] };
}

const problemsOf = (drafts: readonly DocumentDraft[]): readonly Problem[] => drafts.filter((draft) => !draft.usable).flatMap((draft) => draft.report.sorted());

interface PartOfDocument {
  readonly group: Group;
  readonly document: Document;
  readonly claims: readonly string[];
  /** Role → the document that declares it. */
  readonly documents: ReadonlyMap<string, string>;
}

function sourcesOf(parts: readonly PartOfDocument[], authors: readonly AuthorDrafts[], recorded: ReadonlyMap<string, string>): Sources {
  const unread = new Set(authors.flatMap(({ author, isUnread }) => (isUnread ? [authorSource(author.name)] : [])));
  const shared = parts.flatMap(({ document }) =>
    document.roles.flatMap(({ name, sharedWith = [] }) => (sharedWith.length === 0 ? [] : [[name, new Set(sharedWith.map(authorSource))] as const])),
  );
  const written = parts.slice(1);
  return {
    authors: new Map(
      authors.map(({ author, heldBecause, gone }) => [
        authorSource(author.name),
        { name: author.name, lent: author.may.roles, heldBecause, gone, maxDeletions: author.maxDeletions },
      ]),
    ),
    claims: new Map(written.flatMap(({ group, claims }) => claims.map((name) => [name, group.source] as const))),
    moves: new Map(parts.flatMap(({ group, claims }) => claims.flatMap((name) => moveOf(name, group, recorded)))),
    shared: new Map(shared),
    undecided: new Set([
      ...parts.flatMap(({ document }) => [...document.invalid]),
      ...[...recorded].flatMap(([name, source]) => (unread.has(source) ? [name] : [])),
    ]),
    databases: new Map(written.flatMap(({ group, document }) => document.databases.map(({ name }) => [name, group.source] as const))),
    keptDatabases: new Set(written.flatMap(({ document }) => [...document.invalidDatabases])),
    documents: new Map(written.flatMap(({ documents }) => [...documents])),
    tolerated: new Set(),
  };
}

/** Whom it has had until now, where that is another one. */
const moveOf = (name: string, { source }: Group, recorded: ReadonlyMap<string, string>): readonly (readonly [string, string])[] => {
  const owner = recorded.get(name);
  return owner === undefined || owner === source ? [] : [[name, owner]];
};

/** What one source's documents come to. */
function partOf(group: Group, claimed: Claimed, own: string, defaultDatabase: string | undefined): PartOfDocument {
  const judged = group.drafts.map((draft) => (draft.usable ? ownPart(draft, group, claimed, own) : draft));
  const usable = judged.filter((draft) => draft.usable);
  const names = new Set(usable.flatMap((draft) => membersOf(draft).flatMap((member) => member.names)));
  const scoped = group.author === undefined ? usable : inScope(usable, group.author, claimed, names, defaultDatabase);
  const document = inNamespace(compose(scoped, defaultDatabase), group.author);
  const former = usable.flatMap((draft) => membersOf(draft).flatMap((member) => member.former?.name ?? []));
  const problems = [...document.problems, ...problemsOf(judged)];
  const documents = usable.flatMap((draft) =>
    membersOf(draft).flatMap((member) => member.names.map((name) => [name, draft.report.positionOf(0).file] as const)),
  );
  return {
    group,
    document: { ...document, problems: problems.map((problem) => withSource(problem, group)) },
    claims: [...names, ...former],
    documents: new Map(documents),
  };
}

/** An author's Secrets are in its own namespace. */
function inNamespace(document: Document, author: Author | undefined): Document {
  if (author === undefined) return document;
  const { namespace } = author.from;
  const users = document.users.map((user) => ({
    ...user,
    secret: { ...user.secret, namespace },
    connectionSecret: user.connectionSecret === undefined ? undefined : { ...user.connectionSecret, namespace },
  }));
  return { ...document, users };
}

const withSource = (problem: Problem, { author, source }: Group): Problem => (author === undefined ? problem : { ...problem, source });

/** Without what is not this source's: such an entry is nobody's, and keeps nothing as it is. */
function ownPart(draft: DocumentDraft, group: Group, claimed: Claimed, own: string): DocumentDraft {
  const isIts = (member: MemberDraft): boolean => {
    const names = [...member.names, ...(member.former === undefined ? [] : [member.former.name])];
    for (const name of names) {
      const why = whyNotIts(name, group, claimed);
      if (why !== undefined) return refuse(member, member.nameOffset, member.names.includes(name) ? nameKey(member) : 'renamedFrom', why);
      const to = movesAway(name, group, claimed);
      if (to !== undefined)
        return warn(member, `${show(name)} goes to ${claimed.sayOf(to)}, which declares it: this entry counts no longer, and can be taken out`);
    }
    return true;
  };
  const isItsDatabase = (item: DatabaseDraft): boolean => {
    const why = whyNotItsDatabase(item, group, claimed, own);
    return why === undefined || refuse(item, item.offset, 'name', why);
  };
  return { ...draft, users: draft.users.filter(isIts), roles: draft.roles.filter(isIts), databases: draft.databases.filter(isItsDatabase) };
}

const nameKey = ({ path }: ItemDraft): string => (path[0] === 'users' ? 'username' : 'name');

function refuse(item: ItemDraft, offset: number, key: string, message: string): false {
  item.report.add({ offset, path: [...item.path, key], message });
  return false;
}

function warn(item: MemberDraft, message: string): false {
  item.report.add({ offset: item.nameOffset, path: item.path, message, severity: 'warning' });
  return false;
}

/** What is an author's, with what is beyond its scope found wrong. */
function inScope(drafts: readonly DocumentDraft[], author: Author, claimed: Claimed, names: ReadonlySet<string>, defaultDatabase: string | undefined) {
  const facts: ScopeFacts = { scope: author.may, namespace: author.from.namespace, defaultDatabase };
  const source = authorSource(author.name);
  const owned = (name: string | undefined, path: Finding['path'], position?: Finding['position']): readonly Finding[] =>
    name === undefined || names.has(name)
      ? []
      : [{ path, message: `${show(name)} is no role or user that this author declares; declare it, or name one that it does`, position }];
  const judgeDatabase = (draft: DatabaseDraft): DatabaseDraft => {
    const { entry } = draft;
    if (entry === undefined) return draft;
    const findings = [
      ...databaseFindings(entry, facts),
      ...owned(entry.owner, ['owner']),
      ...entry.schemas.flatMap(({ owner, position }, index) => owned(owner, ['schemas', index, 'owner'], position)),
      ...entry.createdBy.flatMap((name, index) => owned(name, ['createdBy', index])),
    ];
    return report(draft, entry.position, findings) ? draft : { ...draft, entry: undefined };
  };
  const judged = drafts.map((draft): DocumentDraft => {
    for (const { position } of draft.guardrails)
      draft.report.addAt(position, { path: ['guardrails'], message: `${NEVER.map(show).join(', ')} hold for everybody, so only the operator writes them` });
    return {
      ...draft,
      guardrails: [],
      users: draft.users.map((user) => judgeMember(user, user.entry, (entry) => userFindings(entry, facts), { entry: undefined })),
      roles: draft.roles.map((role) => judgeMember(role, role.declaration, (entry) => roleFindings(entry, facts), { declaration: undefined })),
      databases: draft.databases.map(judgeDatabase),
    };
  });
  return withinQuota(withinNames(judged, facts), author, (name) => claimed.recorded.get(name) === source);
}

/** What is already there under a name that was allowed once stays as it is. */
const withinNames = (drafts: readonly DocumentDraft[], facts: ScopeFacts): readonly DocumentDraft[] =>
  drafts.map((draft) => ({
    ...draft,
    users: draft.users.map((user) => (isOutOfNames(user, facts) ? { ...user, entry: undefined } : user)),
    roles: draft.roles.map((role) => (isOutOfNames(role, facts) ? { ...role, declaration: undefined } : role)),
  }));

function isOutOfNames(member: MemberDraft, { scope }: ScopeFacts): boolean {
  const outside = member.names.find((name) => !scope.names.some((pattern) => isWithin(name, pattern)));
  if (outside === undefined) return false;
  const message = `the name ${show(outside)} is beyond what this author may by now; it stays as it is. It may declare the names: ${scope.names.slice(0, 20).map(show).join(', ')}`;
  member.report.add({ offset: member.nameOffset, path: [...member.path, nameKey(member)], message, username: outside });
  return true;
}

function judgeMember<T extends Draft | RoleDraft, E extends { readonly position: Finding['position'] & {} }>(
  draft: T,
  entry: E | undefined,
  findingsOf: (entry: E) => readonly Finding[],
  without: Partial<T>,
): T {
  if (entry === undefined || report(draft, entry.position, findingsOf(entry), draft.names[0])) return draft;
  return { ...draft, ...without };
}

/** @returns whether there is nothing to report. */
function report(item: ItemDraft, position: NonNullable<Finding['position']>, findings: readonly Finding[], username?: string): boolean {
  for (const finding of findings.slice(0, 100))
    item.report.addAt(finding.position ?? position, { path: [...item.path, ...finding.path], message: finding.message, username });
  return findings.length === 0;
}

function withinQuota(drafts: readonly DocumentDraft[], author: Author, isRecorded: (name: string) => boolean): readonly DocumentDraft[] {
  const beyond = beyondQuota({ users: drafts.flatMap(({ users }) => users), roles: drafts.flatMap(({ roles }) => roles) }, author.may, isRecorded);
  if (beyond.size === 0) return drafts;
  const isBeyond = (member: MemberDraft): boolean => {
    const message = beyond.get(member);
    if (message !== undefined) member.report.add({ offset: member.nameOffset, path: member.path, message, username: member.names[0] });
    return message !== undefined;
  };
  return drafts.map((draft) => ({
    ...draft,
    users: draft.users.map((user) => (isBeyond(user) ? { ...user, entry: undefined } : user)),
    roles: draft.roles.map((role) => (isBeyond(role) ? { ...role, declaration: undefined } : role)),
  }));
}
