// Inability: why our admin cannot do something.
import type { Advice } from './advice.ts';

/** Why a change cannot be made, and what somebody who may has to run. */
export interface Inability {
  readonly reason: string;
  /** Undefined where no SQL would help. */
  readonly advice: Advice | undefined;
}
