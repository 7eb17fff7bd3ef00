// Whether a document can name an object exactly, and how it is written there; and how a list of privileges is.
import { patternProblem } from '../../document/names.ts';
import type { Written } from '../../document/write-yaml.ts';
import { furtherName, isSystemSchema, type ObjectName, ownName } from '../../model/contents.ts';
import { KINDS, kindWords, type ObjectKind, privilegesOf } from '../../model/kinds.ts';
import { functionPattern, isGlob } from '../../model/pattern.ts';
import type { Wish } from '../privileges/rules.ts';
import type { Holding } from './whole-server.ts';

/** An object as a block names it; a column by its table here. A pattern for functions has no types of arguments: with empty brackets it would mean those without any. */
export function writtenName(kind: ObjectKind, name: ObjectName): string {
  const further = furtherName(name);
  return kind === 'function' && further !== undefined ? `${ownName(name)}(${further})` : ownName(name);
}

const IS_PATTERN = 'a name with * in it is a pattern in a document';

/** Why a document cannot say exactly this holding; undefined where it can. */
export function whyUnsaid({ database, kind, schema, name, isPattern }: Holding): string | undefined {
  if (isPattern === true) return isGlob(database) ? IS_PATTERN : undefined;
  const column = kind === 'column' ? (furtherName(name) ?? '') : '';
  if ([database, schema, ownName(name), column].some(isGlob)) return IS_PATTERN;
  if (isSystemSchema(schema) || (kind === 'schema' && isSystemSchema(ownName(name)))) return 'it belongs to the server or to pgsteward';
  if (kind === 'function' && !isExactRoutine(name)) return 'a document cannot name this routine';
  if (KINDS[kind].key === undefined) return undefined;
  return patternProblem(writtenName(kind, name), kindWords(kind));
}

function isExactRoutine(name: ObjectName): boolean {
  const read = functionPattern(writtenName('function', name));
  return read.name === ownName(name) && read.args === furtherName(name);
}

/** A list of privileges; ALL for what is everything that the server knows, where that is more than one. */
export function writtenPrivileges(wish: Wish, kind: ObjectKind, major: number): readonly Written[] {
  const all = privilegesOf(kind, major);
  const options = new Set(wish.values());
  const isAll = all.length > 1 && options.size === 1 && all.every((privilege) => wish.has(privilege));
  const names = isAll ? [['ALL', options.has(true)] as const] : [...wish];
  return names.map(([privilege, grantable]) =>
    grantable
      ? new Map<string, Written>([
          ['privilege', privilege],
          ['grantable', true],
        ])
      : privilege,
  );
}
