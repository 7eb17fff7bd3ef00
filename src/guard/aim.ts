// Aim: which targets are about an object, found without a look at each of them: by their schema, and by letters that a name has to have.
import { furtherName, type ObjectName, ownName } from '../model/contents.ts';
import type { Guardrail, GuardTarget } from '../model/guardrails.ts';
import { KINDS, OBJECT_KINDS, type ObjectKind } from '../model/kinds.ts';
import { onceFor } from '../model/once-for.ts';
import { isGlob, matches } from '../model/pattern.ts';
import { functionParts, isAimedAt, kindsOf } from './rails.ts';

/** Finds what is about an object. */
export interface Aim {
  /** Those that are about it, in no order that means anything. */
  readonly at: (kind: ObjectKind, schema: string, name: ObjectName) => Iterable<GuardTarget>;
  readonly isAny: (kind: ObjectKind, schema: string, name: ObjectName) => boolean;
}

/** Made once for a list of targets. */
export const aimOf = onceFor((targets: readonly GuardTarget[]): Aim => {
  const byKind = new Map(OBJECT_KINDS.map((kind) => [kind, byTypes(targets.filter((target) => kindsOf(target).includes(kind)))]));
  const candidates = (kind: ObjectKind, schema: string, name: ObjectName): Iterable<GuardTarget> =>
    byKind.get(kind)?.(KINDS[kind].scope === 'schema' ? schema : '', name) ?? [];
  return {
    at: function* at(kind, schema, name) {
      for (const target of candidates(kind, schema, name)) if (isAimedAt(target, kind, schema, name)) yield target;
    },
    isAny: (kind, schema, name) => {
      for (const target of candidates(kind, schema, name)) if (isAimedAt(target, kind, schema, name)) return true;
      return false;
    },
  };
});

/** Whether a guardrail is about an object, or about a part or the whole of it. */
export const isAimed = ({ targets }: Pick<Guardrail, 'targets'>, kind: ObjectKind, schema: string, name: ObjectName): boolean =>
  aimOf(targets).isAny(kind, schema, name);

/** Functions of some types are looked up by these, beside all that are of any. */
function byTypes(targets: readonly GuardTarget[]): (schema: string, name: ObjectName) => Iterable<GuardTarget> {
  const typesOf = (target: GuardTarget): string | undefined => (target.kind === 'function' ? functionParts(target).args : undefined);
  const finders = new Map([...Map.groupBy(targets, typesOf)].map(([types, those]) => [types, bySchemas(those)]));
  return function* found(schema, name) {
    for (const types of new Set([undefined, furtherName(name)])) yield* finders.get(types)?.(schema, ownName(name)) ?? [];
  };
}

type Finder = (schema: string, name: string) => Iterable<GuardTarget>;

function bySchemas(targets: readonly GuardTarget[]): Finder {
  const bySchema = new Map([...Map.groupBy(targets, schemaOf)].map(([pattern, those]) => [pattern, byName(those)] as const));
  const globs = [...bySchema.keys()].filter(isGlob);
  // An exact one is looked up; a database has few schemas, and each is compared with every pattern of one once.
  const here = new Map<string, readonly ((name: string) => Iterable<GuardTarget>)[]>();
  return function* found(schema, name) {
    const known =
      here.get(schema) ?? [schema, ...globs.filter((pattern) => pattern !== schema && matches(pattern, schema))].flatMap((one) => bySchema.get(one) ?? []);
    here.set(schema, known);
    for (const find of known) yield* find(name);
  };
}

/** Of kinds that are in no schema the empty one. */
const schemaOf = ({ kind, schema }: GuardTarget): string => (KINDS[kind].scope === 'schema' ? schema : '');

const nameOf = (target: GuardTarget): string => (target.kind === 'function' ? functionParts(target).name : target.name);

/** Those whose name could fit: exact ones, and patterns whose longest part without a star is somewhere in the name. */
function byName(targets: readonly GuardTarget[]): (name: string) => Iterable<GuardTarget> {
  const exact = Map.groupBy(
    targets.filter((target) => !isGlob(nameOf(target))),
    nameOf,
  );
  const parts = Map.groupBy(
    targets.filter((target) => isGlob(nameOf(target))),
    (target) => longestPart(nameOf(target)),
  );
  const lengths = [...new Set([...parts.keys()].map((part) => part.length))];
  return function* found(name) {
    yield* exact.get(name) ?? [];
    for (const length of lengths) {
      const seen = new Set<string>();
      for (let from = 0; from + length <= name.length; from += 1) {
        const part = name.slice(from, from + length);
        if (seen.has(part)) continue;
        seen.add(part);
        yield* parts.get(part) ?? [];
      }
    }
  };
}

const longestPart = (pattern: string): string => pattern.split('*').reduce((longest, part) => (part.length > longest.length ? part : longest), '');
