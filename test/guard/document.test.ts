// `guardrails` of a document: what is read, and what is told where something is wrong, after which nothing of the document is used.
import { stringify } from 'yaml';
import { expect, it } from 'vitest';
import { parseDocument } from '../../src/document/parse.ts';
import type { Document } from '../../src/model/entries.ts';
import { LIMITS } from '../../src/model/limits.ts';

const GOOD = { name: 'payroll', never: 'SELECT', on: { database: 'hr', schema: 'hr', tables: ['salaries', 'pay*'] }, by: '*', except: ['payroll_app'] };
const read = (guardrails: unknown): Document => parseDocument(Buffer.from(stringify({ guardrails, users: [{ username: 'alice' }] })), 'users.yaml');
const told = (guardrail: object): readonly string[] => read([{ ...GOOD, ...guardrail }]).problems.map(({ path, message }) => `${path}: ${message}`);

it('one that is right is read with what it leaves out', () => {
  const { guardrails, usable, problems } = read([GOOD]);
  expect({ usable, problems }).toEqual({ usable: true, problems: [] });
  expect(guardrails).toEqual([
    {
      name: 'payroll',
      origin: 'document',
      never: ['SELECT'],
      databases: ['hr'],
      targets: [
        { kind: 'table', schema: 'hr', name: 'salaries', column: '' },
        { kind: 'table', schema: 'hr', name: 'pay*', column: '' },
      ],
      by: { logins: true, roles: false, fresh: false, names: [] },
      except: new Set(['payroll_app']),
      through: { setRole: true, ownership: true, superuser: false, definer: false },
      position: { file: 'users.yaml', line: 2, column: 5 },
    },
  ]);
});

it.each([
  ['a database by itself', { never: ['CREATE', 'temp'], on: { database: ['hr', 'hr_*'] } }, ['database']],
  ['a schema by itself', { never: 'CREATE', on: { schema: 'hr' } }, ['schema']],
  ['columns', { never: 'ALL', on: { schema: '*', columns: { salaries: ['amount', 'b*'], pay: 'x' } } }, ['column', 'column', 'column']],
  [
    'several kinds',
    { never: ['USAGE', 'EXECUTE'], on: { schema: ['a', 'b'], functions: 'f(int)', sequences: ['s'] } },
    ['sequence', 'sequence', 'function', 'function'],
  ],
  ['tablespaces', { never: 'CREATE', on: { tablespaces: ['fast', 'f*'] } }, ['tablespace', 'tablespace']],
  ['parameters', { never: ['SET', 'ALTER SYSTEM'], on: { parameters: 'log_*' } }, ['parameter']],
  ['large objects', { never: 'SELECT', on: { largeObjects: [16_400, '*'] } }, ['large_object', 'large_object']],
])('%s can be what one is about', (_what, guardrail, kinds) => {
  const { guardrails, problems } = read([{ ...GOOD, ...guardrail }]);
  expect(problems).toEqual([]);
  expect(guardrails?.[0]?.targets.map(({ kind }) => kind)).toEqual(kinds);
});

it.each([
  [{ nevr: 'SELECT' }, 'guardrails[0].nevr: unknown key `nevr`; did you mean `never`?'],
  [{ never: 'SELCT' }, 'guardrails[0].never: `SELCT` is no privilege of a table; did you mean `SELECT`?'],
  [{ never: [] }, 'guardrails[0].never: the list is empty; name a privilege, or leave the key out'],
  [{ on: {} }, 'guardrails[0].on: must be a mapping that says on what: `{database: shop, schema: public, tables: [orders]}`, but is a mapping'],
  [{ on: { tables: ['a'] } }, 'guardrails[0].on: what is named there is in schemas; add `schema`, which may be a pattern'],
  [{ on: { schema: 'hr', tabels: ['a'] } }, 'guardrails[0].on.tabels: unknown key `tabels`; did you mean `tables`?'],
  [
    { never: 'CREATE', on: { database: 'hr', tablespaces: ['fast'] } },
    'guardrails[0].on: tablespaces and parameters are in no database and stand by themselves; make a guardrail of its own for `database`',
  ],
  [
    { never: 'CREATE', on: { tablespaces: ['fast'] }, through: { definer: true } },
    'guardrails[0].through.definer: views and functions are looked at within databases, and tablespaces and parameters are in none; remove it',
  ],
  [{ by: undefined }, 'guardrails[0]: the key `by` is missing'],
  [{ by: { a: 1 } }, 'guardrails[0].by: must be a role or a list of them, but is a mapping'],
  [{ except: ['a*'] }, 'guardrails[0].except[0]: whom a guardrail leaves out is named one by one, without patterns'],
  [{ through: { setRole: 'no' } }, 'guardrails[0].through.setRole: must be `true` or `false`, but is text'],
  [{ through: { definer: 'functions' } }, 'guardrails[0].through.definer: must be `true`, `views` or `false`, but is text'],
  [{ through: { view: true } }, 'guardrails[0].through.view: unknown key `view`; known here: setRole, ownership, superuser, definer'],
  [{ name: 'it\'s "x"\u001F' }, 'guardrails[0].name: a guardrail is called by 1 to 63 letters, digits, `-`, `_` and `.`'],
])('%j is told, and the whole document is not used', (guardrail, message) => {
  expect(told(guardrail)).toContain(message);
  expect(read([{ ...GOOD, ...guardrail }])).toMatchObject({ usable: false, users: [], guardrails: [] });
});

it('two of one name, and what is no list, are told too', () => {
  expect(read([GOOD, GOOD]).problems.map(({ message }) => message)).toEqual(['there are two guardrails called `payroll`; choose another name']);
  expect(read('payroll').usable).toBe(false);
});

it('as many guardrails and names are read as the limits say', () => {
  const many = (count: number): readonly object[] => Array.from({ length: count }, (_, index) => ({ ...GOOD, name: `g${index}` }));
  const named = (count: number): readonly object[] => [{ ...GOOD, except: Array.from({ length: count }, (_, index) => `r${index}`) }];
  expect([read(many(LIMITS.guardrails)).usable, read(many(LIMITS.guardrails + 1)).usable]).toEqual([true, false]);
  const about = (count: number): readonly object[] => {
    const names = (prefix: string, most: number): readonly string[] => Array.from({ length: most }, (_, index) => `${prefix}${index}`);
    return [1, 2].map((one) => ({ name: `g${one}`, never: 'SELECT', on: { schema: names('s', count / 20), tables: names('t', 10) }, by: '*' }));
  };
  expect([read(about(LIMITS.guardrailTargets)).usable, read(about(LIMITS.guardrailTargets + 20)).usable]).toEqual([true, false]);
  expect(read(about(20 * LIMITS.guardrailItems)).problems.map(({ message }) => message)).toEqual(
    Array.from({ length: 2 }, () => expect.stringMatching(/about 10000 names in schemas/)),
  );
  expect([read(named(LIMITS.guardrailItems)).usable, read(named(LIMITS.guardrailItems + 1)).usable]).toEqual([true, false]);
});
