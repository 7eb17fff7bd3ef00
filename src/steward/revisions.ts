// Revisions: each desired state that comes into force is written down once, before anything is done for it.
import { createHash } from 'node:crypto';
import { normalDocuments } from '../document/normal-document.ts';
import type { Document } from '../model/entries.ts';
import type { Revision, RevisionSource } from '../model/revision.ts';
import { namingLedgerLocks } from '../postgres/ledger-locks.ts';
import { newestRevision, writeRevision } from '../postgres/revision-write.ts';
import type { Inputs } from './inputs.ts';
import type { Server } from './server.ts';

export interface Revisions {
  /**
   * Writes the desired state of the inputs down where it is another one than the last.
   * @returns its number; undefined without a ledger.
   * @throws whatever the server answers.
   */
  record(document: Document, inputs: Pick<Inputs, 'origins' | 'documentVersion'>, fence: string, hasLedger: boolean): Promise<number | undefined>;
  /** The one in force, as far as this process knows. */
  readonly current: Revision | undefined;
}

interface Known {
  /** Of the term as the writer in which that was so: another one may have written since. */
  readonly fence: string;
  readonly version: string | undefined;
  readonly revision: Revision | undefined;
}

/** One for the life of the process. @param keep as many as the ledger keeps. */
export function createRevisions({ connections, timeouts }: Pick<Server, 'connections' | 'timeouts'>, keep: number): Revisions {
  let known: Known | undefined;
  return {
    get current() {
      return known?.revision;
    },
    record: async (document, { origins, documentVersion }, fence, hasLedger) => {
      if (!hasLedger) return (known = undefined);
      if (known?.fence === fence && known.version === documentVersion) return known.revision?.id;
      const before = known?.fence === fence ? known.revision : await connections.withAdmin((client) => newestRevision(client));
      const { texts, ...wanted } = stateOf(document, origins, before);
      const isNew = wanted.digest !== before?.digest;
      const revision = isNew
        ? {
            ...wanted,
            id: await connections.withAdmin((client) =>
              namingLedgerLocks(client, () => writeRevision(client, { ...wanted, texts }, keep, { ...timeouts, fence })),
            ),
          }
        : before;
      known = { fence, version: documentVersion, revision };
      return revision.id;
    },
  };
}

/** What is in force. Of an author who cannot be read nothing is known after a restart, and what it said before stays. */
function stateOf(
  document: Document,
  origins: Inputs['origins'],
  before: Revision | undefined,
): Omit<Revision, 'id'> & { readonly texts: ReadonlyMap<string, string> } {
  const normal = normalDocuments(document);
  const said = [...normal].map(([file, { digest, source }]): RevisionSource => {
    const origin = origins.get(file) ?? { ref: file, version: '' };
    return { ...origin, ...(source === undefined ? {} : { of: source }), digest };
  });
  const isHeld = (source: string | undefined): boolean =>
    source !== undefined && document.sources?.authors.get(source)?.heldBecause !== undefined && !said.some(({ of }) => of === source);
  const sources = [...said, ...(before?.sources ?? []).filter(({ of }) => isHeld(of))].toSorted((one, other) => (one.ref < other.ref ? -1 : 1));
  const digest = createHash('sha256')
    .update(JSON.stringify(sources.map((source) => [source.ref, source.of ?? '', source.digest])))
    .digest('hex');
  return { digest, sources, texts: new Map([...normal.values()].map((one) => [one.digest, one.text])) };
}
