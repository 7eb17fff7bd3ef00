// What becomes of a role that no user names any longer and that is no user itself.
import type { ManagedRole } from '../../model/catalog.ts';
import { leaveWhenEmpty } from './leave-roles.ts';
import { membershipKey } from '../../model/cluster.ts';
import type { Notice } from '../../changes/notice.ts';
import { linksOf } from '../../model/reach.ts';
import { type Release, releaseOwned, takePrivileges } from './release.ts';
import { forget, notOurs, nothing, type OneRemoval, type RemovalFacts } from './removal-policy.ts';

/** A role that was there before stays, without what the document said that it holds. */
function letGo(role: ManagedRole, input: RemovalFacts): OneRemoval {
  const changes = takePrivileges(role, input);
  const kept = (kind: Notice['kind'], message: string, advice?: Notice['advice']): OneRemoval => nothing({ kind, subject: role.name, message, advice });
  if ('reason' in changes) return kept('cannot', `the role is declared no longer, and keeps what it holds: ${changes.reason}`, changes.advice);
  if (changes.length === 0) return forget(role, 'no user names it any longer');
  if (!input.revokes) return kept('held', 'REVOKES=report: would take from it what the document gave, as it is declared no longer');
  return { changes, notices: [], begins: true };
}

export function removeBareRole(role: ManagedRole, leaving: ReadonlySet<string>, revoked: ReadonlySet<string>, input: RemovalFacts): OneRemoval {
  const early = notOurs(role, input);
  if (early !== undefined) return early;
  const { catalog, options } = input;
  const policy = role.deletionPolicy ?? options.policy;
  if (role.origin === 'adopted' && role.deletionPolicy !== 'drop' && (!role.privileges || policy === 'retain'))
    return forget(role, 'no user names it any longer');
  if (policy === 'retain' && role.deletionPolicy === 'retain') return forget(role, 'its deletion policy is retain');
  if (policy !== 'drop') {
    const why = role.deletionPolicy === null ? `DELETION_POLICY is ${policy}` : `its deletion policy is ${policy}`;
    return nothing({ kind: 'kept', subject: role.name, message: `no user names the role any longer; kept, as ${why}` });
  }
  if (role.origin === 'adopted' && role.deletionPolicy !== 'drop') return letGo(role, input);
  const { inRole, ofMember } = linksOf(catalog.cluster.memberships);
  const members = (inRole.get(role.name) ?? []).filter(
    (row) => row.member !== catalog.server.admin && !leaving.has(row.member) && !revoked.has(membershipKey(row.role, row.member)),
  );
  const depends = (catalog.dependencies.get(role.name) ?? []).length > 0;
  const holds = !role.privileges && (ofMember.has(role.name) || depends);
  const keep = (message: string): OneRemoval =>
    nothing({ kind: 'kept', subject: role.name, message: `no user names the role any longer; kept, because ${message}` });
  if (members.length > 0) return keep(`${members[0]?.member}${members.length > 1 ? ` and ${members.length - 1} more` : ''} is still a member`);
  if (holds) return keep('it holds privileges, objects or memberships');
  // What a role was declared to hold goes with it; a role that was only named holds what others gave it.
  const release: Release = depends ? releaseOwned(role, input) : { changes: [], notices: [] };
  if (release.kept !== undefined) {
    const { reason, advice } = release.kept;
    const changes = [...release.changes, ...leaveWhenEmpty(role.name, release.changes, input)];
    const message = `the role is declared no longer but cannot be dropped: ${reason}`;
    return { changes, notices: [...release.notices, { kind: 'cannot', subject: role.name, message, advice }], begins: changes.length > 0 };
  }
  return { changes: [...release.changes, { kind: 'drop_role', role: role.name, entity: 'role' }], notices: release.notices, begins: true };
}
