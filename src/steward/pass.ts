// Pass: the server is read once, and a plan is made of it: which Secrets are right, what is to be done, and what of it is drift.
import type { Change } from '../changes/change.ts';
import type { Document } from '../model/entries.ts';
import { declaringNames } from '../model/named.ts';
import type { CatalogKeeper } from '../postgres/read-catalog.ts';
import type { FingerprintFacts } from '../postgres/fingerprint.ts';
import type { Backoff } from './backoff.ts';
import type { Credentials } from './credentials.ts';
import type { Databases } from './databases.ts';
import { driftOf } from './drift.ts';
import type { Inputs } from './inputs.ts';
import type { Look } from './look.ts';
import type { Memory } from './memory.ts';
import type { Planner } from './planner.ts';
import type { Probes } from './probes.ts';
import { type ForPlan, readForPlan, readRoles, type ServerReader } from './read-for-plan.ts';
import type { Retried } from './retry.ts';
import type { Secrets } from './secrets.ts';
import type { Server } from './server.ts';

/** What passes use, and what they leave for the next. */
export interface PassParts {
  readonly server: Server;
  readonly look: Look;
  readonly secrets: Secrets;
  readonly memory: Memory;
  /** What was read of the catalogs, for the next pass. */
  readonly keeper: CatalogKeeper;
  /** What was planned of it, for the next plan. */
  readonly planner: Planner;
  readonly probes: Probes;
  readonly databases: Databases;
  readonly backoff: Backoff;
  readonly retried: Retried;
  /** Called whenever the cycle makes progress, for the heartbeat. */
  readonly onProgress: () => void;
}

/** What a cycle has begun with. */
export interface Begun {
  readonly inputs: Inputs;
  /** The document of the inputs. */
  readonly declared: Document;
  /** What was done for the ledger, or would be. */
  readonly ledger: readonly Change[];
  /** The databases to look at again; undefined for all. */
  readonly focus: ReadonlySet<string> | undefined;
  /** Whether all of it is planned, whatever was planned before. */
  readonly plansAll: boolean;
  readonly signal: AbortSignal;
}

export interface Pass extends ForPlan {
  readonly credentials: Credentials;
  /** Changes of the plan that undo what somebody did by hand. */
  readonly drift: readonly Change[];
}

export async function readPass(parts: PassParts, { declared, inputs, focus, plansAll, signal }: Begun): Promise<Pass> {
  const { server, look, secrets, memory } = parts;
  await look.beginPass(focus === undefined);
  const document = secrets.withTurns(declared);
  const waiting = parts.backoff.atThisMoment();
  const credentials = secrets.credentials(document, waiting);
  const wishes = (settled: Document, now: number) => secrets.wishes(settled, credentials, now);
  const found = await readForPlan(
    server,
    { document, version: inputs.documentVersion, credentials, wishes, waiting, focus },
    readerFor(parts, plansAll, signal),
  );
  const { catalog } = found.input;
  look.read(factsOf(found), found.plan.dueAt - catalog.server.now);
  return { ...found, credentials, drift: driftOf(found.plan, found.input.document, memory.digests, catalog) };
}

/** Reads what may be otherwise than it is remembered. */
function readerFor(
  { server, memory, keeper, planner, probes, databases, retried, onProgress }: PassParts,
  plansAll: boolean,
  signal: AbortSignal,
): ServerReader {
  return {
    plan: (input) => planner.plan(input, plansAll),
    catalog: async (document) => {
      const catalog = await retried(() => readRoles(server, document, memory, keeper), signal);
      if (memory.hasLedger && !catalog.hasLedger) memory.forgetLedger();
      onProgress();
      return catalog;
    },
    passwords: async (document, credentials, catalog, stale) => {
      await probes.follow(document, credentials, catalog, stale);
      await probes.sweep();
      return probes.withChanged(stale);
    },
    isChanged: (role) => probes.isChanged(role),
    databases: {
      ...databases,
      passedOn: async (leavers, catalog) => {
        const passedOn = await databases.passedOn(leavers, catalog);
        onProgress();
        return passedOn;
      },
    },
  };
}

/** What the server's fingerprint is taken of. */
const factsOf = ({ input: { document, catalog, readings } }: ForPlan): FingerprintFacts => ({
  readsVerifiers: catalog.server.readsVerifiers,
  ledger: catalog.hasLedger,
  major: catalog.server.major,
  declaring: [...declaringNames(document)],
  read: [...readings.keys()],
  counted: catalog.counted,
  leaving: catalog.leaving,
});
