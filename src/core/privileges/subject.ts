// Subjects: whose privileges are compared, and how strictly.
import type { Position } from '../document/types.ts';
import type { RoleRules } from './rules.ts';

export interface Subject {
  /** A role's name, or PUBLIC. */
  readonly name: string;
  readonly rules: RoleRules;
  /**
   * `exact`: what it holds beyond the rules is revoked. `additive`: nothing is revoked. `named`: exact for what the rules name, and
   * everything else is left alone.
   */
  readonly mode: 'exact' | 'additive' | 'named';
  /** Whether CONNECT is compared elsewhere (users have it on their databases). */
  readonly connectsElsewhere: boolean;
  readonly position: Position;
}
