// A small change is planned in part, and the plan is that of everything: random changes by hand and in the document, on a real server, with both made and compared.
import { expect, it } from 'vitest';
import type { Woken } from '../../src/model/wake.ts';
import { identifier } from '../../src/sql/sql-text.ts';
import { Manifests } from '../support/daemon.ts';
import { serverForAll } from '../support/lifecycle.ts';
import type { Postgres } from '../support/postgres.ts';
import { scratch } from '../support/scratch.ts';
import { createSteward, type Steward } from '../support/steward.ts';

let server: Postgres;
let steward: Steward;
serverForAll(
  { fsync: 'off' },
  (started) => (server = started),
  () => steward,
);

const WOKEN: Woken = { causes: new Set(['document']), databases: new Set(), requests: 1, everything: false };
const USERS = Array.from({ length: 20 }, (_, index) => (index === 7 ? `u"7\n; DROP ROLE u1` : `u${index}`));
const TEAMS = ['t0', 't1', 't2', 'all'];

/** Users in teams, of which each is in `all`. */
const documentOf = (users: readonly object[]): object => ({ roles: ['t0', 't1', 't2'].map((name) => ({ name, memberOf: ['all'] })), users });
const usersNow = (more: Readonly<Record<string, object>> = {}): object[] =>
  USERS.map((username, index) => ({ username, password: 'none', roles: [`t${index % 3}`], ...more[username] }));

it('a small change is planned in part while it is small, and everything once the interval is over', async () => {
  steward = await createSteward(server, {}, new Manifests(), scratch('state'), undefined, false);
  const declare = (users: readonly object[]): void => steward.manifests.users(JSON.stringify(documentOf(users)));
  declare(usersNow());
  expect((await steward.cycle()).result).toBe('changed');
  expect((await steward.cycle()).unchanged).toBe(false);
  expect((await steward.cycle()).unchanged).toBe(true);
  await server.query('REVOKE t1 FROM u1');
  const mended = await steward.cycle(undefined, WOKEN);
  expect(mended.outcomes.map(({ change, result }) => [change.kind, result])).toEqual([['grant_membership', 'applied']]);
  // Nothing has changed since, and all of it is planned all the same, once.
  expect((await steward.cycle(undefined, WOKEN)).unchanged).toBe(true);
  expect((await steward.cycle()).unchanged).toBe(false);
  expect((await steward.cycle()).unchanged).toBe(true);
  await server.query(`ALTER ROLE t0 SUPERUSER`);
  const refused = await steward.cycle(undefined, WOKEN);
  const subjects = ({ notices }: typeof refused): string[] => notices.map(({ kind, subject }) => `${kind} ${subject}`).toSorted();
  expect(subjects(refused)).toContain('refused t0');
  expect(subjects(await steward.cycle())).toEqual(subjects(refused));
});

it('whatever is changed by hand or in the document, a part of the plan says what the plan of everything does', async () => {
  steward = await createSteward(server);
  const any = seeded(20_261_128);
  const one = <T>(list: readonly T[]): T => list[any(list.length)] as T;
  const name = (list: readonly string[]): string => identifier(one(list));
  const more: Record<string, object> = {};
  let without = '';
  const declare = (extra: readonly object[] = []): void =>
    steward.manifests.users(JSON.stringify(documentOf([...usersNow(more).filter((_, index) => USERS[index] !== without), ...extra])));
  declare();
  expect((await steward.cycle()).error).toBeUndefined();
  const byHand = [
    () => `REVOKE ${name(TEAMS)} FROM ${name(USERS)}`,
    () => `GRANT ${name(TEAMS)} TO ${name(USERS)}`,
    () => `GRANT ${name(TEAMS)} TO ${name(USERS)} WITH ADMIN OPTION`,
    () => `GRANT ${name(USERS)} TO ${name(USERS)}`,
    () => `GRANT pg_monitor TO ${name(TEAMS)}`,
    () => `GRANT postgres TO ${name(USERS)}`,
    () => `GRANT ${name(TEAMS)} TO bystander`,
    () => `GRANT bystander TO ${name(TEAMS)}`,
    () => `ALTER ROLE ${name([...TEAMS, ...USERS])} ${one(['CREATEROLE', 'BYPASSRLS', 'SUPERUSER', 'NOLOGIN', 'CONNECTION LIMIT 3', 'REPLICATION'])}`,
    () => `ALTER ROLE ${name(USERS)} SET work_mem = '5MB'`,
    () => `COMMENT ON ROLE ${name(USERS)} IS 'by hand'`,
    () => `ALTER ROLE ${name(USERS)} RENAME TO renamed`,
    () => `DROP ROLE ${name(USERS)}`,
    () => `GRANT CONNECT ON DATABASE postgres TO ${name(USERS)} WITH GRANT OPTION`,
    () => `REVOKE CONNECT ON DATABASE postgres FROM ${name(USERS)}`,
    () => `UPDATE pgsteward.managed_role SET origin = 'adopted' WHERE name = '${one(['t0', 'u1', 'u2'])}'`,
    () => `UPDATE pgsteward.managed_role SET source = 'other/one' WHERE name = '${one(['t1', 'u3', 'u4'])}'`,
    () => 'ALTER ROLE bystander CREATEROLE',
  ];
  await server.query('CREATE ROLE bystander');
  for (let step = 0; step < STEPS; step += 1) {
    if (any(3) === 0) {
      more[one(USERS)] = one([
        {},
        { roles: ['t0', 't2'] },
        { roles: [] },
        { comment: 'said' },
        { roles: ['u2'] },
        { connectionLimit: 4 },
        { roles: ['bystander'] },
      ]);
      delete more['u2'];
      // One that others may name.
      without = any(3) === 0 ? 'u2' : '';
      declare(any(2) === 0 ? [] : [{ username: `new-${step}`, password: 'none', roles: [one(TEAMS)] }]);
    } else await server.query(one(byHand)()).catch(() => undefined);
    const { error } = await steward.cycle(undefined, any(4) === 0 ? undefined : WOKEN);
    expect(error?.message).toBeUndefined();
    // What nobody may mend would be said from then on, and nothing planned in part.
    await server.query(`ALTER ROLE renamed RENAME TO renamed_${step}`).catch(() => undefined);
    for (const role of [...TEAMS, ...USERS]) await server.query(`ALTER ROLE ${identifier(role)} NOSUPERUSER NOREPLICATION`).catch(() => undefined);
    await server.query(
      `UPDATE pgsteward.managed_role SET source = (SELECT min(source) FROM pgsteward.managed_role WHERE source <> 'other/one') WHERE source = 'other/one'`,
    );
    await server.query('ALTER ROLE bystander NOCREATEROLE');
  }
});

const STEPS = Number(process.env['COUNT'] ?? 10);

/** Numbers below a bound, the same in each run. */
function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
