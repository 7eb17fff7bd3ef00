// A server that was moved: what was recorded on another one is found again by what the roles themselves show, or waits to be told, and is never forgotten.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { CycleReport } from '../../src/steward/report.ts';
import { createAnnouncer } from '../../src/observe/announcements.ts';
import { copyByHand, copyLedger } from '../support/moving.ts';
import { ddlOf, createSteward, resetServer, type Steward } from '../support/steward.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';

let before: Postgres;
let after: Postgres;
let steward: Steward;
beforeAll(async () => {
  before = await startPostgres();
  after = await startPostgres({ fresh: true });
});
afterAll(async () => {
  await before.stop();
  await after.stop();
});

const USERS = [{ username: 'alice', roles: ['team'] }, { username: 'bob' }, { username: 'gone' }];
const LEFT = USERS.slice(0, 2);

beforeEach(async () => {
  steward = await createSteward(before);
  steward.manifests.users(USERS);
  steward.manifests.secrets(new Map(USERS.map(({ username }) => [username, `the password of ${username}`])));
  await steward.cycle();
});
afterEach(async () => {
  await steward.close();
  for (const server of [before, after]) {
    await server.query('DROP TABLE IF EXISTS public.padding');
    await resetServer(server);
  }
});

/** What a process on the other server is, with the state file of before or none; `gone` has left the document meanwhile. */
async function goOn(server: Postgres, env: Record<string, string> = {}, keepsState = false): Promise<void> {
  const { manifests, config } = steward;
  steward = keepsState ? await createSteward(server, env, manifests, dirname(config.stateFile)) : await createSteward(server, env, manifests);
  manifests.users(LEFT);
}
const identifier = async (server: Postgres): Promise<string> =>
  (await server.query<{ id: string }>('SELECT system_identifier::text AS id FROM pg_control_system()'))[0]?.id ?? '';
const logins = async (server: Postgres): Promise<string[]> =>
  (await server.query<{ name: string }>(`SELECT rolname AS name FROM pg_roles WHERE rolcanlogin AND rolname NOT IN ('postgres', 'adm') ORDER BY 1`)).map(
    ({ name }) => name,
  );
const ledger = (server: Postgres) =>
  server.query<{ name: string; origin: string; same: boolean }>(
    `SELECT m.name, m.origin, m.oid = r.oid AS same FROM pgsteward.managed_role m LEFT JOIN pg_roles r ON r.rolname = m.name ORDER BY 1`,
  );
/** What a plan does about roles as such. */
const aboutRoles = ({ planned }: CycleReport): string[] =>
  planned.flatMap(({ kind }) => (['recognise_roles', 'adopt_role', 'forget_role', 'create_role', 'disable_role', 'drop_role'].includes(kind) ? [kind] : []));
const OURS = [
  { name: 'alice', origin: 'created', same: true },
  { name: 'bob', origin: 'created', same: true },
  { name: 'team', origin: 'created', same: true },
];

it('roles that have the passwords that we gave them are the same, with those that came with them: they stay what they were, and who left is removed', async () => {
  await copyByHand(before, after);
  await goOn(after);
  const report = await steward.cycle();
  const [first] = report.planned;
  expect(first).toMatchObject({ kind: 'recognise_roles', from: await identifier(before), by: 'passwords', names: ['alice', 'bob', 'gone', 'team'] });
  expect(await ledger(after)).toEqual(OURS);
  expect(await logins(after)).toEqual(['alice', 'bob']);
  expect(aboutRoles(report)).toEqual(['recognise_roles', 'disable_role', 'drop_role']);
  expect(await after.query(`SELECT object, why <> '' AS said FROM pgsteward.audit_log WHERE change = 'recognise_roles'`)).toEqual([
    { object: `4 role(s) of the server ${await identifier(before)}`, said: true },
  ]);
  expect(createAnnouncer()(report).find(({ reason }) => reason === 'Moved')?.note).toContain('recognise 4 role(s) that were recorded on the server');
  after.mark();
  expect((await steward.cycle()).result).toBe('converged');
  expect(ddlOf(after.log())).toEqual([]);
});

it('a dry run says so and writes nothing', async () => {
  await copyByHand(before, after);
  await goOn(after, { DRY_RUN: 'true' });
  after.mark();
  const report = await steward.cycle();
  expect(aboutRoles(report)).toEqual(['recognise_roles', 'disable_role', 'drop_role']);
  expect(ddlOf(after.log())).toEqual([]);
});

