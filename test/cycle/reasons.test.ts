// Why a change was made: the document that was in force, and not the one that was read last and is of no use.
import { expect, it } from 'vitest';
import { createStatus } from '../../src/observe/status.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  {},
  (started) => (server = started),
  () => steward,
);

const entry = (username: string, connectionLimit: unknown): object => ({ username, login: false, connectionLimit });
const reasonsOf = async (role: string): Promise<string[]> => {
  const rows = await server.query<{ why: string }>(`SELECT why FROM pgsteward.audit_log WHERE role = '${role}' ORDER BY id`);
  return rows.map(({ why }) => why);
};
/** What /status and the report say is in force. */
const cycle = async (): Promise<string> => {
  const report = await steward.cycle();
  expect(report.error).toBeUndefined();
  const status = createStatus({ source: '', dryRun: false, patience: 1 });
  status.record(report);
  const { source } = status.toJson() as { readonly source: { readonly inForce: string | null; readonly lastSuccess: string | null } };
  expect(source.inForce).toBe(report.why);
  expect(source.lastSuccess).not.toBeNull();
  return report.why;
};

it('while a document is of no use, the one before it is named, with what is repaired meanwhile', async () => {
  steward = await createSteward(server);
  steward.manifests.users([entry('alice', 3)]);
  const first = await cycle();
  steward.manifests.users('users: [');
  await server.query('ALTER ROLE alice CONNECTION LIMIT 9');
  expect(await cycle()).toBe(first);
  steward.manifests.users('');
  await server.query('ALTER ROLE alice CONNECTION LIMIT 8');
  expect(await cycle()).toBe(first);
  const reasons = await reasonsOf('alice');
  expect([reasons.length > 1, new Set(reasons)]).toEqual([true, new Set([first])]);
});

it('an entry that stays as it was names the document that it is from, through several, and its neighbours the one in force', async () => {
  steward = await createSteward(server);
  steward.manifests.users([entry('alice', 3), entry('bob', 3)]);
  const first = await cycle();
  steward.manifests.users([entry('alice', 'many'), entry('bob', 4)]);
  await server.query('ALTER ROLE alice CONNECTION LIMIT 9');
  const second = await cycle();
  steward.manifests.users([entry('alice', 'more'), entry('bob', 5)]);
  await server.query('ALTER ROLE alice CREATEDB');
  const third = await cycle();
  expect(new Set([first, second, third]).size).toBe(3);
  expect(new Set(await reasonsOf('alice'))).toEqual(new Set([first]));
  expect((await reasonsOf('bob')).slice(-2)).toEqual([second, third]);
  steward.manifests.users([entry('alice', 6), entry('bob', 5)]);
  const fourth = await cycle();
  expect((await reasonsOf('alice')).at(-1)).toBe(fourth);
});

it('nothing is named before there is anything, also where another instance may have followed another document', async () => {
  steward = await createSteward(server);
  steward.manifests.users('users: [');
  expect(await cycle().catch(String)).toBe('');
  steward.manifests.users([entry('alice', 3)]);
  const first = await cycle();
  steward.manifests.users('users: [');
  expect((await steward.cycle('SELECT 2')).why).toBe('');
  expect(new Set(await reasonsOf('alice'))).toEqual(new Set([first]));
});
