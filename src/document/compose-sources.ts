// One document of the operator's and those of authors: each source is read by itself, so that what is wrong with one is nobody else's, and then held against its scope.
import { inScope } from './author-scope.ts';
import {
  claimsOf,
  type Claimed,
  type Denial,
  type Group,
  membersOf,
  movesAway,
  nameKey,
  namesIn,
  notTakenYet,
  takenTurn,
  whyNotIts,
  whyNotItsDatabase,
} from './claims.ts';
import { compose } from './compose.ts';
import type { DatabaseDraft, DocumentDraft, Draft, ItemDraft, MemberDraft } from './draft.ts';
import type { ItsRoles } from './quota.ts';
import { show } from './show.ts';
import type { Document, Problem } from '../model/entries.ts';
import type { Author } from '../model/fleet.ts';
import { type Active, type AuthorFacts, authorSource, type Sources } from '../model/sources.ts';

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
  /** Those of them that are in use. */
  readonly active?: ReadonlyMap<string, Active> | undefined;
  readonly defaultDatabase?: string | undefined;
}

/** Puts them together. Where there is no author it is what compose() makes of the operator's documents. */
export function composeSources({ own, authors, recorded, active = new Map(), defaultDatabase }: SourcesInput): Document {
  if (authors.length === 0) return composeOwn(own.drafts, defaultDatabase);
  const groups: readonly Group[] = [
    { source: own.source, author: undefined, drafts: own.drafts },
    ...authors.map(({ author, drafts }) => ({ source: authorSource(author.name), author, drafts })),
  ];
  const claimed = claimsOf(groups, recorded, authorSource);
  const parts = groups.map((group) => partOf(group, { claimed, active, own: own.source, defaultDatabase }));
  return {
    users: parts.flatMap(({ document }) => document.users),
    roles: parts.flatMap(({ document }) => document.roles),
    databases: parts.flatMap(({ document }) => document.databases),
    invalid: new Set(parts.flatMap(({ document }) => [...document.invalid])),
    invalidRenames: new Map(parts.flatMap(({ document }) => [...(document.invalidRenames ?? [])])),
    // What an author says of a database takes nothing away there, so a wrong entry of its holds nothing back either.
    invalidDatabases: parts[0]?.document.invalidDatabases ?? new Set(),
    guardrails: parts[0]?.document.guardrails,
    said: parts.flatMap(({ document }) => document.said ?? []),
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

interface PartFacts extends Pick<SourcesInput, 'defaultDatabase'> {
  readonly claimed: Claimed;
  readonly active: ReadonlyMap<string, Active>;
  /** The operator's source. */
  readonly own: string;
}

const itsOf = (source: string, { claimed: { recorded }, active }: PartFacts): ItsRoles => ({
  has: (name) => recorded.get(name) === source,
  active: new Map([...active].filter(([, role]) => role.source === source)),
});

/** What one source's documents come to. */
function partOf(group: Group, facts: PartFacts): PartOfDocument {
  const { claimed, own, defaultDatabase } = facts;
  const judged = group.drafts.map((draft) => (draft.usable ? ownPart(draft, group, claimed, own) : draft));
  const usable = judged.filter((draft) => draft.usable);
  const scoped = group.author === undefined ? usable : inScope(usable, group.author, itsOf(group.source, facts), defaultDatabase);
  const names = namesIn(scoped);
  const document = asAuthors(compose(scoped, defaultDatabase), group.author);
  const former = scoped.flatMap((draft) => membersOf(draft).flatMap((member) => member.former?.name ?? []));
  const problems = [...document.problems, ...problemsOf(judged)];
  const documents = scoped.flatMap((draft) =>
    membersOf(draft).flatMap((member) => member.names.map((name) => [name, draft.report.positionOf(0).file] as const)),
  );
  return {
    group,
    document: { ...document, problems: problems.map((problem) => withSource(problem, group)) },
    claims: [...names, ...former],
    documents: new Map(documents),
  };
}

/** An author's Secrets are in its own namespace, and its entries are its own, also where they stay in force while others are there. */
function asAuthors(document: Document, author: Author | undefined): Document {
  if (author === undefined) return document;
  const { namespace } = author.from;
  const source = authorSource(author.name);
  const users = document.users.map((user) => ({
    ...user,
    source,
    secret: { ...user.secret, namespace },
    connectionSecret: user.connectionSecret === undefined ? undefined : { ...user.connectionSecret, namespace },
  }));
  return {
    ...document,
    users,
    roles: document.roles.map((role) => ({ ...role, source })),
    databases: document.databases.map((entry) => ({ ...entry, source })),
  };
}

const withSource = (problem: Problem, { author, source }: Group): Problem => (author === undefined ? problem : { ...problem, source });

/** Without what is not this source's: such an entry is nobody's, and keeps nothing as it is. */
function ownPart(draft: DocumentDraft, group: Group, claimed: Claimed, own: string): DocumentDraft {
  const isIts = (member: MemberDraft): boolean => {
    const names = [...member.names, ...(member.former === undefined ? [] : [member.former.name])];
    for (const name of names) {
      const why = whyNotIts(name, group, claimed) ?? (member.names.includes(name) ? undefined : notTakenYet(name, group, claimed));
      if (why !== undefined) return refuse(member, member.nameOffset, member.names.includes(name) ? nameKey(member) : 'renamedFrom', why);
      const to = movesAway(name, group, claimed);
      if (to !== undefined)
        return warn(member, `${show(name)} goes to ${claimed.sayOf(to)}, which declares it: this entry counts no longer, and can be taken out`);
    }
    return true;
  };
  const itsDatabase = (item: DatabaseDraft): readonly DatabaseDraft[] => {
    const why = whyNotItsDatabase(item, group, claimed, own);
    if (why === undefined) return [item];
    refuse(item, item.offset, 'name', why);
    // Nobody takes what another's entry gave by declaring the same.
    return why.isByOthers ? [{ ...item, entry: undefined }] : [];
  };
  const users = draft.users.filter(isIts).map((user): Draft => {
    const taken = takenTurn(user, group, claimed);
    if (taken === undefined) return user;
    const message = `makes a user ${show(taken)}, and that belongs to ${claimed.sayOf(claimed.recorded.get(taken) ?? '')}, as the ledger says; it stays as it is`;
    user.report.add({ offset: user.nameOffset, path: [...user.path, 'rotation'], message, username: user.names[0], isByOthers: true });
    return { ...user, entry: undefined };
  });
  return { ...draft, users, roles: draft.roles.filter(isIts), databases: draft.databases.flatMap(itsDatabase) };
}

function refuse(item: ItemDraft, offset: number, key: string, { message, isByOthers }: Denial): false {
  item.report.add({ offset, path: [...item.path, key], message, isByOthers });
  return false;
}

function warn(item: MemberDraft, message: string): false {
  item.report.add({ offset: item.nameOffset, path: item.path, message, severity: 'warning' });
  return false;
}
