// One ACL as the server changes it: entries are given, taken with what hangs on them, and handed over with the object.
import { type AclEntry, PUBLIC } from '../model/contents.ts';
import { type ObjectKind, privilegesOf } from '../model/kinds.ts';

/** Entries by whom, from whom and what: no two of them have the same. */
export type Acl = Map<string, AclEntry>;

type Hand = Pick<AclEntry, 'grantee' | 'grantor' | 'privilege'>;

const keyOf = ({ grantee, grantor, privilege }: Hand): string => `${grantee}\0${grantor}\0${privilege}`;

export const aclOf = (entries: readonly AclEntry[]): Acl => new Map(entries.map((entry) => [keyOf(entry), entry]));

/** Whether two say the same, in whatever order. */
export const isSameAcl = (a: Acl, b: Acl): boolean => a.size === b.size && [...a].every(([key, { grantable }]) => b.get(key)?.grantable === grantable);

/** What NULL gives everybody. */
const FOR_PUBLIC: Partial<Record<ObjectKind, readonly string[]>> = {
  database: ['CONNECT', 'TEMPORARY'],
  function: ['EXECUTE'],
  type: ['USAGE'],
  language: ['USAGE'],
};

/** What NULL stands for: acldefault(). */
export function builtIn(kind: ObjectKind, owner: string, major: number): Acl {
  const entry = (grantee: string, privilege: string): AclEntry => ({ grantee, grantor: owner, privilege, grantable: false });
  const own = kind === 'column' ? [] : privilegesOf(kind, major).map((privilege) => entry(owner, privilege));
  return aclOf([...own, ...(FOR_PUBLIC[kind] ?? []).map((privilege) => entry(PUBLIC, privilege))]);
}

/** What was there already keeps its grant option. */
export function give(acl: Acl, entry: AclEntry): void {
  const key = keyOf(entry);
  acl.set(key, { grantee: entry.grantee, grantor: entry.grantor, privilege: entry.privilege, grantable: entry.grantable || acl.get(key)?.grantable === true });
}

/** Whether somebody has the grant option of a privilege still, by whatever way. */
export type MayStillGrant = (grantee: string, privilege: string) => boolean;

/** Takes an entry or its grant option, and what others have by that option alone. */
export function take(acl: Acl, hand: Hand, optionOnly: boolean, mayStill: MayStillGrant): void {
  const key = keyOf(hand);
  const entry = acl.get(key);
  if (entry === undefined) return;
  if (optionOnly) acl.set(key, { ...entry, grantable: false });
  else acl.delete(key);
  if (!entry.grantable || mayStill(entry.grantee, entry.privilege)) return;
  for (const next of acl.values()) if (next.grantor === entry.grantee && next.privilege === entry.privilege) take(acl, next, false, mayStill);
}

/** The same with other names; entries that become one have what any of them had. */
export function renamed(acl: Acl, naming: (name: string) => string): Acl {
  const found: Acl = new Map();
  for (const entry of acl.values()) give(found, { ...entry, grantee: naming(entry.grantee), grantor: naming(entry.grantor) });
  return found;
}

/** Everything that names somebody is taken, with what others have from it. */
export function takeAllOf(acl: Acl, role: string, mayStill: MayStillGrant): void {
  for (const entry of acl.values()) if (entry.grantee === role || entry.grantor === role) take(acl, entry, false, mayStill);
}
