// What a kind of change is: everything that planning, execution, reports and the audit ask of it. Each kind is one such definition, in its family's file.
import type { Entity } from '../model/cluster.ts';
import type { StoredVerifier } from '../model/scram.ts';

export interface RenderOptions {
  /** The server's major version: memberships have options and grantors from 16 on. */
  readonly major: number;
  /** The role under which our own grants are recorded (ServerFacts.grantor). */
  readonly grantor: string;
  /** Whose hand in a schema an extension's script may find there, beside superusers' and that of whoever runs it. */
  readonly trusted?: string;
}

/** What our admin needs for a change where it is no superuser (plan/ability.ts). */
export type Need =
  /** The right to alter a role, and to say who is in it. */
  | { readonly what: 'administer'; readonly role: string }
  /** The same for a role that our admin joins. A superuser is none that it joins; what is said then. */
  | { readonly what: 'join'; readonly role: string; readonly notSuperuser: string }
  /** To become a role; undefined: as ourselves. */
  | { readonly what: 'act as'; readonly role: string | undefined }
  /** From 16 on, to revoke as whoever granted. */
  | { readonly what: 'revoke as'; readonly role: string }
  /** To act as the owner of a database. */
  | { readonly what: 'own'; readonly database: string }
  | { readonly what: 'create databases' };

/** What a change means for what is remembered of its role. */
export type Memory =
  /** @see ManagedRole.disabledAt: whether it counts from now on. */
  | { readonly what: 'ours'; readonly entity: Entity; readonly origin: 'created' | 'adopted'; readonly isDisabled?: boolean }
  | { readonly what: 'status'; readonly status: 'disabled' | 'removing' }
  /** Whether a password is set, of which the witness is kept, or there is none any more. */
  | { readonly what: 'password'; readonly isSet: boolean }
  | { readonly what: 'no privileges' }
  /** The source that it belongs to from now on. */
  | { readonly what: 'whose'; readonly source: string }
  /** The role with this OID was remembered by another name; undefined where it was not. */
  | { readonly what: 'renamed'; readonly recorded: string | undefined; readonly oid: number }
  | { readonly what: 'no longer ours' }
  /** The OIDs here of roles that were recorded on another server. */
  | { readonly what: 'recognised'; readonly names: readonly string[]; readonly oids: readonly number[] };

/** What somebody has no longer after a change: a role, the way in, its sessions, the password that it logged in with, or rights. */
export type Loss = 'role' | 'login' | 'sessions' | 'password' | 'rights';

/**
 * @typeParam C the change.
 * @typeParam E what its statements need: the change itself, but for one that sets a password.
 */
export interface Definition<C, E = C> {
  /** The role that a change is about: whose failure it is, and which entry it belongs to; empty for none. */
  subject(change: C): string;
  /** Its identity across cycles, without the objects that it names. */
  key(change: C): readonly unknown[];
  /** What it acts on, for the audit log: the role, and the object where there is one. */
  object(change: C): string;
  /** The change as an imperative: «create role: analyst». Never holds a password, a verifier or a setting's value. */
  sentence(change: C): string;
  /**
   * Its statements, in order; none for a change that is only remembered, or made in Kubernetes.
   * @param subjects whom they concern: of all changes that share them.
   */
  statements(change: E, options: RenderOptions, subjects: readonly string[]): readonly string[];
  /** What our admin needs for it; the first that it lacks is said. */
  needs(change: C): readonly Need[];
  /** Whether it undoes what somebody did by hand; undefined where it does so if its entry was applied just as it is now. */
  isDrift(change: C): boolean | undefined;

  /** The database that it has to be made in; any will do where this is not said, or empty. */
  database?(change: C): string;
  /** The database that must exist for it to work, where it is not made in it. */
  neededDatabase?(change: C): string;
  /** Every role that must exist for it to work; its subject where this is not said. */
  roles?(change: C): readonly string[];
  /** Its place in the order, where that is not the one of its kind in the table. */
  rank?(change: C, rankOf: (kind: string) => number): number;

