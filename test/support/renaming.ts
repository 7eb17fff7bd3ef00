// Renaming on a real server: one server for a file, one steward for a test, and what the tests look at.
import { expect } from 'vitest';
import { stringify } from 'yaml';
import type { Change } from '../../src/changes/change.ts';
import { literal } from '../../src/sql/sql-text.ts';
import type { CycleReport } from '../../src/steward/report.ts';
import { serverForAll } from './lifecycle.ts';
import type { MemorySecrets } from './memory-secrets.ts';
import type { Postgres } from './postgres.ts';
import { createSteward, ddlOf, type Steward } from './steward.ts';

/** The server, and the steward of the test that runs. */
export const at = {} as { server: Postgres; steward: Steward };
serverForAll(
  { fsync: 'off' },
  (started) => (at.server = started),
  () => at.steward,
);

type Entries = readonly object[];
const document = (users: Entries, roles: Entries = []): string => stringify({ roles, users: [{ username: 'keeper', login: false }, ...users] });
/** A steward that has followed a document, and the next one. */
export async function start(users: Entries, roles: Entries = [], env: Readonly<Record<string, string>> = {}, secrets?: MemorySecrets): Promise<void> {
  at.steward = await createSteward(at.server, env, undefined, undefined, secrets);
  at.steward.manifests.users(document(users, roles));
  for (const user of users as readonly { username: string; password?: object }[])
    if (user.password === undefined) at.steward.manifests.secret(user.username, PASSWORD);
  const report = await at.steward.cycle();
  expect(['changed', 'converged'], JSON.stringify(report.notices)).toContain(report.result);
}
export const PASSWORD = 'the password of before';
export const follow = (users: Entries, roles: Entries = []): void => at.steward.manifests.users(document(users, roles));
export const oidOf = async (name: string): Promise<string | undefined> =>
  (await at.server.query<{ oid: string }>(`SELECT oid::text AS oid FROM pg_roles WHERE rolname = ${literal(name)}`))[0]?.oid;
/** The trigger for objects to come has the names of roles, and gets the new ones. */
export const isOfTrigger = ({ kind }: Change): boolean => kind === 'sync_trigger_rules';
export const kinds = ({ outcomes }: CycleReport): string[] =>
  outcomes.filter(({ change }) => !isOfTrigger(change)).map(({ change, result }) => (result === 'applied' ? change.kind : `${change.kind} ${result}`));
export const said = ({ notices }: CycleReport): string[] => notices.map(({ kind, subject, message }) => `${kind}: ${subject}: ${message}`);
export const logsIn = async (user: string, password: string): Promise<boolean> => {
  try {
    await (await at.server.client('postgres', { user, password })).end();
    return true;
  } catch {
    return false;
  }
};
export const ledger = (...names: string[]) =>
  at.server.query<{ name: string; same: boolean }>(
    `SELECT m.name, m.origin, m.oid = r.oid AS same FROM pgsteward.managed_role m LEFT JOIN pg_roles r ON r.rolname = m.name WHERE m.name IN (${names.map(literal).join(', ')}) ORDER BY 1`,
  );
/** Nothing is left to do, and nothing is written to find that out. */
export async function expectQuiet(result = 'converged'): Promise<void> {
  at.server.mark();
  expect((await at.steward.cycle()).result).toBe(result);
  expect(ddlOf(at.server.log())).toEqual([]);
}
