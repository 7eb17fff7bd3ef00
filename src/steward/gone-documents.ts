// Gone documents: ConfigMaps of authors that the ledger names and that are there no longer. One that is gone is not an empty one.
import type { Author } from '../model/fleet.ts';

export interface GoneDocuments {
  /**
   * Those of an author → why what they declared stays; null where it goes.
   * @param recorded that declared what the ledger has as the author's.
   * @param present undefined where nobody could tell.
   */
  of(author: Author, recorded: ReadonlySet<string>, present: ReadonlySet<string> | undefined): ReadonlyMap<string, string | null>;
  forget(): void;
}

/** One for the life of a steward: since when they are gone is known from when it first saw that, so that a restart grants the time again. */
export function createGoneDocuments(now: () => number): GoneDocuments {
  const since = new Map<string, number>();
  return {
    of: (author, recorded, present) => {
      const gone = new Map<string, string | null>();
      for (const document of recorded) {
        const key = `${author.name}\0${document}`;
        if (present === undefined || present.has(document)) {
          since.delete(key);
          continue;
        }
        const first = since.get(key) ?? now();
        since.set(key, first);
        gone.set(document, whyKept(author, document, now() - first));
      }
      return gone;
    },
    forget: () => since.clear(),
  };
}

function whyKept({ name, onGone, grace }: Author, document: string, age: number): string | null {
  const isGone = `the ConfigMap ${document} of the author ${name}, which declared it, is gone`;
  if (onGone === 'keep') return `${isGone}, and \`onGone\` is keep`;
  return age >= grace ? null : `${isGone}; it goes in ${Math.ceil((grace - age) / 60_000)} min, as \`grace\` says`;
}
