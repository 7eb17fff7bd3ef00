// Many documents: those of the operator and of authors as the one document of a server, whoever asks for it. Whose roles are is asked of the server first.
import { readSources, recordedSources } from '../postgres/read-sources.ts';
import type { DocumentSource } from '../sources/ports.ts';
import { createGathering, type GatheringOptions } from './gathering.ts';
import type { Memory } from './memory.ts';
import type { Server } from './server.ts';

/** Documents that are put together. */
export type ManyDocuments = Pick<GatheringOptions, 'authors' | 'finder' | 'now'> & { readonly documents: GatheringOptions['own']['documents'] };

/** All of them as one; before there is a ledger, whose roles are is what is remembered beside it. */
export const gathered = ({ documents, ...many }: ManyDocuments, server: Server, memory: Pick<Memory, 'remembered'>): DocumentSource =>
  createGathering({
    ...many,
    own: { source: server.source, documents },
    defaultDatabase: server.policy.defaultDatabase,
    recorded: () => server.connections.withAdmin(async (client) => (await readSources(client)) ?? recordedSources(memory.remembered.values())),
  });
