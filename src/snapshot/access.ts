// The access that a snapshot tells of, as it would be read for it.
import { accessState, type AccessState, type DatabaseAccess } from '../access/state.ts';
import type { Snapshot } from './snapshot.ts';

/** @returns undefined where an older version took it, which left out what owners hold themselves. */
export function accessInSnapshot({ catalog, databases }: Snapshot): { readonly state: AccessState; readonly unread: ReadonlyMap<string, string> } | undefined {
  if (!catalog.shared.some(({ owner, entries }) => entries.some(({ grantee }) => grantee === owner))) return undefined;
  const read = new Map<string, DatabaseAccess>();
  const unread = new Map<string, string>();
  for (const [name, one] of databases)
    if (one.kind === 'read') read.set(name, { ...one.contents, ...(one.beside === undefined ? {} : { beside: one.beside }) });
    else unread.set(name, one.reason);
  return { state: accessState(catalog, read), unread };
}