it('the ledger alone, on a server where others have roles of these names, makes none of them ours: they stay as they are, and it is said what to do', async () => {
  await after.query(`CREATE ROLE alice LOGIN PASSWORD 'of another alice'; CREATE ROLE gone LOGIN PASSWORD 'of another one'; CREATE ROLE team CREATEDB`);
  await copyLedger(before, after);
  await goOn(after);
  const roles = `SELECT rolname, rolcanlogin, rolcreatedb, rolpassword FROM pg_authid WHERE rolname IN ('alice', 'gone', 'team') ORDER BY 1`;
  const as = await after.query(roles);
  const report = await steward.cycle();
  await steward.cycle();
  expect(await after.query(roles)).toEqual(as);
  expect((await ledger(after)).map(({ name, origin, same }) => `${name} ${origin} ${same}`)).toEqual([
    'alice created false',
    'bob created true',
    'gone created false',
    'team created false',
  ]);
  expect(report.result).toBe('incomplete');
  const whole = report.notices.find(({ kind, subject }) => kind === 'cannot' && subject === '');
  expect(whole?.message).toContain(`3 role(s) of these names here are the same (alice, gone, team), so none of them is changed, removed or forgotten`);
  expect(whole?.message).toContain(`set MOVED_FROM=${await identifier(before)}`);
  expect(report.notices.filter(({ subject }) => subject === 'gone').map(({ kind }) => kind)).toEqual(['kept']);
  expect(createAnnouncer()(report).find(({ reason }) => reason === 'Cannot')?.note).toContain('MOVED_FROM');
  // Somebody else's word for another server is none for this one.
  steward = await steward.restart({ MOVED_FROM: '1' });
  await steward.cycle();
  expect(await after.query(roles)).toEqual(as);
});

it('what the operator says is somebody else is forgotten, and not remembered again from the state file', async () => {
  await after.query(`CREATE ROLE gone LOGIN PASSWORD 'of another one'`);
  await copyLedger(before, after);
  await goOn(after, {}, true);
  await steward.cycle();
  await after.query(`DELETE FROM pgsteward.managed_role WHERE name = 'gone'`);
  expect((await steward.cycle()).result).toBe('converged');
  steward = await steward.restart();
  expect((await steward.cycle()).result).toBe('converged');
  expect(await ledger(after)).toEqual(OURS);
  expect(await logins(after)).toEqual(['alice', 'bob', 'gone']);
});

it('what the state file knows and nobody wants is forgotten once, with a reason', async () => {
  await before.query('DROP SCHEMA pgsteward CASCADE; DROP OWNED BY gone; DROP ROLE gone; CREATE ROLE gone LOGIN');
  await goOn(before, {}, true);
  steward.manifests.users('users: []\nallowEmpty: true\n');
  const report = await steward.cycle();
  expect(report.outcomes.flatMap(({ change }) => (change.kind === 'forget_role' ? [change] : []))).toMatchObject([
    { role: 'gone', reason: 'somebody dropped it and made another role of this name' },
  ]);
  expect(report.notices.filter(({ kind }) => kind === 'not_converging')).toEqual([]);
  expect(await logins(before)).toEqual(['gone']);
});

it('where the database comes before the roles, nobody is forgotten meanwhile', async () => {
  await copyLedger(before, after);
  // The OID of one that is away may be anybody's here.
  await after.query(`CREATE ROLE innocent LOGIN; UPDATE pgsteward.managed_role SET oid = 'innocent'::regrole WHERE name = 'gone'`);
  await goOn(after);
  const report = await steward.cycle();
  const [kept] = report.notices.flatMap(({ kind, subject, message }) => (subject === 'gone' ? [`${kind}: ${message}`] : []));
  expect(kept).toMatch(/^kept: .* no role that was is here yet/);
  expect((await ledger(after)).map(({ name }) => name)).toEqual(['alice', 'bob', 'gone', 'team']);
  const [{ verifier } = { verifier: '' }] = await before.query<{ verifier: string }>(`SELECT rolpassword AS verifier FROM pg_authid WHERE rolname = 'gone'`);
  await after.query(`CREATE ROLE gone LOGIN PASSWORD '${verifier}'`);
  await steward.cycle();
  expect(await logins(after)).toEqual(['alice', 'bob', 'innocent']);
  expect(await ledger(after)).toEqual(OURS);
});

it('one that did not come along with the others is forgotten with that reason, and so is one that the operator expects no longer', async () => {
  await copyByHand(before, after, { keep: (role) => role !== 'gone' });
  await goOn(after);
  const reasons = (await steward.cycle()).planned.flatMap((change) => (change.kind === 'forget_role' ? [`${change.role}: ${change.reason}`] : []));
  expect(reasons).toEqual([`gone: it did not come along from the server ${await identifier(before)}`]);
  expect(await ledger(after)).toEqual(OURS);
  await after.query('DROP SCHEMA pgsteward CASCADE');
  await copyLedger(before, after);
  await after.query("DELETE FROM pgsteward.managed_role WHERE name <> 'gone'");
  steward = await steward.restart({ MOVED_FROM: await identifier(before) });
  expect(aboutRoles(await steward.cycle())).toContain('forget_role');
});

