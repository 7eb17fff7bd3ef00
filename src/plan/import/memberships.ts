// Memberships as an entry says them: under the member, with the options that are not the server's own.
import type { Written } from '../../document/write-yaml.ts';
import type { Membership } from '../../model/cluster.ts';

/** What the rows of one membership give together, whoever granted them. */
export interface Joined {
  readonly role: string;
  readonly admin: boolean;
  readonly inherit: boolean;
  readonly set: boolean;
}

/** By member, each role once. */
export function joinedBy(memberships: readonly Membership[]): ReadonlyMap<string, readonly Joined[]> {
  const members = Map.groupBy(memberships, ({ member }) => member);
  return new Map(
    [...members].map(([member, rows]) => [member, [...Map.groupBy(rows, ({ role }) => role)].map(joined).toSorted((a, b) => (a.role < b.role ? -1 : 1))]),
  );
}

const joined = ([role, rows]: readonly [string, readonly Membership[]]): Joined => ({
  role,
  admin: rows.some((row) => row.admin),
  inherit: rows.some((row) => row.inherit),
  set: rows.some((row) => row.set),
});

/** As `roles` and `memberOf` have it. */
export const writtenMemberships = (joined: readonly Joined[]): readonly Written[] =>
  joined.map(({ role, admin, inherit, set }) => {
    const options: [string, Written][] = [
      ...(admin ? [['admin', true] as [string, Written]] : []),
      ...(inherit ? [] : [['inherit', false] as [string, Written]]),
      ...(set ? [] : [['set', false] as [string, Written]]),
    ];
    return options.length === 0 ? role : new Map<string, Written>([['name', role], ...options]);
  });
