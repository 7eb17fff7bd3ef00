// Whether a role that is no longer named may be removed, and what its entry and the operator say becomes of it.
import type { Catalog, ManagedRole } from '../../model/catalog.ts';
import type { Change } from '../../changes/change.ts';
import { type Ending, endingOf } from './drain.ts';
import type { DeletionPolicy, Document } from '../../model/entries.ts';
import { namesIn } from '../../model/named.ts';
import { type Whose, whoseOf } from '../../model/sources.ts';
import type { Law } from '../law/law.ts';
import { reasonOfAbsence } from '../moved.ts';
import type { Notice } from '../../changes/notice.ts';
import type { PassedOnFacts } from './passed-on.ts';
import type { ReleaseInput, ReleaseOptions } from './release.ts';
import { renamedTo } from '../renamed.ts';
import type { SecretWishes } from '../secrets/secret-plan.ts';

export interface RemovalOptions extends ReleaseOptions {
  readonly source: string;
  readonly policy: DeletionPolicy;
  /** The most roles that one cycle may begin to remove; undefined is the larger of 5 and 20 % of ours that stay or begin to go. */
  readonly maxDeletions: number | undefined;
  /** How sessions end where the role's entry did not say. */
  readonly drain: string;
}

export interface RemovalInput extends PassedOnFacts {
  readonly law: Law;
  readonly named: ReadonlySet<string>;
  /** Why a role may not be removed in this cycle, or undefined. */
  readonly heldBecause: (role: ManagedRole) => string | undefined;
  /** What the rest of the plan does: memberships revoked there no longer keep a role. */
  readonly changes: readonly Change[];
  /** Users as whom a connection Secret still tells programs to log in → that Secret. */
  readonly told: SecretWishes['told'];
  /** Whether what is revoked is revoked at all. */
  readonly revokes: boolean;
  readonly options: RemovalOptions;
}

/** With whom it is known to go. */
export type RemovalFacts = RemovalInput & ReleaseInput;

/** Names of the roles of a document's sources that it, with these names, no longer mentions: whose dependencies a snapshot must read. */
export const removalCandidates = (managed: Iterable<ManagedRole>, whose: Whose, named: ReadonlySet<string>): ManagedRole[] =>
  [...managed].filter((role) => whose.has(role.source) && !named.has(role.name));

/** Those of them that are dropped, as far as their entries and the policy say. */
export const dropCandidates = ({ managed }: Pick<Catalog, 'managed'>, { source, policy }: RemovalOptions, document: Document): ManagedRole[] =>
  removalCandidates(managed.values(), whoseOf(source, document), namesIn(document)).filter(
    (role) => role.entity === 'role' || policyFor(role, policy) === 'drop',
  );

export interface OneRemoval {
  readonly changes: readonly Change[];
  readonly notices: readonly Notice[];
  /** Whether this cycle begins it: what was begun earlier has passed the breaker already. */
  readonly begins: boolean;
  readonly dueAt?: number | undefined;
}

export const nothing = (notice?: Notice): OneRemoval => ({ changes: [], notices: notice === undefined ? [] : [notice], begins: false });
export const forget = (role: ManagedRole, reason: string): OneRemoval => ({
  changes: [{ kind: 'forget_role', role: role.name, entity: role.entity, reason }],
  notices: [],
  begins: false,
});

/** Cases in which the role is not ours to remove, before any policy is asked. */
export function notOurs(role: ManagedRole, { catalog, law }: RemovalInput): OneRemoval | undefined {
  const oid = catalog.oids.get(role.name);
  const absence = reasonOfAbsence(role.name, catalog);
  if (absence?.awaited === true) return nothing({ kind: 'kept', subject: role.name, message: `no longer named, but not forgotten: ${absence.reason}` });
  if (absence !== undefined) return forget(role, absence.reason);
  // A rename would be all that it takes to stay.
  const renamed = renamedTo(role.name, catalog);
  if (renamed !== undefined)
    return nothing({
      kind: 'cannot',
      subject: role.name,
      message: `no longer named, but not removed: somebody renamed it to ${renamed}, as the OID says, and it goes on as that; rename it back, and it is removed, or declare ${renamed} with \`renamedFrom: ${role.name}\``,
    });
  if (oid === undefined) return forget(role, 'it is gone from the server');
  if (role.oid !== 0 && role.oid !== oid) return forget(role, 'somebody dropped it and made another role of this name');
  const refusal = law.refuseToManage(role.name, role.source);
  return refusal === undefined ? undefined : nothing({ kind: 'refused', subject: role.name, message: `no longer named, but not removed: ${refusal}` });
}

/** An adopted role is never dropped unless its own entry said so. */
export function policyFor(role: ManagedRole, fallback: DeletionPolicy): DeletionPolicy {
  if (role.deletionPolicy !== null) return role.deletionPolicy;
  return role.origin === 'adopted' && fallback === 'drop' ? 'disable' : fallback;
}

/** The sessions of a user that is removed. */
export function endingFor(role: ManagedRole, policy: DeletionPolicy, { catalog, options }: RemovalInput): Ending {
  const login = catalog.cluster.roles.get(role.name)?.login === true;
  const drain = role.drain ?? options.drain;
  // Of a role that was disabled before anything remembered when, nobody can say how long ago that was.
  const unknown = login || role.status === 'active' ? null : 0;
  const since = login || role.disabledAt === null ? unknown : Date.parse(role.disabledAt);
  const after = policy === 'disable' ? '; it then leaves its roles' : '; it is then dropped';
  return endingOf({ role: role.name, since, drain, why: 'the user is removed', after }, catalog);
}
