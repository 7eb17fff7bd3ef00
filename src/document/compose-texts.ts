// The texts of several sources → one document: of a text that cannot be used now, what it last said stays in force.
import { type AuthorDrafts, composeSources, type SourcesInput } from './compose-sources.ts';
import type { DocumentDraft } from './draft.ts';
import { startOf } from './lines.ts';
import { readText, unreadableDraft } from './parse.ts';
import { ProblemReport } from './problem-report.ts';
import type { Document } from '../model/entries.ts';

/** One ConfigMap's document. */
export interface SourceText {
  /** Of all texts, its own. */
  readonly id: string;
  /** What places in it are called by. */
  readonly file: string;
  /** What it says now; or why that could not be read. */
  readonly now: { readonly content: Uint8Array } | { readonly failure: string };
  /** What could be used of it last, where that is something else. */
  readonly good?: Uint8Array | undefined;
}

export interface TextsInput extends Pick<SourcesInput, 'recorded' | 'active' | 'defaultDatabase'> {
  readonly own: { readonly source: string; readonly texts: readonly SourceText[] };
  readonly authors: readonly (Omit<AuthorDrafts, 'drafts' | 'isUnread'> & {
    readonly texts: readonly SourceText[];
    /** Why its ConfigMaps could not be found. */
    readonly failure: string | undefined;
  })[];
}

export interface ComposedTexts {
  readonly document: Document;
  /** Ids of texts that can be used as they are now. */
  readonly usable: ReadonlySet<string>;
}

export function composeTexts({ own, authors, recorded, active, defaultDatabase }: TextsInput): ComposedTexts {
  const usable = new Set<string>();
  const read = (texts: readonly SourceText[]): readonly DocumentDraft[] => texts.flatMap((text) => draftsOf(text, usable));
  const document = composeSources({
    own: { source: own.source, drafts: read(own.texts) },
    authors: authors.map(({ texts, failure, ...author }) => {
      const drafts = read(texts);
      const isUnread = !drafts.some((draft) => draft.usable);
      const failed = failure === undefined ? [] : [toldDraft(`author ${author.author.name}`, failure, author.heldBecause === undefined)];
      return { ...author, drafts: [...drafts, ...failed], isUnread };
    }),
    recorded,
    active,
    defaultDatabase,
  });
  return { document, usable };
}

/** A document of which nothing is there; what is only told holds nothing back. */
function toldDraft(file: string, message: string, isWarning: boolean): DocumentDraft {
  const draft = unreadableDraft(startOf(file), message);
  if (!isWarning) return draft;
  const report = new ProblemReport(() => startOf(file));
  report.add({ offset: 0, path: [], message, severity: 'warning' });
  return { ...draft, report };
}

/** Beside what is in force, what is wrong with what is there. */
function draftsOf({ id, file, now, good }: SourceText, usable: Set<string>): readonly DocumentDraft[] {
  const draft = 'failure' in now ? unreadableDraft(startOf(file), now.failure) : readText(now.content, file);
  if (draft.usable) usable.add(id);
  return draft.usable || good === undefined ? [draft] : [readText(good, file), draft];
}
