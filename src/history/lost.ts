// What an earlier document does not bring back, by what was done since: roles that were dropped come as others, with nothing that they owned.
import { saidAs } from '../explain/said-name.ts';
import type { AuditRow } from './rows.ts';

/** @param names of users and roles that the earlier document declares. */
export function lostSince(rows: readonly AuditRow[], names: ReadonlySet<string>): readonly string[] {
  const ofThem = rows.filter(({ role }) => names.has(role));
  return [
    ...ofThem
      .filter(({ change }) => change === 'drop_role')
      .map(
        ({ role, at, id }) =>
          `${saidAs(role)} was dropped at ${at} (row ${id}): it is made anew, as another role, without what it owned and what others granted it`,
      ),
    ...ofThem
      .filter(({ change }) => change === 'release_owned')
      .map(({ role, object, at, id }) => `what ${saidAs(role)} owned (${object}) went to others, or with it, at ${at} (row ${id})`),
  ];
}
