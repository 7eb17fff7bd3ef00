// What a plan costs: long chains of memberships and of privileges that were passed on, on a server that has none of them, or all.
import { describe, expect, it } from 'vitest';
import type { Catalog } from '../../src/model/catalog.ts';
import type { ObjectGroup } from '../../src/model/contents.ts';
import type { ConnectGrant } from '../../src/model/cluster.ts';
import { costRatio } from '../support/cost.ts';
import { catalogOf, planFor, withDatabase } from '../support/pure-plan.ts';
import { read } from '../document/read.ts';

/** Four times the size is four times the cost; quadratic would be 16. */
const LINEAR = 10;

const SIZE = 2000;
const NOBODY = read('users: [{username: somebody, login: false}]\n');
const names = (size: number): string[] => Array.from({ length: size }, (_, index) => `r${index}`);
const chain = (size: number): (readonly [string, string])[] => names(size - 1).map((name, index) => [`r${index + 1}`, name]);
const declared = (size: number) =>
  read(
    `roles:\n${chain(size)
      .map(([role, member]) => `- {name: ${member}, memberOf: [${role}]}\n`)
      .join('')}users: [{username: somebody, login: false}]\n`,
  );
const costsOf = (input: (size: number) => readonly [ReturnType<typeof read>, Catalog]): number =>
  costRatio(
    input,
    ([document, catalog]) => planFor(document, { ...catalog, cluster: { ...catalog.cluster, memberships: [...catalog.cluster.memberships] } }),
    SIZE,
  );

/** Everybody has CONNECT from the one before, with the right to pass it on. */
function passedOn(size: number): Catalog {
  const catalog = catalogOf(names(size), []);
  const grants = names(size).map((grantee, index): ConnectGrant => ({
    object: { kind: 'database', name: 'postgres' },
    grantee,
    grantor: index === 0 ? 'postgres' : `r${index - 1}`,
    privilege: 'CONNECT',
    grantable: index % 100 === 0,
  }));
  return { ...catalog, cluster: { ...catalog.cluster, grants } };
}
const users = (size: number) =>
  read(
    `users:\n${names(size)
      .map((name) => `- {username: ${name}, database: elsewhere}\n`)
      .join('')}`,
  );

describe('four times as many cost about four times as much:', () => {
  it.each<readonly [string, (size: number) => readonly [ReturnType<typeof read>, Catalog]]>([
    ['roles that are each a member of the next', (size) => [declared(size), catalogOf([], [])]],
    ['roles that are each a member of the next, on a server where they are', (size) => [declared(size), catalogOf(names(size), chain(size))]],
    ['roles of a chain that leads to an attribute', (size) => [declared(size), powerful(size)]],
    ['roles of a chain that nobody names any longer', (size) => [NOBODY, catalogOf(names(size), chain(size))]],
    ['users whose CONNECT was passed on from one to the next', (size) => [users(size), passedOn(size)]],
  ])('%s', (_what, input) => {
    expect(costsOf(input)).toBeLessThan(LINEAR);
  });
});

/** Whoever is a member of the first is, over all the others, a member of one that can create roles. */
function powerful(size: number): Catalog {
  const catalog = catalogOf(names(size), chain(size));
  const last = `r${size - 1}`;
  const role = catalog.cluster.roles.get(last);
  return role === undefined
    ? catalog
    : { ...catalog, cluster: { ...catalog.cluster, roles: new Map([...catalog.cluster.roles, [last, { ...role, createrole: true }]]) } };
}

it('roles and objects that have nothing to do with each other cost as much as there are of both', () => {
  const input = (size: number) => {
    const document = read(
      `roles:\n${names(size)
        .map((name) => `- {name: ${name}, grants: [{databases: [shop], schemas: [s], sequences: {a: [USAGE]}}]}\n`)
        .join('')}users: [{username: somebody, login: false}]\n`,
    );
    const group = (index: number): ObjectGroup => ({
      kind: 'table',
      schema: 's',
      owner: `owner${index}`,
      names: ['t'],
      extension: false,
      untouched: false,
      entries: [{ grantee: 'public', grantor: `owner${index}`, privilege: 'SELECT', grantable: false }],
    });
    return [
      document,
      ...withDatabase(
        catalogOf(names(size), []),
        'shop',
        Array.from({ length: size }, (_, index) => group(index)),
      ),
    ] as const;
  };
  expect(costRatio(input, (given) => planFor(...given), 1000)).toBeLessThan(LINEAR);
});

it('what a role reaches over a long chain is still found', () => {
  const { notices } = planFor(declared(50), powerful(50));
  expect(notices.filter(({ kind }) => kind === 'unmanaged').map(({ message }) => message)).toEqual(
    names(49).map((_, index) =>
      index === 48
        ? 'membership in r49 is there and stays, but pgsteward would not give it: it can create roles; ALLOWED_ROLES=r49 allows it'
        : `membership in r${index + 1} is there and stays, but pgsteward would not give it: it can create roles through its membership in r49; ALLOWED_ROLES=r${index + 1} allows it`,
    ),
  );
});
