// A membership that a document may not give: refused where somebody would get it. Where it is there already, nothing is: it stays, and that is said.
import { type Membership, membershipKey } from '../model/cluster.ts';
import type { RoleEntry } from '../model/entries.ts';
import type { Notice } from '../changes/notice.ts';

/** @returns what is said of an entry that the law refuses, given all memberships of the server; in `tolerated` it is noted as neither to be granted nor revoked. */
export function refusedMemberships(memberships: readonly Membership[]): (entry: RoleEntry, member: string, refusal: string, tolerated: Set<string>) => Notice {
  let rows: ReadonlyMap<string, readonly Membership[]> | undefined;
  return (entry, member, refusal, tolerated) => {
    const key = membershipKey(entry.name, member);
    tolerated.add(key);
    rows ??= Map.groupBy(memberships, (row) => membershipKey(row.role, row.member));
    const isThere = isAsDeclared(entry, rows.get(key) ?? []);
    return {
      kind: isThere ? 'unmanaged' : 'refused',
      subject: member,
      position: entry.position,
      message: isThere
        ? `membership in ${entry.name} is there and stays, but pgsteward would not give it: ${refusal}`
        : `membership in ${entry.name} is refused: ${refusal}`,
    };
  };
}

/** Whether what several have granted is together what the entry says. */
const isAsDeclared = ({ admin = false, inherit = true, set = true }: RoleEntry, rows: readonly Membership[]): boolean =>
  rows.length > 0 && rows.some((row) => row.admin) === admin && rows.some((row) => row.inherit) === inherit && rows.some((row) => row.set) === set;
