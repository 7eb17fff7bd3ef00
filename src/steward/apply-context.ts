// What applying a plan needs to know, put together for each pass of a cycle.
import type { Change } from '../changes/change.ts';
import { endableRoles, leavingRoles } from '../plan/removal/drain.ts';
import { loansOf } from '../plan/loans.ts';
import { whoseOf } from '../model/sources.ts';
import type { Renaming } from '../plan/renaming.ts';
import type { ApplyContext } from '../postgres/run.ts';
import type { Backoff } from './backoff.ts';
import { entryKey } from './drift.ts';
import type { Inputs } from './inputs.ts';
import type { Databases } from './databases.ts';
import type { Memory } from './memory.ts';
import type { Pass } from './pass.ts';
import type { Repeats } from './repeats.ts';
import type { Server } from './server.ts';

/** What is the same for all of them. */
export interface ApplyParts {
  readonly server: Server;
  readonly memory: Pick<Memory, 'hasLedger'>;
  readonly databases: Pick<Databases, 'rereading'>;
  readonly backoff: Backoff;
  readonly repeats: Repeats;
  readonly onProgress: () => void;
}

interface Applying extends Pick<ApplyContext, 'fence' | 'signal'> {
  readonly inputs: Pick<Inputs, 'why' | 'kept'>;
  readonly revision: number | undefined;
}

export function applyContext(
  { server, memory, databases, backoff, repeats, onProgress }: ApplyParts,
  pass: Pass,
  { inputs, revision, fence, signal }: Applying,
): ApplyContext {
  const { plan, input, credentials, drift } = pass;
  const { catalog } = input;
  const { source, connections, sessions, timeouts, adminDatabase } = server;
  const { why, kept } = inputs;
  const whyOf = (change: Change): string => kept.get(entryKey(change)) ?? why;
  const whose = whoseOf(source, input.document);
  let endable: ReadonlySet<string> | undefined;
  return {
    ...timeouts,
    fence,
    signal,
    why,
    whyOf,
    revision,
    repeats: repeats.of(drift, whyOf),
    ledger: memory.hasLedger,
    connections,
    adminDatabase,
    superuser: catalog.server.superuser,
    // Of all that are ours, and mostly nobody asks.
    get endable() {
      return (endable ??= asCalledNow(endableRoles(catalog, whose), input.renaming));
    },
    leaving: leavingRoles([...plan.changes, ...plan.deferred]),
    render: { major: catalog.server.major, grantor: catalog.server.grantor },
    loans: loansOf(catalog, plan.changes),
    source,
    sourceOf: whose.of,
    server: catalog.server.place.server,
    scramIterations: catalog.server.scramIterations,
    credentialOf: (role) => credentials.usable.get(role),
    workers: Math.min(sessions, 3),
    sessions,
    isNewFailure: (key) => !backoff.isKnown(key),
    rereading: databases.rereading,
    onProgress,
  };
}

/** The catalog has the names that roles get, and until then the server says those that they had. */
const asCalledNow = (roles: ReadonlySet<string>, { renames }: Pick<Renaming, 'renames'>): ReadonlySet<string> =>
  roles.union(new Set(renames.flatMap(({ from, role }) => (roles.has(role) ? [from] : []))));
