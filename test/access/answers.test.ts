// explain, who-can and what-can on a snapshot, and on the state after a plan: what they answer is what they answer on the server itself.
import { writeFileSync } from 'node:fs';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { definersIn, findObject, securableGroups } from '../../src/access/find.ts';
import { realmIn } from '../../src/access/state.ts';
import { explanationData, whoCanData } from '../../src/explain/as-data.ts';
import { secondWays, throughOf } from '../../src/explain/definers.ts';
import { explain } from '../../src/explain/explain.ts';
import type { SecurableGroup } from '../../src/explain/what-can.ts';
import { whatCan } from '../../src/explain/what-can.ts';
import { whoCan } from '../../src/explain/who-can.ts';
import { LIMITS } from '../../src/model/limits.ts';
import { privilegesOf } from '../../src/model/kinds.ts';
import { readBeside } from '../../src/postgres/read-beside.ts';
import { readDefiners } from '../../src/postgres/read-definers.ts';
import { readGroups, readSharedGroups } from '../../src/postgres/read-groups.ts';
import { inRealm } from '../../src/postgres/read-realm.ts';
import { readObject } from '../../src/postgres/read-securable.ts';
import { SMALL } from '../../src/postgres/transaction.ts';
import { accessInSnapshot } from '../../src/snapshot/access.ts';
import { readSnapshot } from '../../src/snapshot/format.ts';
import { type Called, callHere } from '../commands/call.ts';
import { dropServer, quoted, randomServer } from '../explain/random-access.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { scratch } from '../support/scratch.ts';

const SERVERS = Number(process.env['EXPLAIN_SERVERS'] ?? 2);

let postgres: Postgres;
let admin: pg.Client;
const folder = scratch('answers');
const call = (args: readonly string[], stdin = ''): Promise<Called> =>
  callHere(args, stdin, {
    DB_HOST: postgres.host,
    DB_PORT: String(postgres.port),
    DB_USER: postgres.user,
    DB_PASS: postgres.password,
    DB_SSLMODE: 'disable',
    STATE_FILE: `${folder}/state.json`,
  });

beforeAll(async () => {
  postgres = await startPostgres({ settings: { log_statement: 'none', log_min_messages: 'panic' } });
  admin = await postgres.client();
});
afterAll(async () => {
  await admin.end();
  await postgres.stop();
});

/** A snapshot, as it is read again. */
async function snapshotAccess() {
  const { stdout, code, stderr } = await call(['snapshot']);
  expect(code, stderr).toBe(0);
  const access = accessInSnapshot(readSnapshot(Buffer.from(stdout)));
  if (access === undefined) throw new Error('it tells of no access');
  expect([...access.unread]).toEqual([]);
  return access.state;
}

const sorted = <T>(items: readonly T[]): readonly T[] => items.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));

/** Of the one path that is told, how long it is: of several that are as short, the first that was read is told. */
const lengthOf = (path: unknown): unknown =>
  typeof path === 'object' && path !== null && 'chain' in path && Array.isArray(path.chain) ? path.chain.length : path;

/** Whatever order a server gives its objects in. */
const unordered = (value: unknown): unknown =>
  Array.isArray(value)
    ? sorted(value.map(unordered))
    : typeof value === 'object' && value !== null
      ? Object.fromEntries(Object.entries(value).map(([key, one]) => [key, key === 'chain' ? one : key === 'path' ? lengthOf(one) : unordered(one)]))
      : value;

