// Server: one PostgreSQL server as the parts of a cycle know it, and what a plan may do there.
import type { Guardrail } from '../model/guardrails.ts';
import type { PlanInput } from '../plan/plan-input.ts';
import type { Connections } from '../postgres/connection.ts';
import type { Timeouts } from '../postgres/transaction.ts';

/** The operator's guardrails over the life of the process. */
export interface GuardrailsRenewal {
  /** Looks at them again: until the next time they stay the same. @returns what keeps them from being used as they are. */
  renew(): string | undefined;
  /** Equal while they are the same. */
  readonly version: string;
}

/** What a plan may do: the law, removal, and how privileges and triggers are kept. */
export interface Policy extends Pick<PlanInput, 'revokes' | 'triggers' | 'law' | 'removal' | 'defaultDatabase'> {
  /** What must never be, whatever a document says. */
  readonly guardrails?: readonly Guardrail[] | undefined;
  /** Where they may be others by the next cycle. */
  readonly renewal?: GuardrailsRenewal | undefined;
  /** The server that the operator says ours was moved from. */
  readonly movedFrom: string | undefined;
}

/** The settings that it is made of. */
export interface ServerSettings {
  readonly source: { readonly id: string };
  readonly server: Pick<Server, 'adminDatabase' | 'timeouts'> & { readonly sessions: { readonly max: number } };
  readonly maxObjects: number;
  readonly policy: Policy;
}

export interface Server {
  /** `namespace/name` of the document that it is kept by. */
  readonly source: string;
  readonly connections: Connections;
  /** So many sessions at a time. */
  readonly sessions: number;
  /** So many objects are read in each of its databases, or in all that are read side by side. */
  readonly maxObjects: number;
  readonly timeouts: Timeouts;
  /** Where the ledger is, and what all databases share is read and written. */
  readonly adminDatabase: string;
  readonly policy: Policy;
}

export const serverOf = ({ source, server, maxObjects, policy }: ServerSettings, connections: Connections): Server => ({
  source: source.id,
  connections,
  sessions: server.sessions.max,
  maxObjects,
  timeouts: server.timeouts,
  adminDatabase: server.adminDatabase,
  policy,
});
