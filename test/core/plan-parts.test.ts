// A plan is made in parts: however many roles stand beside however many objects, it stops again and again, and says the same as all of it at once.
import { expect, it } from 'vitest';
import type { AclEntry, ObjectGroup } from '../../src/model/contents.ts';
import { atOnce, createPace, sortedInParts } from '../../src/model/in-parts.ts';
import { inTurns } from '../../src/async/in-turns.ts';
import { catalogOf, planFor, planInParts, withDatabase } from '../support/pure-plan.ts';
import { read } from '../document/read.ts';

const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `r${index}`);
const roles = (count: number, schemas: string, tables: string) =>
  read(
    `roles:\n${names(count)
      .map((name) => `- {name: ${name}, grants: [{databases: [shop], schemas: [${schemas}], tables: {${tables}}}]}\n`)
      .join('')}users: [{username: somebody, login: false}]\n`,
  );
const table = (schema: string, list: readonly string[], entries: readonly AclEntry[] = []): ObjectGroup => ({
  kind: 'table',
  schema,
  owner: 'owner',
  names: list,
  extension: false,
  untouched: entries.length === 0,
  entries,
});
const select = (grantee: string): AclEntry => ({ grantee, grantor: 'owner', privilege: 'SELECT', grantable: false });

/** So much may be done without a stop: roles beside ACLs, names beside sixteen patterns. */
const AT_ONCE = 10_000;

it.each<readonly [string, number, ReturnType<typeof roles>, readonly ObjectGroup[]]>([
  [
    'many roles beside many ACLs',
    100 * 2000,
    roles(100, 's', "'*': [SELECT]"),
    Array.from({ length: 2000 }, (_, index) =>
      table(
        's',
        [`t${index}`],
        names(100).flatMap((name, at) => (at === index % 100 ? [] : [select(name)])),
      ),
    ),
  ],
  [
    'many names beside many patterns',
    (10_000 * 100) / 16,
    roles(1, 's', Array.from({ length: 100 }, (_, index) => `'a${index}*': [SELECT]`).join(', ')),
    [
      table(
        's',
        Array.from({ length: 10_000 }, (_, index) => `t${index}`),
      ),
    ],
  ],
])('%s', async (_what, work, document, groups) => {
  const [catalog, readings] = withDatabase(catalogOf(names(100), []), 'shop', groups);
  let parts = 0;
  for (const plan = planInParts(document, catalog, readings); plan.next().done !== true;) parts += 1;
  expect(parts).toBeGreaterThan(work / AT_ONCE);
  expect(await inTurns(planInParts(document, catalog, readings))).toEqual(planFor(document, catalog, readings));
});

it('the rules of an event trigger are put together in parts', () => {
  const rules = 9000;
  const document = read(
    `permissions:\n- name: p\n  database: shop\n  schemas: [s]\n  tables: [${Array.from({ length: rules }, (_, index) => `t${index}`).join(', ')}]\n  actions: [SELECT]\nroles:\n${names(
      10,
    )
      .map((name) => `- {name: ${name}, permissions: [p]}\n`)
      .join('')}users: [{username: somebody, login: false}]\n`,
  );
  const [catalog, readings] = withDatabase(catalogOf(names(10), []), 'shop', []);
  let parts = 0;
  for (const plan = planInParts(document, catalog, readings); plan.next().done !== true;) parts += 1;
  // Once to find them, once to write them down, and more to sort them.
  expect(parts).toBeGreaterThan((3 * 10 * rules) / AT_ONCE);
});

it('what is sorted in parts is sorted as all of it at once, and what is equal stays in its order', () => {
  for (const size of [0, 1, 4999, 5000, 5001, 40_000]) {
    const list = Array.from({ length: size }, (_, index) => ({ index, key: (index * 7919) % 101 }));
    const compare = (a: { readonly key: number }, b: { readonly key: number }): number => a.key - b.key;
    expect(atOnce(sortedInParts(list, compare, createPace()))).toEqual(list.toSorted(compare));
  }
});

it('everything else has its turn while work is done in turns', async () => {
  let [others, isDone] = [0, false];
  const other = (): void => {
    others += 1;
    if (!isDone) setImmediate(other);
  };
  setImmediate(other);
  const result = await inTurns(
    (function* () {
      for (let part = 0; part < 100; part += 1) yield;
      return 'done';
    })(),
  );
  isDone = true;
  expect(result).toBe('done');
  expect(others).toBeGreaterThanOrEqual(99);
});

it('a database in which more is to be done than a call takes arguments is planned', () => {
  const [many, schemas] = [50, 4000];
  const [catalog, readings] = withDatabase(
    catalogOf(names(many), []),
    'shop',
    Array.from({ length: schemas }, (_, index) => table(`s${index}`, ['t'])),
  );
  const { changes, notices } = planFor(roles(many, "'*'", "'*': [SELECT]"), catalog, readings);
  expect(notices.filter(({ kind }) => kind === 'failed')).toEqual([]);
  expect(changes.filter((change) => change.kind === 'grant_privilege' && change.on.object === 'table')).toHaveLength(many * schemas);
});