it.each(Array.from({ length: SERVERS }, (_, index) => index + 101))(
  'on a snapshot every role, object and privilege has the answer of the live server: random server %i',
  async (seed) => {
    const server = await randomServer(admin, (database) => postgres.client(database), seed, postgres.major);
    const client = await postgres.client(server.database);
    try {
      const [owner, reader] = [quoted(server.roles[0] ?? ''), quoted(server.roles[1] ?? '')];
      await client.query(
        `CREATE TABLE public.rows (id int, "C|c" text); ALTER TABLE public.rows ENABLE ROW LEVEL SECURITY; CREATE POLICY "p|1" ON public.rows FOR SELECT TO ${reader}; CREATE POLICY p2 ON public.rows TO PUBLIC;
         ALTER TABLE public.rows OWNER TO ${owner}; REVOKE SELECT ON public.rows FROM ${owner}; GRANT SELECT ON public.rows TO ${reader};
         CREATE VIEW public.over AS SELECT id FROM public.rows; CREATE VIEW public."Over it" AS SELECT * FROM public.over; CREATE MATERIALIZED VIEW public.copy AS SELECT 1 AS x FROM public.rows;
         CREATE FUNCTION public.definer("a b" int, text[]) RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'; GRANT SELECT ON public."Over it" TO ${reader}`,
      );
      const state = await snapshotAccess();
      const own = { kind: 'table', database: server.database, schema: 'public', name: 'rows' } as const;
      let compared = 0;
      await inRealm(client, SMALL, async (live) => {
        const realm = realmIn(state, server.database);
        const everybody = [...server.roles, 'public', 'postgres', 'pg_database_owner', 'pg_read_all_data'];
        for (const reference of [...server.objects, own, { ...own, kind: 'column' as const, column: 'C|c' }].filter(
          ({ schema }) => schema?.startsWith('pg_') !== true,
        )) {
          const found = await readObject(client, server.database, reference, live.major);
          const kept = findObject(state, server.database, reference);
          expect(kept.object).toEqual(found.object);
          expect(kept.around).toEqual(found.around);
          const definers = found.isRelation ? await readDefiners(client, found.oid) : undefined;
          const keptDefiners = kept.relation === undefined ? undefined : definersIn(state, server.database, kept.relation);
          for (const privilege of privilegesOf(found.object.kind, live.major)) {
            for (const role of everybody) {
              const [a, b] = [
                explain({ realm: live, role, privilege, ...found, definers }),
                explain({ realm, role, privilege, ...kept, definers: keptDefiners }),
              ];
              expect(unordered(explanationData(b))).toEqual(unordered(explanationData(a)));
              compared += 1;
            }
            const told = (of: typeof live, { object, around }: typeof kept | typeof found, through: typeof definers) => {
              const who = whoCan(of, object, privilege, around);
              const ways = through === undefined ? [] : secondWays(of, object, privilege, through).map((way) => throughOf(of, way, who));
              return whoCanData({ privilege, object, database: server.database, who, ways, more: through?.more === true, remarks: around.remarks });
            };
            expect(unordered(told(realm, kept, keptDefiners))).toEqual(unordered(told(live, found, definers)));
          }
        }
        const lines = (of: typeof live, role: string, groups: readonly SecurableGroup[]) => unordered(whatCan(of, role, groups));
        const [here, shared] = [await readGroups(client), await readSharedGroups(client, live.major)];
        for (const role of everybody) {
          expect(lines(realm, role, securableGroups(state.databases.get(server.database)?.groups ?? []))).toEqual(lines(live, role, here));
          expect(lines(realm, role, securableGroups(state.shared))).toEqual(lines(live, role, shared));
        }
      });
      console.log(`server ${seed}: ${compared} answers`);
      expect(compared).toBeGreaterThan(500);
    } finally {
      await client.end();
      await dropServer(admin, server);
    }
  },
);

it('as many functions as are looked at beside ACLs are read, and one more is said to be too many', async () => {
  await postgres.query('CREATE DATABASE many');
  const client = await postgres.client('many');
  const make = (from: number, to: number) =>
    client.query(
      `DO $$ BEGIN FOR i IN ${from}..${to} LOOP EXECUTE format('CREATE FUNCTION f%s() RETURNS int LANGUAGE sql SECURITY DEFINER AS ''SELECT 1''', i); END LOOP; END $$`,
    );
  try {
    await make(1, LIMITS.besideItems);
    const most = await readBeside(client, SMALL);
    expect([most.definers.length, most.more]).toEqual([LIMITS.besideItems, false]);
    await make(LIMITS.besideItems + 1, LIMITS.besideItems + 1);
    const more = await readBeside(client, SMALL);
    expect([more.definers.length, more.more]).toEqual([LIMITS.besideItems, true]);
  } finally {
    await client.end();
    await postgres.query('DROP DATABASE many');
  }
});

