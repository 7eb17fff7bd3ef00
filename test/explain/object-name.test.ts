// Names of objects as somebody writes them on a command line.
import { expect, it } from 'vitest';
import { readObjectName, readRoleName } from '../../src/explain/object-name.ts';

const table = { kind: 'table', database: 'shop', schema: 'public', name: 'payroll' };

it.each([
  [['shop.public.payroll'], table],
  [['SHOP.Public.payroll'], table],
  [['view', 'shop.public.payroll'], table],
  [['Materialized  View'.replace('  ', ' '), ' shop.public.payroll '], table],
  [['shop."Public"."pay.roll ""x"""'], { ...table, schema: 'Public', name: 'pay.roll "x"' }],
  [['table.view.type'], { ...table, database: 'table', schema: 'view', name: 'type' }],
  [['table', 'table.view.type'], { ...table, database: 'table', schema: 'view', name: 'type' }],
  [['пайта."é".ß'], { ...table, database: 'пайта', schema: 'é', name: 'ß' }],
  [['database', 'shop'], { kind: 'database', database: 'shop', name: 'shop' }],
  [['database', '"my.shop"'], { kind: 'database', database: 'my.shop', name: 'my.shop' }],
  [['schema', 'shop.public'], { kind: 'schema', database: 'shop', schema: 'public', name: 'public' }],
  [['column', 'shop.public.payroll."Salary €"'], { ...table, kind: 'column', column: 'Salary €' }],
  [['function', 'shop.public.f'], { ...table, kind: 'function', name: 'f' }],
  [['function', 'shop.public.f()'], { ...table, kind: 'function', name: 'f', arguments: [] }],
  [
    ['procedure', 'shop.public.f (INT,', 'timestamp with time zone, public."A,)(b"[] )'],
    { ...table, kind: 'function', name: 'f', arguments: ['INT', 'timestamp with time zone', 'public."A,)(b"[]'] },
  ],
  [['sequence', 'shop.public.s'], { ...table, kind: 'sequence', name: 's' }],
  [['domain', 'shop.public.d'], { ...table, kind: 'type', name: 'd' }],
  [['language', 'shop.plpgsql'], { kind: 'language', database: 'shop', name: 'plpgsql' }],
  [['foreign data wrapper', 'shop.w'], { kind: 'foreign_data_wrapper', database: 'shop', name: 'w' }],
  [['foreign', 'server', 'shop.w'], { kind: 'foreign_server', database: 'shop', name: 'w' }],
  [['large object', 'shop 016999'], { kind: 'large_object', database: 'shop', name: '16999' }],
  [['large', 'object', 'shop.16999'], { kind: 'large_object', database: 'shop', name: '16999' }],
  [['tablespace', 'fast'], { kind: 'tablespace', database: undefined, name: 'fast' }],
  [['parameter', 'Plpgsql.Variable_Conflict'], { kind: 'parameter', database: undefined, name: 'plpgsql.variable_conflict' }],
])('%j', (words, meant) => {
  expect(readObjectName(words)).toEqual(meant);
});

it.each([
  [['payroll'], 'a table is named by database.schema.its name, and here is 1 name; write it as shop.public.payroll'],
  [['a.b.c.d'], 'and here are 4 names'],
  [['a.b.c.d.e'], 'something stands behind the name, at character 8'],
  [['a.b.'], 'a name is missing at the end'],
  [['a..c'], 'a name is missing at character 3'],
  [['a.b.""'], 'a name is missing at the end'],
  [['a."b.c'], 'a double quote is not closed'],
  [['a.b.c', 'd'], 'something stands behind the name, at character 7'],
  [['a.b.f(int)'], 'something stands behind the name, at character 6; write it as shop.public.payroll'],
  [['function', 'a.b.f(int'], 'a parenthesis is not closed'],
  [['function', 'a.b.f(int,)'], 'the type of an argument is missing'],
  [['function', 'a.b.f(numeric(10))'], 'types of arguments have no length behind them'],
  [['function', `a.b.f(${Array(101).fill('int').join(',')})`], 'a function has 100 arguments at most'],
  [['large object', 'shop'], 'a large object has a number of up to ten digits'],
  [['large object', 'shop 99999999999'], 'a large object has a number of up to ten digits'],
  [['large object', 'shop 9999999999'], 'a large object has a number of up to ten digits'],
  [['x'.repeat(20_000)], 'the name of an object has 16384 characters at most'],
  [[''], 'a name is missing at the end'],
])('refuses %j', (words, said) => {
  expect(() => readObjectName(words)).toThrow(said);
});

it('a name of any length that is allowed is read at once', () => {
  const began = performance.now();
  for (const text of ['"'.repeat(16_000), '""'.repeat(8000), `a.b.${'"x""'.repeat(4000)}`, 'a.'.repeat(8000), ' '.repeat(16_000)])
    expect(() => readObjectName([text])).toThrow();
  expect(performance.now() - began).toBeLessThan(1000);
});

it.each([
  ['alice', 'alice'],
  ['Alice', 'alice'],
  ['"Alice"', 'Alice'],
  ['"a""b"', 'a"b'],
  ['alice@Example.com', 'alice@Example.com'],
  ['my-App', 'my-App'],
  ['PUBLIC', 'public'],
])('the role %s is %s', (text, name) => {
  expect(readRoleName(text)).toBe(name);
});

it.each(['', '"', '"a" b', '""', 'x'.repeat(20_000)])('the role %j is none', (text) => {
  expect(() => readRoleName(text)).toThrow();
});