  /** What it shares with a neighbour of the same statements. */
  shared?(change: C): readonly unknown[];
  /** Statements as people read them, where others are run: they are no SQL, so that they can never be executed. */
  shown?(change: C): readonly string[];
  /** Its statements hold the rules of an event trigger, which may be a MiB: people read the beginning, and the sentence says how many they are. */
  readonly isLong?: true;
  /** `apart`: it is no part of a batch, and has a step of its own (postgres/apply.ts). `last`: each has a transaction of its own, after everything else. */
  readonly runs?: 'apart' | 'last';
  /** It is made in Kubernetes and not on the server. */
  readonly inKubernetes?: true;
  /** Only what we remember changes by it: the server is as declared without it. */
  readonly isMemory?: true;
  /**
   * Whose transactions do not keep it waiting: they are ended (postgres/insist.ts). Of `any`, where the row of a role is what is waited for: whoever keeps
   * it locked has changed roles or granted something to this one, and ordinary work does not. Of those that are `leaving`, where it is what they own.
   */
  readonly endsHolders?: 'any' | 'leaving';

  /** As whom its statements run, beside us. */
  actors?(change: C): readonly string[];
  /** Who owns something after it, and did not before. */
  newOwner?(change: C): string | undefined;
  /** Whose rights, beside our own, the server asks for (plan/loans.ts). What is done as another role (SET ROLE) is not among it. */
  rights?(change: C, ownerOf: (database: string) => string): readonly string[];
  /** Roles whose names stand in the statements of a change that is made in a database of its own. @param lent those whose rights we borrow around it. */
  names?(change: C, lent: readonly string[]): readonly string[];
  /**
   * A superuser can make it for us, and it counts as made. Not what sets a verifier, which is a secret; nor functions of ours, which as a superuser's
   * would run with a superuser's rights; nor what is about our own login, or made in Kubernetes.
   */
  readonly isAdvised?: true;
  /** As a superuser makes it, who needs no role for it. */
  asSuperuser?(change: C): C;
  /** Whether a superuser would get no further with the same statements, by what the server said. */
  isInVain?(change: C, message: string): boolean;
  /** How to do without it, said where it failed. */
  readonly instead?: string;

  /** What is remembered of it: in the ledger in its own transaction, and where there is none beside it. */
  remembers?(change: C): Memory;
  /** Whether it gives a login or takes it; undefined where it does neither. */
  login?(change: C): boolean | undefined;
  /** What is lost by it. Where this is not said: the way in where it takes a login, and rights where it revokes or removes. */
  loses?(change: C): Loss | undefined;

  /** It is about what pgsteward keeps for itself in databases, its event triggers: nobody has more or less by it. */
  readonly isOwn?: true;
  /** It takes away what the document does not give, and waits for REVOKES=apply. */
  readonly revokes?: true;
  /** A step of a removal: each needs the ones before it, but for those that are done `at once`, whatever keeps the others. */
  readonly removes?: 'in turn' | 'at once';
  /** There is a password to set after it. */
  readonly makesPassword?: true;
  /** Nobody can log in without it. */
  readonly forLogin?: true;
  /** As what a summary counts it. */
  readonly counts?: 'grants' | 'revokes' | 'passwords';
  /** Fields that only say how much there is at the moment: what it does is the same without them. */
  readonly counted?: readonly string[];
  /** It concerns no user of a document, whatever its subject. */
  readonly isOfNoUser?: true;
}

/** Of a change that a superuser can make for us. */
export type Advised<C> = Definition<C> & { readonly isAdvised: true };

/** Of a change that is made in Kubernetes. */
export type InKubernetes<C> = Definition<C> & { readonly inKubernetes: true };

/** Of a change that sets a password: what is executed has the verifier, and what is shown is something else. */
export interface SetsVerifier<C> extends Definition<C, WithVerifier<C>> {
  shown(change: C): readonly string[];
}

export type WithVerifier<C> = C & { readonly verifier: StoredVerifier };

interface OfRole {
  readonly role: string;
}

/** Of changes of one role, which nothing else tells apart. */
export const OF_ROLE = {
  subject: ({ role }: OfRole) => role,
  key: ({ role }: OfRole): readonly unknown[] => [role],
  object: ({ role }: OfRole) => role,
  needs: ({ role }: OfRole): readonly Need[] => [{ what: 'administer', role }],
};

/** Of changes that the server has no part in. */
export const NOT_ON_SERVER = { statements: () => [], needs: () => [] };

/** It follows from the document, whatever the server did. */
export const neverDrift = (): boolean => false;

/** It undoes what somebody did where its entry was applied as it is. */
export const driftByEntry = (): undefined => undefined;
