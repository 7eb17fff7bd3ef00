// Sources: whose the entries of a document are, where an operator and several authors write what becomes one.

/** What is known of one author beside its entries. */
export interface AuthorFacts {
  /** As the operator calls it. */
  readonly name: string;
  /** Patterns of the roles of others that the operator lends it. */
  readonly lent: readonly string[];
  /** Why nothing that is recorded as its is removed now; undefined where what it names no longer goes. */
  readonly heldBecause: string | undefined;
  /** ConfigMaps of its that are gone → why what they declared stays, or null where it goes. */
  readonly gone: ReadonlyMap<string, string | null>;
  /** The most of its roles that one cycle may begin to remove; undefined is what holds for everybody. */
  readonly maxDeletions: number | undefined;
}

/** Whose what is, where there are authors. Everything that they do not claim is the operator's. */
export interface Sources {
  /** By the source that the ledger records of what is theirs. */
  readonly authors: ReadonlyMap<string, AuthorFacts>;
  /** Names that an author claims, what its roles were called among them → its source. */
  readonly claims: ReadonlyMap<string, string>;
  /** Roles that go from one source to another → who has had them. */
  readonly moves: ReadonlyMap<string, string>;
  /** Roles that valid entries declare → the sources that may hand them out beside their own. */
  readonly shared: ReadonlyMap<string, ReadonlySet<string>>;
  /** Roles of which nobody can tell now with whom they are shared. */
  readonly undecided: ReadonlySet<string>;
  /** Roles that authors declare → the ConfigMap that does. */
  readonly documents: ReadonlyMap<string, string>;
  /** Databases of which an author speaks → its source. */
  readonly databases: ReadonlyMap<string, string>;
  /** Databases whose entries by authors are wrong: they stay in force as they were, and nothing else is held back there. */
  readonly keptDatabases: ReadonlySet<string>;
  /** Memberships, by membershipKey, that are neither granted nor revoked, as what they need is undecided. */
  readonly tolerated: ReadonlySet<string>;
}

/** How `movedTo` calls the operator; no author is called so. */
export const OPERATOR = 'operator';

/** A role that is recorded and in use. */
export interface Active {
  readonly source: string;
  readonly entity: 'user' | 'role';
  /** As the server has it; undefined where that was not asked. */
  readonly login?: boolean | undefined;
  readonly connectionLimit?: number | undefined;
}

/** What an author's roles are recorded under: its own name, so that other ConfigMaps of its are no other source. No `namespace/name` can be called so. */
export const authorSource = (author: string): string => `author:${author}`;

/** Whose names are, and who writes the document at all. */
export interface Whose {
  /** The source that what has this name is to be recorded under. */
  readonly of: (name: string) => string;
  /** Whether a source is one of those that write the document. */
  readonly has: (source: string) => boolean;
  /** The author of that source; undefined for the operator's own. */
  readonly author: (source: string) => AuthorFacts | undefined;
}

/** @param own the source of everything that no author claims. */
export function whoseOf(own: string, { sources }: { readonly sources?: Sources | undefined }): Whose {
  if (sources === undefined) return { of: () => own, has: (source) => source === own, author: () => undefined };
  const { authors, claims } = sources;
  return { of: (name) => claims.get(name) ?? own, has: (source) => source === own || authors.has(source), author: (source) => authors.get(source) };
}

/** Whether a source's members may be in a role, as far as documents and scopes say. */
export function isAgreed(role: string, source: string, { claims, shared, authors }: Sources): boolean {
  return claims.get(role) === source || shared.get(role)?.has(source) === true || authors.get(source)?.lent.includes(role) === true;
}
