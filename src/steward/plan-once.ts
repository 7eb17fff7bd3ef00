// Plan once: one look at a server and the plan for it, by whoever asks. Nothing is written, and nothing is remembered.
import type { Change } from '../changes/change.ts';
import type { Document } from '../model/entries.ts';
import type { SecretWishes } from '../plan/secrets/secret-plan.ts';
import { NOTHING_WAITS } from './backoff.ts';
import type { Credentials } from './credentials.ts';
import { createMemory } from './memory.ts';
import { foreseen } from './preview.ts';
import { type ForPlan, readerOf, readForPlan, type ServerReader } from './read-for-plan.ts';
import type { Secrets } from './secrets.ts';
import type { Server } from './server.ts';

/** Where the server of a plan is read: the live one, or whatever was kept of it. */
export interface PlanPlace extends Pick<Server, 'adminDatabase' | 'policy'> {
  readonly reader: ServerReader;
  /** What would be done for the ledger. */
  readonly ledger: () => Promise<readonly Change[]>;
}

/** What is planned for. */
export interface PlanWishes {
  readonly document: Document;
  /** Equal for documents that are the same. */
  readonly version: string;
  readonly secrets: Pick<Secrets, 'foreseeing' | 'withTurns' | 'credentials' | 'wishes'>;
  /** Whether Secrets count: where they do not, nothing is said of passwords, and no Secret is missed. */
  readonly withSecrets: boolean;
}

export interface Planned extends ForPlan {
  /** What a dry run would say: what is done for the ledger, and what follows from rotations as well. */
  readonly changes: readonly Change[];
  readonly credentials: Credentials;
}

const NO_CREDENTIALS: Credentials = { usable: new Map(), withoutSecret: new Map(), toGenerate: new Set(), notGenerated: new Set(), trimmed: [] };
const NO_WISHES: SecretWishes = { create: [], rotate: [], rotationDue: new Map(), write: [], told: new Map(), notices: [] };

/** Reads the server as it is now, and plans. */
export async function planOnce(place: PlanPlace, { document: declared, version, secrets, withSecrets }: PlanWishes): Promise<Planned> {
  const document = secrets.withTurns(declared);
  const credentials = withSecrets ? secrets.credentials(document, NOTHING_WAITS) : NO_CREDENTIALS;
  const wishes = (settled: Document, now: number): SecretWishes => (withSecrets ? secrets.wishes(settled, credentials, now) : NO_WISHES);
  const ledger = await place.ledger();
  const found = await readForPlan(place, { document, version, credentials, wishes, waiting: NOTHING_WAITS }, place.reader);
  const probes = { isChanged: place.reader.isChanged, withChanged: <T>(stale: T): T => stale };
  const planned = withSecrets ? await foreseen({ secrets, probes }, { declared }, found) : found.plan.changes;
  return { ...found, credentials, changes: [...ledger, ...planned] };
}

/** The live server, with the roles that the state file remembers where no ledger does. @param warn told what is lost where there can be no ledger. */
export function livePlace(server: Server, stateFile: string, warn: (message: string) => void): PlanPlace {
  const memory = createMemory({ file: stateFile, server, warn });
  return { adminDatabase: server.adminDatabase, policy: server.policy, reader: readerOf(server, memory), ledger: () => memory.prepareLedger(false) };
}
