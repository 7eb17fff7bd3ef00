// A dry run of an unchanged plan says the same lines in the same order, whichever password was judged first and however the server keeps its rows.
import { expect, it } from 'vitest';
import { planLines } from '../../src/changes/plan-lines.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  { fsync: 'off' },
  (started) => (server = started),
  () => steward,
);

const numbered = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, index) => `${prefix}${index}`);
const [STAY, LEAVE, ROLES] = [numbered('stays', 60), numbered('leaves', 40), numbered('role', 10)];

it('with many passwords, memberships and removals', async () => {
  await server.query('CREATE DATABASE shop');
  steward = await createSteward(server, { MAX_DELETIONS: '100' });
  const passwords = (value: string): void => steward.manifests.secrets(new Map([...STAY, ...LEAVE].map((name, index) => [name, `${value} ${index}`])));
  const roles = (from: number): string[] => ROLES.filter((_, index) => index % 2 === from);
  passwords('first');
  steward.manifests.users([...STAY, ...LEAVE].map((username) => ({ username, roles: roles(0) })));
  expect((await steward.cycle()).result).toBe('changed');
  for (const name of LEAVE) await server.query(`CREATE TABLE of_${name} (id int); ALTER TABLE of_${name} OWNER TO ${name}`, 'shop');
  passwords('second');
  steward.manifests.users(STAY.map((username) => ({ username, roles: roles(1) })));
  steward = await steward.restart({ DRY_RUN: 'true' });
  const lines = async (): Promise<readonly string[]> => planLines((await steward.cycle()).planned);
  const first = await lines();
  expect([first.length > 100, first.filter((line) => line.includes('password')).length > 0]).toEqual([true, true]);
  for (const names of [[...STAY, ...LEAVE], [...LEAVE, ...STAY].toReversed(), [...STAY.filter((_, index) => index % 3 > 0), ...LEAVE.toReversed()]]) {
    expect(await lines()).toEqual(first);
    // The rows are somewhere else.
    for (const name of names) await server.query(`ALTER ROLE ${name} CONNECTION LIMIT 1; ALTER ROLE ${name} CONNECTION LIMIT -1`);
    await server.query('VACUUM FULL pg_authid');
    await server.query('VACUUM FULL pg_auth_members');
    await server.query('VACUUM FULL pg_shdepend');
    steward = await steward.restart();
    expect(await lines()).toEqual(first);
  }
});
