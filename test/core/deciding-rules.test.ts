// The rules that are named as the reason of a privilege are those that decide it: together they give what the plan is made with.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { GrantRule } from '../../src/model/entries.ts';
import type { ObjectName } from '../../src/model/contents.ts';
import { compileRules, decidingRules, union, type Wish } from '../../src/plan/privileges/rules.ts';

const pattern = fc.constantFrom('*', 'a', 'b', 'a*', '*b', 'ab', 'a*b', '**');
const name = fc.constantFrom('a', 'b', 'ab', 'aab', 'x');
const facts = { major: 17, defaultDatabase: 'a' };
const KINDS = {
  table: ['SELECT', 'INSERT', 'ALL'],
  schema: ['USAGE', 'CREATE', 'ALL'],
  database: ['CONNECT', 'TEMPORARY', 'ALL'],
  column: ['SELECT', 'UPDATE'],
  function: ['EXECUTE'],
} as const;
type Kind = keyof typeof KINDS;

const rule = (kind: Kind): fc.Arbitrary<GrantRule> =>
  fc
    .record({
      database: fc.option(pattern, { nil: undefined }),
      schema: pattern,
      name:
        kind === 'function'
          ? fc.tuple(pattern, fc.constantFrom('', '(integer)', '(text)')).map(([one, types]) => (types === '' ? one : `${one.replaceAll('*', 'a')}${types}`))
          : pattern,
      column: pattern,
      privileges: fc.array(fc.record({ privilege: fc.constantFrom(...KINDS[kind]), grantable: fc.boolean() }), { maxLength: 2 }),
      implied: kind === 'schema' ? fc.boolean() : fc.constant(false),
      permission: fc.option(fc.constantFrom('p', 'q'), { nil: undefined }),
    })
    .map((one) => ({
      ...one,
      kind,
      schema: kind === 'database' ? '' : one.schema,
      name: kind === 'database' || kind === 'schema' ? '*' : one.name,
      column: kind === 'column' ? one.column : '',
      position: { file: 'f', line: 1, column: 1 },
    }));

const objectOf = (kind: Kind, own: string, further: string): ObjectName =>
  kind === 'column'
    ? { table: own, column: further }
    : kind === 'function'
      ? { name: own, shown: further.length > 1 ? 'integer' : 'text', types: [], modes: undefined }
      : own;

it.each(Object.keys(KINDS) as Kind[])('of a %s', (kind) => {
  fc.assert(
    fc.property(fc.array(rule(kind), { maxLength: 8 }), name, name, name, name, fc.boolean(), (rules, database, schema, own, further, exactOnly) => {
      const where = { database: kind === 'database' ? '' : database, schema: kind === 'table' || kind === 'column' || kind === 'function' ? schema : '' };
      const object = objectOf(kind, own, further);
      const compiled = compileRules(rules, facts);
      const scope = compiled.scope(kind, where.database, where.schema);
      const found = exactOnly ? scope.findExact(object) : scope.find(object);
      const wanted = kind === 'schema' ? union(found, compiled.impliedOn(where.database, own)) : found;
      let told: Wish | undefined;
      for (const { wish } of decidingRules(rules, facts, { kind, name: object, exactOnly, ...where })) told = union(told, wish);
      expect(told).toEqual(wanted);
    }),
    { numRuns: 2000 },
  );
});
