// Look: whether there is anything to read: inputs that are others, time that has come, and a server that is not as it was, which fingerprints tell.
import type { Connections } from '../postgres/connection.ts';
import { fingerprint, type FingerprintFacts } from '../postgres/fingerprint.ts';
import type { Databases } from './databases.ts';
import type { DriftLooker } from './drift-watch.ts';
import { createGlances } from './glances.ts';
import type { CycleReport } from './report.ts';

export interface Look extends DriftLooker {
  /** A cycle begins: until it ends there is nothing to compare with between cycles. */
  begin(): void;
  /** Takes note of the inputs by their version. @returns whether they are others than those before. */
  heed(inputs: string): boolean;
  /**
   * What the last cycle reported, where it left nothing to do, its time has not come, and neither inputs nor server are otherwise since. Costs one small
   * query, and one for each database in focus (undefined: all).
   */
  unchanged(focus: ReadonlySet<string> | undefined): Promise<CycleReport | undefined>;
  /** Whatever was found right is to be read again. */
  forget(): void;
  /** A pass is about to read the catalogs: a change from now on shows as one, and is never missed. @param readsAll whether no database is left as it was found before. */
  beginPass(readsAll: boolean): Promise<void>;
  /** What the pass has read. @param dueIn milliseconds until its plan may say something else although nothing changes; Infinity for never. */
  read(facts: FingerprintFacts, dueIn: number): void;
  /** What was last read; undefined before anything was. */
  readonly facts: FingerprintFacts | undefined;
  /** Nothing is left to do: remembers the report, unless the server is no longer as the pass has read it. */
  settle(report: CycleReport): Promise<void>;
  /** When time alone gives something to do: the end of a validity, or of a drain. By performance.now; Infinity for never. */
  readonly dueAt: number;
  /** The cycle has ended: what comes from now on is found between cycles. */
  end(): Promise<void>;
}

/** What there was to see, and under which facts. */
interface Seen {
  readonly facts: FingerprintFacts;
  readonly fingerprint: string;
}

export function createLook(connections: Connections, databases: Pick<Databases, 'unchanged' | 'driftedUnheard'>): Look {
  let facts: FingerprintFacts | undefined;
  /** The inputs of the last cycle, by their version. */
  let inputs = '';
  let dueAt = Number.POSITIVE_INFINITY;
  /** A cycle after which nothing is left to do; while inputs and fingerprint are the same, neither is there anything to read. */
  let settled: (Seen & { readonly inputs: string; readonly report: CycleReport }) | undefined;
  /** The server just before the last pass read it; undefined where that could not be told. */
  let before: Seen | undefined;
  /** The server as the last cycle left it; undefined while one runs. */
  let left: Seen | undefined;

  /** Empty where it cannot be told, which equals nothing that is remembered. */
  const now = (of: FingerprintFacts): Promise<string> => connections.withAdmin((client) => fingerprint(client, of)).catch(() => '');

  const glances = createGlances<Seen>(connections);

  return {
    begin: () => {
      left = undefined;
      if (dueAt > performance.now()) return;
      dueAt = Number.POSITIVE_INFINITY;
      settled = undefined;
    },
    heed: (version) => {
      const isOther = version !== inputs;
      inputs = version;
      return isOther;
    },
    unchanged: async (focus) => {
      const known = settled;
      if (known?.inputs !== inputs) return undefined;
      const [fingerprintNow, areSame] = await Promise.all([now(known.facts), databases.unchanged(focus)]);
      return areSame && fingerprintNow === known.fingerprint ? known.report : undefined;
    },
    forget: () => void (settled = undefined),
    beginPass: async (readsAll) => {
      await glances.beginPass(readsAll);
      const under = facts;
      const seen = under === undefined ? '' : await now(under);
      before = under === undefined || seen === '' ? undefined : { facts: under, fingerprint: seen };
    },
    read: (of, dueIn) => {
      facts = of;
      dueAt = performance.now() + dueIn;
    },
    get facts() {
      return facts;
    },
    settle: async (report) => {
      const seen = before;
      const under = facts;
      const of = inputs;
      // Before the fingerprint, which tells that there were as many when the pass read them.
      await glances.count(under);
      // Read under the facts of this pass: where they are others than those of the pass before, it differs.
      if (seen === undefined || under === undefined || (await now(under)) !== seen.fingerprint) return;
      settled = { inputs: of, fingerprint: seen.fingerprint, facts: under, report };
    },
    get dueAt() {
      return dueAt;
    },
    end: async () => {
      const under = facts;
      if (settled !== undefined) glances.settled(settled);
      if (under !== undefined) left = settled ?? before ?? { facts: under, fingerprint: await now(under) };
    },
    mayHaveDrifted: () => (left === undefined ? Promise.resolve(false) : glances.mayHaveDrifted(left)),
    lookForDrift: async () => {
      const known = left;
      if (known === undefined) return { cluster: false, databases: [] };
      const began = await glances.take(known.facts);
      const [seen, drifted] = await Promise.all([now(known.facts), databases.driftedUnheard()]);
      // A cycle that began meanwhile looks itself.
      if (left !== known) return { cluster: false, databases: [] };
      glances.looked(known, seen === known.fingerprint && drifted.length === 0 ? began : undefined);
      return { cluster: seen !== '' && seen !== known.fingerprint, databases: drifted };
    },
  };
}
