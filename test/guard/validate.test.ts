// validate says without a server what a document gives and a guardrail forbids.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { expect, it } from 'vitest';
import { type Called, callHere } from '../commands/call.ts';
import { scratch } from '../support/scratch.ts';

const PAYROLL = { name: 'payroll', never: 'SELECT', on: { database: 'hr', schema: 'hr', tables: ['salaries', 'pay*'] }, by: '*', except: ['payroll_app'] };
const block = (tables: object): object => ({ database: 'hr', schemas: ['hr'], tables });

function fileWith(document: object): string {
  const file = join(scratch('validate'), 'users.yaml');
  writeFileSync(file, stringify(document));
  return file;
}
const validate = (document: object, env: Readonly<Record<string, string>> = {}): Promise<Called> => callHere(['validate', fileWith(document)], '', env);
const READER = { name: 'reader', grants: [block({ salaries: ['SELECT'] })] };
const ALICE = { username: 'alice', database: 'hr', roles: ['reader'] };

it('a rule that reaches a login by a membership is told at its place, with 3, and the last line counts it', async () => {
  const { code, stdout } = await validate({ guardrails: [PAYROLL], roles: [READER], users: [ALICE] });
  expect(code).toBe(3);
  expect(stdout).toMatch(/users.yaml:\d+:\d+: the guardrail payroll \(.*users.yaml:2:5\) forbids what this gives: alice would have SELECT \(alice → reader\)/);
  expect(stdout).toContain('errors: 1, warnings: 0');
});

it.each([
  ['a wider rule of all tables', { '*': ['SELECT'] }, 3],
  ['a pattern within that of the guardrail', { 'payroll_*': ['ALL'] }, 3],
  ['a rule that leaves out what is guarded', { '*': ['SELECT'], salaries: [], 'pay*': [] }, 0],
  ['a rule that leaves out a part alone', { '*': ['SELECT'], salaries: [] }, 3],
  ['another privilege', { '*': ['INSERT'] }, 0],
  ['another table', { teams: ['SELECT'] }, 0],
  ['a pattern that only meets the other one', { '*_log': ['SELECT'] }, 0],
])('%s', async (_what, tables, code) => {
  const roles = [{ name: 'reader', grants: [block(tables)] }];
  expect((await validate({ guardrails: [PAYROLL], roles, users: [ALICE] })).code).toBe(code);
});

it.each([
  ['through a role that may', { roles: [{ ...READER, name: 'payroll_app' }], users: [{ ...ALICE, roles: ['payroll_app'] }] }, 0],
  ['to nobody who may log in', { roles: [READER], users: [{ ...ALICE, login: false }] }, 0],
  ['after SET ROLE', { roles: [READER], users: [{ ...ALICE, roles: [{ name: 'reader', inherit: false }] }] }, 3],
  [
    'by a permission',
    { permissions: [{ name: 'p', ...block({ salaries: ['SELECT'] }) }], users: [{ username: 'alice', database: 'hr', permissions: ['p'] }] },
    3,
  ],
  ['to PUBLIC', { databases: [{ name: 'hr', public: [{ schemas: ['hr'], tables: { salaries: ['SELECT'] } }] }], users: [{ username: 'bob' }] }, 3],
  ['a role that a document does not declare', { users: [{ ...ALICE, roles: ['theirs'] }] }, 0],
])('%s', async (_what, document, code) => {
  expect((await validate({ guardrails: [PAYROLL], ...document })).code).toBe(code);
});

it('owners count for databases and schemas', async () => {
  const guardrails = [{ name: 'makers', never: 'CREATE', on: { database: 'hr', schema: 'hr' }, by: '*' }];
  const databases = [{ name: 'hr', schemas: [{ name: 'hr', owner: 'alice' }] }];
  const { code, stdout } = await validate({ guardrails, databases, users: [{ username: 'alice', database: 'hr' }] });
  expect(code).toBe(3);
  expect(stdout).toContain('alice would have CREATE (as its owner)');
});

it('the operator’s file counts too, an error of the document stands over both, and a file that is wrong is refused', async () => {
  const file = join(scratch('validate'), 'guardrails.yaml');
  writeFileSync(file, stringify({ guardrails: [PAYROLL] }));
  const told = await validate({ roles: [READER], users: [ALICE] }, { GUARDRAILS_FILE: file });
  expect([told.code, told.stdout]).toEqual([3, expect.stringContaining('the guardrail payroll of the operator')]);
  expect((await validate({ roles: [READER], users: [{ ...ALICE, rols: [] }] }, { GUARDRAILS_FILE: file })).code).toBe(1);
  const wrong = await validate({ users: [ALICE] }, { GUARDRAILS_FILE: '/nowhere' });
  expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('GUARDRAILS_FILE=/nowhere: it cannot be read: ENOENT')]);
});
