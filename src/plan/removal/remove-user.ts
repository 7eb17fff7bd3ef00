// What becomes of a user that is no longer named: disabled, then its sessions end, then what it owns moves, then it is dropped.
import type { Catalog, ManagedRole } from '../../model/catalog.ts';
import type { Change } from '../../changes/change.ts';
import { leaveAllRoles, leaveWhenEmpty, membersOut } from './leave-roles.ts';
import type { Notice } from '../../changes/notice.ts';
import { linksOf } from '../../model/reach.ts';
import { releaseOwned } from './release.ts';
import { endingFor, forget, notOurs, nothing, type OneRemoval, policyFor, type RemovalFacts } from './removal-policy.ts';
import { turnComment } from '../../model/turns.ts';

/** Users whose sessions go on, and those whom they work as meanwhile: a session needs what it has by its memberships. */
export function usersGoingOn(leavers: readonly ManagedRole[], input: RemovalFacts): ReadonlySet<string> {
  const { catalog, options } = input;
  const going = new Set(
    leavers.flatMap((role) => {
      const policy = policyFor(role, options.policy);
      return !catalog.sessions.has(role.name) || policy === 'retain' || notOurs(role, input) !== undefined || endingFor(role, policy, input).over
        ? []
        : [role.name];
    }),
  );
  if (going.size === 0) return going;
  const names = new Set(leavers.map((role) => role.name));
  const { ofMember } = linksOf(catalog.cluster.memberships);
  // A set grows while it is walked through: what is added is visited as well.
  for (const name of going) for (const row of ofMember.get(name) ?? []) if (names.has(row.role)) going.add(row.role);
  return going;
}

export function removeUser(role: ManagedRole, goingOn: ReadonlySet<string>, input: RemovalFacts): OneRemoval {
  const early = notOurs(role, input);
  if (early !== undefined) return early;
  const policy = policyFor(role, input.options.policy);
  if (policy === 'retain') return forget(role, 'the deletion policy is retain');
  const { catalog } = input;
  const name = role.name;
  const told = role.status === 'active' ? input.told.get(name) : undefined;
  // Any user may be called like one of two.
  if (told !== undefined && catalog.cluster.roles.get(name)?.comment === turnComment(told.of))
    return nothing({ kind: 'kept', subject: name, message: `no longer named, but kept until the connection Secret ${told.place} is known to say ${told.of}` });
  const login = catalog.cluster.roles.get(name)?.login === true;
  // A user that was to stay disabled, and is to be dropped now, begins to go once more.
  const begins = role.status === 'active' || (role.status === 'disabled' && policy === 'drop');
  const disable: Change[] = login || begins ? [{ kind: 'disable_role', role: name, keep: policy === 'disable' }] : [];
  const ending = endingFor(role, policy, input);
  const { changes: end, dueAt } = ending;
  const over = !goingOn.has(name);
  const notices: readonly Notice[] =
    over === ending.over ? ending.notices : [{ kind: 'kept', subject: name, message: 'the user is removed: sessions that work as it go on' }];
  if (policy === 'disable')
    // What goes on needs its memberships for that long.
    return { changes: [...disable, ...end, ...(over ? leaveAllRoles(name, input) : []), ...clearPassword(role, catalog)], notices, begins, dueAt };
  if (!over) return { changes: disable, notices, begins, dueAt };

  const release = releaseOwned(role, input);
  if (release.kept !== undefined)
    return {
      changes: [
        ...disable,
        ...end,
        ...membersOut(name, input),
        ...release.changes,
        ...leaveWhenEmpty(name, release.changes, input),
        ...clearPassword(role, catalog),
      ],
      notices: [
        ...release.notices,
        { kind: 'cannot', subject: name, message: `the user is disabled but cannot be dropped: ${release.kept.reason}`, advice: release.kept.advice },
      ],
      begins,
    };
  return {
    changes: [...disable, ...end, ...membersOut(name, input), ...release.changes, { kind: 'drop_role', role: name, entity: 'user' }],
    notices: release.notices,
    begins,
  };
}

/** Where verifiers can be read, a password that came back is cleared again; elsewhere once, when the user is disabled. */
function clearPassword(role: ManagedRole, catalog: Catalog): Change[] {
  const present = catalog.server.readsVerifiers ? catalog.verifiers.get(role.name) != null : role.status === 'active';
  return present ? [{ kind: 'clear_password', role: role.name }] : [];
}