describe('as somebody calls it', () => {
  const EVIL = 'e"v|i\nl';
  let snapshot = '';
  const document = `${folder}/users.json`;
  beforeAll(async () => {
    await postgres.query(`CREATE ROLE boss; CREATE ROLE old LOGIN; CREATE ROLE ${quoted(EVIL)} LOGIN; CREATE ROLE carol LOGIN`);
    await postgres.query('CREATE DATABASE hr OWNER boss');
    await postgres.query(
      `SET ROLE boss; CREATE SCHEMA pay; CREATE TABLE pay.payroll (id int, salary int); CREATE FUNCTION pay.f(int, "char") RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE VIEW pay.v AS SELECT id FROM pay.payroll;
       GRANT USAGE ON SCHEMA pay TO PUBLIC; GRANT SELECT ON pay.payroll TO old, ${quoted(EVIL)}; GRANT SELECT ON pay.v TO carol`,
      'hr',
    );
    snapshot = (await call(['snapshot'])).stdout;
    writeFileSync(
      document,
      JSON.stringify({
        users: [
          { username: 'mallory', roles: ['readers'] },
          { username: 'oldest', renamedFrom: 'old', grants: [] },
        ],
        roles: [{ name: 'readers', grants: [{ database: 'hr', schemas: ['pay'], tables: { payroll: ['SELECT'] } }] }],
      }),
    );
  });

  it.each([
    ['explain', 'old', 'SELECT', 'hr.pay.payroll'],
    ['explain', 'carol', 'SELECT', 'hr.pay.payroll'],
    ['explain', `"e""v|i\nl"`, 'EXECUTE', 'function hr.pay.f(int4, "char")'],
    ['explain', 'boss', 'SELECT', 'column hr.pay.payroll.salary'],
    ['who-can', 'SELECT', 'hr.pay.payroll', '--via-definer'],
    ['who-can', 'CONNECT', 'database hr'],
    ['what-can', 'old'],
    ['what-can', 'boss', '--in', 'hr'],
  ])('%s %s %s on a snapshot is as on the server', async (...args) => {
    const [live, kept] = [await call(args.filter((arg) => arg !== '')), await call([...args, '--snapshot', '-'], snapshot)];
    // Where it comes from, the ledger knows.
    const answer = (text: string): string => text.split(/\n(?:where it comes from|not known):/)[0] ?? '';
    expect(kept.stderr).toBe('');
    expect(kept.code).toBe(live.code);
    expect(live.stdout.startsWith(answer(kept.stdout).trimEnd())).toBe(true);
  });

  it('says who could not read before a plan, and who can no longer, on the server and on a snapshot', async () => {
    const args = ['who-can', 'SELECT', 'hr.pay.payroll', '--after-plan', '--document', document, '--without-secrets'];
    const live = await call(args);
    expect(live.stderr).toBe('');
    expect(live.stdout).toContain('mallory → readers: granted to readers by boss (new)');
    expect(live.stdout).toContain('who can no longer:\n  oldest: granted to itself by boss\n');
    expect(live.stdout).not.toMatch(/e""v.*\(new\)/);
    // Why the audit log is not asked is another reason.
    const withoutReason = (text: string): string => text.replace(/who granted what when: .*/, '');
    expect(withoutReason((await call([...args, '--snapshot', '-'], snapshot)).stdout)).toBe(withoutReason(live.stdout));
    const { roles, lost } = JSON.parse((await call([...args, '-o', 'json'])).stdout) as { roles: readonly object[]; lost: readonly object[] };
    expect(roles).toContainEqual(expect.objectContaining({ role: 'mallory', new: true }));
    expect(roles).toContainEqual(expect.objectContaining({ role: EVIL, new: false }));
    expect(lost).toMatchObject([{ role: 'oldest' }]);
  });

  it('explains what a plan would leave, also of roles that are to come, and what was before', async () => {
    const after = ['--after-plan', '--document', document, '--without-secrets'];
    const mallory = await call(['explain', 'mallory', 'SELECT', 'hr.pay.payroll', ...after]);
    expect(mallory.code).toBe(0);
    expect(mallory.stdout).toContain('yes: mallory has SELECT on hr.pay.payroll');
    expect(mallory.stdout).toContain('before the plan:\n  no\n');
    const old = await call(['explain', 'oldest', 'SELECT', 'hr.pay.payroll', ...after, '-o', 'json']);
    expect(old.code).toBe(2);
    expect(JSON.parse(old.stdout)).toMatchObject({ answer: 'no', before: 'yes', unknown: [] });
    const might = await call(['what-can', 'oldest', ...after]);
    expect(might.stdout).toContain('lost by the plan:\n  SELECT on table pay.payroll in database hr (granted to itself by boss)\n');
  });

  it.each([
    [['explain', 'old', 'SELECT', 'hr.pay.nothing', '--snapshot', '-'], 'there is no table, view or sequence pay.nothing'],
    [['explain', 'old', 'SELECT', 'column hr.pay.payroll.nothing', '--snapshot', '-'], 'there is no column nothing in it'],
    [['explain', 'old', 'SELECT', 'hr.pg_catalog.pg_authid', '--snapshot', '-'], "which is the server's own"],
    [['who-can', 'SELECT', 'nowhere.pay.payroll', '--snapshot', '-'], 'there is no database nowhere'],
    [['what-can', 'old', '--document', 'x.yaml'], '--document is about a plan'],
    [['who-can', 'SELECT', 'hr.pay.payroll', '--snapshot', '-', '--host', 'x'], 'cannot both be meant'],
    [['what-can', 'nobody', '--snapshot', '-'], 'there is no role nobody'],
    [['what-can', 'old', '--in', 'nowhere', '--snapshot', '-'], 'there is no database nowhere'],
    [['what-can', 'old', '--after-plan', '--document', '/nowhere/users.yaml', '--without-secrets'], 'cannot be read'],
  ])('refuses %j', async (args, said) => {
    expect(await call(args, snapshot)).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining(said) as string });
  });

  it('a snapshot of an older version, which tells of no access, is refused', async () => {
    const { catalog, ...rest } = JSON.parse(snapshot) as { catalog: { shared: readonly { owner: string; entries: readonly { grantee: string }[] }[] } };
    const shared = catalog.shared.map((group) => ({ ...group, entries: group.entries.filter(({ grantee }) => grantee !== group.owner) }));
    const older = JSON.stringify({ ...rest, catalog: { ...catalog, shared } });
    expect(await call(['what-can', 'old', '--snapshot', '-'], older)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('an older pgsteward took the snapshot') as string,
    });
  });
});