it('without passwords to compare everything waits until the operator says that it is the same server', async () => {
  await copyByHand(before, after, { passwords: false });
  await goOn(after);
  await steward.cycle();
  expect(await logins(after)).toEqual(['alice', 'bob', 'gone']);
  expect((await ledger(after)).map(({ name, same }) => [name, same])).toEqual([
    ['alice', false],
    ['bob', false],
    ['gone', false],
    ['team', false],
  ]);
  steward = await steward.restart({ MOVED_FROM: await identifier(before) });
  const report = await steward.cycle();
  expect(report.planned[0]).toMatchObject({ kind: 'recognise_roles', by: 'word', names: ['alice', 'bob', 'gone', 'team'] });
  expect(await ledger(after)).toEqual(OURS);
  expect(await logins(after)).toEqual(['alice', 'bob']);
  expect((await steward.cycle()).result).toBe('converged');
});

it('one with another password than ours waits alone, and holds up nobody', async () => {
  await copyByHand(before, after);
  await after.query(`ALTER ROLE gone PASSWORD 'its own'`);
  await goOn(after);
  await steward.cycle();
  expect((await ledger(after)).map(({ name, same }) => [name, same])).toEqual([
    ['alice', true],
    ['bob', true],
    ['gone', false],
    ['team', true],
  ]);
  expect(await logins(after)).toEqual(['alice', 'bob', 'gone']);
  steward = await steward.restart({ MOVED_FROM: await identifier(before) });
  await steward.cycle();
  expect(await logins(after)).toEqual(['alice', 'bob']);
});

it('an admin without superuser waits as well, and needs no right to be told', async () => {
  await steward.close();
  await resetServer(before);
  const adm = { user: 'adm', password: 'the password of adm' };
  const create = `CREATE ROLE adm LOGIN CREATEROLE PASSWORD '${adm.password}'; GRANT CREATE ON DATABASE postgres TO adm`;
  await before.query(create);
  steward = await createSteward(before, { DB_USER: adm.user, DB_PASS: adm.password });
  steward.manifests.users(USERS);
  steward.manifests.secrets(new Map(USERS.map(({ username }) => [username, `the password of ${username}`])));
  await steward.cycle();
  await after.query(create);
  await copyByHand(before, after, { keep: (role) => role !== 'adm', owner: adm });
  // From 16 on only who has ADMIN on a role may do anything about it; a dump brings that along.
  await after.query('GRANT alice, bob, gone, team TO adm WITH ADMIN OPTION');
  const env = { DB_USER: adm.user, DB_PASS: adm.password };
  await goOn(after, env);
  expect((await steward.cycle()).notices.find(({ subject }) => subject === '')?.message).toContain('MOVED_FROM');
  expect(await logins(after)).toEqual(['alice', 'bob', 'gone']);
  steward = await steward.restart({ MOVED_FROM: await identifier(before) });
  await steward.cycle();
  expect(await ledger(after)).toEqual(OURS);
  expect(await logins(after)).toEqual(['alice', 'bob']);
  await after.query('REVOKE CREATE ON DATABASE postgres FROM adm');
  await before.query('REVOKE CREATE ON DATABASE postgres FROM adm');
});

it('a state file beside a server that has no ledger of it is asked in the same way', async () => {
  await copyByHand(before, after);
  await after.query('DROP SCHEMA pgsteward CASCADE; ALTER TABLE public.padding OWNER TO gone');
  await goOn(after, {}, true);
  const report = await steward.cycle();
  expect(aboutRoles(report)).toEqual(['recognise_roles', 'create_role', 'disable_role', 'drop_role']);
  // What it owned has an heir.
  expect((await ledger(after)).filter(({ name }) => !name.startsWith('pgsteward_heir_'))).toEqual(OURS);
  expect(await logins(after)).toEqual(['alice', 'bob']);
  expect((await steward.cycle()).result).toBe('converged');
});

it('a state file that is brought to a server of others makes none of their roles ours, and is not forgotten', async () => {
  await after.query(`CREATE ROLE gone LOGIN PASSWORD 'of another one'`);
  await goOn(after, {}, true);
  await steward.cycle();
  expect(await logins(after)).toEqual(['alice', 'bob', 'gone']);
  expect((await ledger(after)).find(({ name }) => name === 'gone')).toEqual({ name: 'gone', origin: 'created', same: false });
  expect(readFileSync(steward.config.stateFile, 'utf8')).toContain('"gone"');
});

