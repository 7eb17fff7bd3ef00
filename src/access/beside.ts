// What decides on access in a database beside ACLs: row level security, and what acts with its owner's rights.
import type { Policy } from '../explain/securable.ts';

/** A relation, by its names. */
export interface RelationName {
  readonly schema: string;
  readonly name: string;
}

export interface SecuredRows extends RelationName {
  readonly forced: boolean;
  readonly policies: readonly Policy[];
}

export interface ViewFacts extends RelationName {
  readonly invoker: boolean;
  readonly copy: boolean;
  /** Relations that it reads. */
  readonly reads: readonly RelationName[];
}

export interface Beside {
  readonly rowSecurity: readonly SecuredRows[];
  readonly views: readonly ViewFacts[];
  /** Functions with SECURITY DEFINER; `shown`: their types as the server prints them. */
  readonly definers: readonly (RelationName & { readonly shown: string })[];
  /** What the server says of large objects beside their ACLs. */
  readonly largeObjects: string | null;
  /** There are more than are looked at. */
  readonly more: boolean;
}

/** With other names of the roles that policies are for; those that are for nobody any longer are gone. @param naming undefined for nobody. */
export const withPolicyRoles = (beside: Beside, naming: (role: string) => string | undefined): Beside => ({
  ...beside,
  rowSecurity: beside.rowSecurity.map((one) => ({
    ...one,
    policies: one.policies.map((policy) => ({ ...policy, roles: policy.roles.flatMap((role) => naming(role) ?? []) })).filter(({ roles }) => roles.length > 0),
  })),
});
