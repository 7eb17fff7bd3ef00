// Gone documents: ConfigMaps of authors that the ledger names and that are there no longer. One that is gone is not an empty one.
import type { Author } from '../model/fleet.ts';

export interface GoneDocuments {
  /**
   * Those of an author → why what they declared stays; null where it goes.
   * @param recorded that declared what the ledger has as the author's.
   * @param present undefined where nobody could tell.
   * @param goneFor what the ledger has as gone, and for how many milliseconds.
   */
  of(
    author: Author,
    recorded: ReadonlySet<string>,
    present: ReadonlySet<string> | undefined,
    goneFor: ReadonlyMap<string, number> | undefined,
  ): ReadonlyMap<string, string | null>;
  forget(): void;
}

/** One for the life of a steward: since when they are gone the ledger says, and where there is none it is known from when it first saw that. */
export function createGoneDocuments(now: () => number): GoneDocuments {
  const since = new Map<string, number>();
  /** Those that we saw there ourselves. */
  const seen = new Set<string>();
  return {
    of: (author, recorded, present, goneFor) => {
      const gone = new Map<string, string | null>();
      for (const document of recorded) {
        const key = `${author.name}\0${document}`;
        const known = goneFor?.get(document);
        if (present === undefined) {
          // While nobody can tell, the time goes on, and nothing goes.
          if (known !== undefined) gone.set(document, `nobody can tell now whether the ConfigMap ${document} of the author ${author.name} is still gone`);
          continue;
        }
        if (present.has(document)) {
          since.delete(key);
          seen.add(key);
          continue;
        }
        const ours = since.get(key) ?? now();
        // The ledger has it by the server's clock, which may be set meanwhile: whoever saw it go knows better.
        const first = seen.has(key) ? ours : Math.min(ours, now() - (known ?? 0));
        since.set(key, first);
        gone.set(document, whyKept(author, document, now() - first));
      }
      return gone;
    },
    forget: () => [since, seen].forEach((one) => one.clear()),
  };
}

function whyKept({ name, onGone, grace }: Author, document: string, age: number): string | null {
  const isGone = `the ConfigMap ${document} of the author ${name}, which declared it, is gone`;
  if (onGone === 'keep') return `${isGone}, and \`onGone\` is keep`;
  return age >= grace ? null : `${isGone}; it goes in ${Math.ceil((grace - age) / 60_000)} min, as \`grace\` says`;
}