it('on the same server another OID still means another role, were it all of them', async () => {
  await before.query(
    'DROP OWNED BY alice, bob, gone, team; DROP ROLE alice, bob, gone, team; CREATE ROLE alice LOGIN; CREATE ROLE bob LOGIN; CREATE ROLE gone LOGIN; CREATE ROLE team',
  );
  await goOn(before);
  const report = await steward.cycle();
  expect(aboutRoles(report)).toEqual(['adopt_role', 'adopt_role', 'adopt_role', 'forget_role']);
  expect(await logins(before)).toEqual(['alice', 'bob', 'gone']);
});

it('a role that is to be adopted is not recorded as made by us before it is adopted', async () => {
  await before.query('DROP OWNED BY bob; DROP ROLE bob; CREATE ROLE bob LOGIN');
  // Nothing more is written from the moment on at which the record is about the role that is there now.
  await steward.cycle(`SELECT 1 / (1 - count(*)) FROM pgsteward.managed_role m JOIN pg_roles r ON r.oid = m.oid WHERE m.name = 'bob'`);
  expect((await ledger(before)).find(({ name }) => name === 'bob')).toEqual({ name: 'bob', origin: 'adopted', same: true });
});

it.each([
  ['stays as it is, and learns where it is', false],
  ['is recognised by passwords', true],
])('a ledger of an older version, that knows of no server, %s', async (_, moves) => {
  await before.query('UPDATE pgsteward.managed_role SET server = NULL, ledger = NULL');
  if (moves) await copyByHand(before, after);
  const server = moves ? after : before;
  await goOn(server);
  const report = await steward.cycle();
  expect(aboutRoles(report)).toEqual([...(moves ? ['recognise_roles'] : []), 'disable_role', 'drop_role']);
  expect(await ledger(server)).toEqual(OURS);
  expect(await server.query('SELECT DISTINCT server FROM pgsteward.managed_role')).toEqual([{ server: await identifier(server) }]);
});

it('a ledger that was put back from an older backup on the same server forgets nobody that the state file knows', async () => {
  const backup = await before.query(`SELECT coalesce(jsonb_agg(m), '[]') AS rows FROM pgsteward.managed_role m`);
  steward.manifests.users([...USERS, { username: 'later' }, { username: 'later-still' }]);
  steward.manifests.secret('later', 'the password of later');
  steward.manifests.secret('later-still', 'the password of later-still');
  await steward.cycle();
  await before.query('ALTER TABLE pgsteward.managed_role RENAME TO old');
  await before.query(
    `CREATE TABLE pgsteward.managed_role (LIKE pgsteward.old INCLUDING ALL); DROP TABLE pgsteward.old;
     INSERT INTO pgsteward.managed_role SELECT * FROM jsonb_populate_recordset(NULL::pgsteward.managed_role, '${JSON.stringify(backup[0]?.['rows']).replaceAll("'", "''")}')`,
  );
  await goOn(before, {}, true);
  steward.manifests.users([...LEFT, { username: 'later' }]);
  const report = await steward.cycle();
  expect(aboutRoles(report)).not.toContain('adopt_role');
  expect(await logins(before)).toEqual(['alice', 'bob', 'later']);
  expect((await ledger(before)).map(({ name, origin }) => [name, origin])).toContainEqual(['later', 'created']);
});

it('where the identifier cannot be read, the ledger itself shows that it was moved, and nothing fails', async () => {
  const files = [before, after].map(({ dataDir }) => join(dataDir, 'global/pg_control'));
  const contents = files.map((file) => readFileSync(file));
  // The server holds what it needs of it in memory; who asks for the file itself hears of a wrong checksum.
  for (const [index, file] of files.entries())
    writeFileSync(
      file,
      (contents[index] ?? Buffer.alloc(0)).map((byte, at) => (at === 8 ? byte ^ 1 : byte)),
    );
  try {
    await expect(identifier(before)).rejects.toThrow(/checksum/);
    steward = await steward.restart();
    before.mark();
    for (const users of [USERS, [...USERS, { username: 'dave', login: false }], USERS]) {
      steward.manifests.users(users);
      expect((await steward.cycle()).error).toBeUndefined();
    }
    expect(before.log().match(/ERROR: .*checksum/g)?.length).toBe(1);
    await copyByHand(before, after);
    await goOn(after);
    expect(aboutRoles(await steward.cycle())).toEqual(['recognise_roles', 'disable_role', 'drop_role']);
    expect(await ledger(after)).toEqual(OURS);
  } finally {
    for (const [index, file] of files.entries()) writeFileSync(file, contents[index] ?? '');
  }
});
