// What may be done beside the loop: pure functions of what others wrote, whose outcomes can be copied from thread to thread.
import { composeTexts } from '../document/compose-texts.ts';
import { findDocuments } from '../document/found-documents.ts';
import { parseInParts } from '../document/parse.ts';
import { readParts } from '../document/manifests.ts';
import { parseServers } from '../document/servers.ts';

/** A function as an argument does not cross threads. */
const readServers = (content: Uint8Array, file: string) => parseServers(content, file);

const TASKS = { document: parseInParts, documents: findDocuments, manifests: readParts, servers: readServers, sources: composeTexts } as const;

export type AsideTask = keyof typeof TASKS;
export type AsideInput<T extends AsideTask> = Parameters<(typeof TASKS)[T]>;
export type AsideOutcome<T extends AsideTask> = ReturnType<(typeof TASKS)[T]>;

export interface AsideRequest {
  readonly task: AsideTask;
  readonly input: readonly unknown[];
}

export const runTask = ({ task, input }: AsideRequest): unknown => (TASKS[task] as (...input: readonly unknown[]) => unknown)(...input);
