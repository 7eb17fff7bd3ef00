// Loss: what somebody has no longer after a change. Whoever reads a plan looks at these first.
import type { Loss } from './definition.ts';
import { type Change, definitionOf } from './table.ts';

export type { Loss } from './definition.ts';

/** What is lost by a change; undefined where it only gives, or changes something else. */
export function lossOf(change: Change): Loss | undefined {
  const definition = definitionOf(change);
  if (definition.loses !== undefined) return definition.loses(change);
  if (definition.login?.(change) === false) return 'login';
  return definition.revokes === true || definition.removes !== undefined ? 'rights' : undefined;
}
