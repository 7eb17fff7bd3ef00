// Connection Secrets across entries: each belongs to one user, and none is a Secret that passwords are read from.
import type { Draft } from './draft.ts';
import { show } from './show.ts';
import { hasPassword, type UserEntry } from '../model/entries.ts';

/** Reports connection Secrets that somebody else has too. @returns the drafts that are invalid because of it. */
export function checkConnectionSecrets(drafts: readonly Draft[]): readonly Draft[] {
  const valid = drafts.flatMap((draft) => (draft.entry === undefined ? [] : [{ draft, entry: draft.entry }]));
  const connected = valid.filter(({ entry }) => entry.connectionSecret !== undefined);
  if (connected.length === 0) return [];
  const readFrom = new Map(valid.flatMap(({ entry }) => (hasPassword(entry) ? [[entry.secret.name, entry.username] as const] : [])));
  const byPlace = Map.groupBy(connected, ({ entry }) => placeOf(entry));
  return connected.flatMap(({ draft, entry }) => {
    const { connectionSecret } = entry;
    if (connectionSecret === undefined) return [];
    const other = byPlace.get(placeOf(entry))?.find((one) => one.draft !== draft);
    const reader = connectionSecret.namespace === undefined ? readFrom.get(connectionSecret.name) : undefined;
    if (other === undefined && reader === undefined) return [];
    const whose = reader === undefined ? `is also the connection Secret of ${show(other?.entry.username ?? '')}` : `holds the password of ${show(reader)}`;
    draft.report.addAt(connectionSecret.position, {
      path: [...draft.path, 'connectionSecret'],
      message: `the Secret ${show(connectionSecret.name)} ${whose}; choose another name`,
      username: entry.username,
    });
    return [draft];
  });
}

const placeOf = ({ connectionSecret }: UserEntry): string => `${connectionSecret?.namespace ?? ''}/${connectionSecret?.name ?? ''}`;
