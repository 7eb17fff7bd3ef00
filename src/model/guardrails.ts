// Guardrails: what must never be, whoever asks for it. As a document or the operator declares them, once they are read.
import type { ObjectKind } from './kinds.ts';
import { isGlob, matches } from './pattern.ts';

/** Objects that a guardrail is about; patterns as in a block of grants. */
export interface GuardTarget {
  readonly kind: ObjectKind;
  /** Empty for kinds that are in no schema; of kind `schema` its own pattern stands in `name`. */
  readonly schema: string;
  /** Of a column, its table. */
  readonly name: string;
  /** Empty for every kind but `column`. */
  readonly column: string;
}

/** Who must never have it. */
export interface GuardedAgainst {
  /** Every role that may log in. */
  readonly logins: boolean;
  /** Every role, but for those that the server brings along. */
  readonly roles: boolean;
  /** Logins that have none of it yet: what somebody has already is not told. */
  readonly fresh: boolean;
  /** Names and patterns of roles. */
  readonly names: readonly string[];
}

/** Ways that count beside those which are inherited, which always do. */
export interface GuardedWays {
  /** What somebody has only after SET ROLE. */
  readonly setRole: boolean;
  /** What an owner has, or may give itself. */
  readonly ownership: boolean;
  /** What superusers may. */
  readonly superuser: boolean;
  /** What somebody gets at with the rights of another: by views, or also by functions with SECURITY DEFINER, of which nobody knows what they do. */
  readonly definer: boolean | 'views';
}

export const GUARD_WAYS = ['setRole', 'ownership', 'superuser', 'definer'] as const satisfies readonly (keyof GuardedWays)[];

export interface Guardrail {
  readonly name: string;
  /** `operator`: it holds for every database, and no document can change it. */
  readonly origin: 'operator' | 'document';
  /** In the server's spelling; `ALL` for every privilege of each kind. */
  readonly never: readonly string[];
  /** Patterns; undefined is the default database. */
  readonly databases: readonly string[] | undefined;
  readonly targets: readonly GuardTarget[];
  readonly by: GuardedAgainst;
  /** Roles that may, and through which others may. */
  readonly except: ReadonlySet<string>;
  readonly through: GuardedWays;
  /** Where it stands; as `Position` of an entry. */
  readonly position: { readonly file: string; readonly line: number; readonly column: number };
}

/** Whether one of some patterns means a database. One that only an exact name means is none that a pattern does. */
export const meansDatabase = (patterns: readonly string[], { name, exactOnly }: { readonly name: string; readonly exactOnly?: boolean }): boolean =>
  patterns.some((pattern) => (exactOnly === true && isGlob(pattern) ? false : matches(pattern, name)));
