// Change → SQL that people read: in the audit log, and as advice. Where a password would stand is no SQL, so that it can never be executed.
import type { Change } from './change.ts';
import type { RenderOptions } from './definition.ts';
import { definitionOf } from './table.ts';
import { isPlain, renderChange, renderGroups } from './render.ts';

/** Characters of a statement that holds the rules of an event trigger. */
const LONG_SHOWN = 2000;

/** The statements of one change as they are shown. @param subjects whom they concern: of all changes that share them. */
export function showChange(change: Change, options: RenderOptions, subjects?: readonly string[]): readonly string[] {
  const definition = definitionOf(change);
  if (!isPlain(change)) return definition.shown?.(change) ?? [];
  const statements = renderChange(change, options, subjects);
  return definition.isLong ? statements.map(shortened) : statements;
}

const shortened = (statement: string): string =>
  statement.length <= LONG_SHOWN ? statement : `${statement.slice(0, LONG_SHOWN)}… (${statement.length} characters)`;

/** The statements of a batch as they are shown. */
export const showBatch = (changes: readonly Change[], options: RenderOptions): readonly string[] => renderGroups(changes, options, showChange);
