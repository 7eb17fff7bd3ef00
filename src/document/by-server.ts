// By server: which of the documents that were found are one server's, its own and those of its authors, each of these as one document.
import { compose } from './compose.ts';
import { composeSources } from './compose-sources.ts';
import { withConsent } from './consent.ts';
import type { DocumentDraft } from './draft.ts';
import type { Manifest } from './manifests.ts';
import type { Document } from '../model/entries.ts';
import type { Author, ServerEntry } from '../model/fleet.ts';
import type { Guardrail } from '../model/guardrails.ts';

export interface FoundDraft {
  /** Reads it; whoever has it twice has it anew each time, with problems of its own. */
  readonly read: () => DocumentDraft;
  /** The ConfigMap that it stands in. */
  readonly configMap?: Pick<Manifest, 'name' | 'namespace' | 'labels'>;
}

/** Documents that are one, and the guardrails of the server's policy. */
export interface Apart {
  readonly document: Document;
  readonly guardrails: readonly Guardrail[];
}

/** Each server's documents as one; one that no server names is by itself. @param servers undefined where no file declares any: then all are one. */
export function byServer(found: readonly FoundDraft[], servers: readonly ServerEntry[] | undefined, defaultDatabase: string | undefined): readonly Apart[] {
  if (servers === undefined) return [ofNone(compose(found.map(read), defaultDatabase))];
  const taken = new Set<FoundDraft>();
  const take = (fits: (one: FoundDraft) => boolean): readonly FoundDraft[] => {
    const some = found.filter(fits);
    for (const one of some) taken.add(one);
    return some;
  };
  const documents = servers.flatMap((server): Apart[] => {
    const authors = server.authors.map((author) => ({ author, found: take((one) => isBy(author, one)) }));
    const own = take((one) => !authors.some((author) => author.found.includes(one)) && server.documents.some(({ name }) => name === one.configMap?.name));
    if (own.length + authors.reduce((sum, author) => sum + author.found.length, 0) === 0) return [];
    return [{ document: ofServer(server, own, authors, defaultDatabase), guardrails: server.policy.guardrails ?? [] }];
  });
  return [...documents, ...found.filter((one) => !taken.has(one)).map((one) => ofNone(compose([one.read()], defaultDatabase)))];
}

const ofNone = (document: Document): Apart => ({ document, guardrails: [] });

const read = (found: FoundDraft): DocumentDraft => found.read();

const isBy = ({ from: { namespace, matchLabels } }: Author, { configMap }: FoundDraft): boolean =>
  configMap?.namespace === namespace && Object.entries(matchLabels).every(([key, value]) => configMap.labels[key] === value);

/** What the ledger says nobody knows here: names are whose scope has them, and of two that declare one neither gets it. */
function ofServer(
  server: ServerEntry,
  own: readonly FoundDraft[],
  authors: readonly { readonly author: Author; readonly found: readonly FoundDraft[] }[],
  fallback: string | undefined,
): Document {
  const defaultDatabase = server.database ?? fallback;
  const drafts = own.map(read);
  if (authors.length === 0) return compose(drafts, defaultDatabase);
  const parts = authors.map(({ author, found }) => ({
    author,
    drafts: found.map(read),
    isUnread: found.length === 0,
    heldBecause: undefined,
    gone: new Map<string, null>(),
  }));
  return withConsent(composeSources({ own: { source: server.name, drafts }, authors: parts, recorded: new Map(), defaultDatabase }));
}
