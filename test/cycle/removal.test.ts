// Removal: only what is ours, only when a valid document no longer names it, never more than the breaker allows, and nothing is lost.
import { writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
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

const start = async (users: readonly object[], env: Record<string, string> = {}): Promise<void> => {
  steward = await createSteward(server, env);
  steward.manifests.users(users);
  steward.manifests.secrets(new Map(users.map((user) => [(user as { username: string }).username, 'p'])));
  await steward.cycle();
};
const exists = async (role: string): Promise<boolean> => (await server.query(`SELECT 1 FROM pg_roles WHERE rolname = '${role}'`)).length > 0;

it('a user that owns things in several databases goes; what it owned stays, with the heirs, and no session is left behind', async () => {
  await server.query('CREATE DATABASE app');
  await server.query('CREATE DATABASE other');
  await start([{ username: 'alice', database: 'app', databases: ['other', 'postgres'], roles: ['team'] }, { username: 'keeper' }]);
  await server.query(`CREATE ROLE third LOGIN; GRANT CREATE ON DATABASE app, other TO alice`);
  for (const database of ['app', 'other', 'postgres']) {
    await server.query(
      `CREATE SCHEMA mine AUTHORIZATION alice; SET ROLE alice; CREATE TABLE mine.t (id int); INSERT INTO mine.t VALUES (1); ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC; RESET ROLE;
      CREATE TABLE public.given (id int); GRANT SELECT ON public.given TO third WITH GRANT OPTION; SET ROLE third; GRANT SELECT ON public.given TO alice; RESET ROLE`,
      database,
    );
  }
  const session = await server.client('app', { user: 'alice', password: 'p' });
  const ended = new Promise((resolve) => session.once('end', resolve));
  steward.manifests.users([{ username: 'keeper' }]);
  const report = await steward.cycle();
  expect(report.outcomes.filter((outcome) => outcome.result !== 'applied')).toEqual([]);
  await ended;
  expect(await exists('alice')).toBe(false);
  expect(await exists('team')).toBe(false);
  for (const database of ['app', 'other', 'postgres']) expect(await server.query(`SELECT count(*)::int AS rows FROM mine.t`, database)).toEqual([{ rows: 1 }]);
  expect(
    await server.query(
      `SELECT max(id) = count(*) AS gapless, count(*) FILTER (WHERE outcome = 'intent') AS intents, count(intent) AS closed FROM pgsteward.audit_log`,
    ),
  ).toEqual([{ gapless: true, intents: '4', closed: '4' }]);
  expect((await steward.cycle()).result).toBe('converged');
  for (const database of ['app', 'other', 'postgres']) await server.query('DROP SCHEMA mine CASCADE; DROP TABLE public.given', database);
});

it('disable keeps the role without login, memberships and password, and naming it again brings it back', async () => {
  await start([{ username: 'alice', roles: ['team'] }, { username: 'keeper' }], { DELETION_POLICY: 'disable' });
  steward.manifests.users([{ username: 'keeper' }]);
  await steward.cycle();
  const read = () =>
    server.query(
      `SELECT rolcanlogin, rolpassword IS NULL AS cleared, (SELECT count(*)::int FROM pg_auth_members WHERE member = a.oid) AS memberships FROM pg_authid a WHERE rolname = 'alice'`,
    );
  expect(await read()).toEqual([{ rolcanlogin: false, cleared: true, memberships: 0 }]);
  await steward.cycle();
  steward.manifests.users([{ username: 'alice', roles: ['team'] }, { username: 'keeper' }]);
  await steward.cycle();
  expect(await read()).toEqual([{ rolcanlogin: true, cleared: false, memberships: 1 }]);
  expect((await steward.cycle()).result).toBe('converged');
});

it('retain lets the role be, and an adopted role is disabled unless its entry said drop', async () => {
  await server.query('CREATE ROLE old1 LOGIN; CREATE ROLE old2 LOGIN');
  await start([{ username: 'old1' }, { username: 'old2', deletionPolicy: 'drop' }, { username: 'free', deletionPolicy: 'retain' }, { username: 'keeper' }]);
  steward.manifests.users([{ username: 'keeper' }]);
  await steward.cycle();
  expect(await server.query(`SELECT rolname, rolcanlogin FROM pg_roles WHERE rolname IN ('old1', 'old2', 'free') ORDER BY 1`)).toEqual([
    { rolname: 'free', rolcanlogin: true },
    { rolname: 'old1', rolcanlogin: false },
  ]);
});

it('the breaker holds every removal when there are too many, and everything else goes on', async () => {
  const users = Array.from({ length: 8 }, (_, index) => ({ username: `user-${index}` }));
  await start(users);
  steward.manifests.users([{ username: 'user-0', connectionLimit: 3 }]);
  const report = await steward.cycle();
  expect(report.breakerTripped).toBe(true);
  expect(await exists('user-7')).toBe(true);
  expect(await server.query(`SELECT rolconnlimit FROM pg_roles WHERE rolname = 'user-0'`)).toEqual([{ rolconnlimit: 3 }]);
  steward = await steward.restart({ MAX_DELETIONS: '7' });
  expect((await steward.cycle()).breakerTripped).toBe(false);
  expect(await exists('user-7')).toBe(false);
});

it('nothing is removed on the word of a document that is missing, empty, broken or wrong somewhere', async () => {
  await start([{ username: 'alice' }, { username: 'keeper' }]);
  const secrets = new Map([['keeper', 'p']]);
  for (const document of [
    '',
    '[]',
    '{}',
    'users:',
    'users: []',
    'users: nobody',
    'users:\n  - username: keeper\n  - usrname: alice\n',
    'users:\n\t- username: keeper',
    '- username: keeper',
    'users: [{username: keeper}',
    '\0',
  ]) {
    steward.manifests.users(document);
    steward.manifests.secrets(secrets);
    const report = await steward.cycle();
    expect(report.problems.length, document).toBeGreaterThan(0);
    expect(await exists('alice'), document).toBe(true);
  }
  const restarted = await steward.restart();
  writeFileSync(`${restarted.manifests.folder}/configmap.yaml`, 'kind: ConfigMap\n');
  expect((await restarted.cycle()).result).toBe('waiting');
  steward = restarted;
  expect(await exists('alice')).toBe(true);
});

it('a role that somebody dropped and made again is not ours any more', async () => {
  await start([{ username: 'alice' }, { username: 'keeper' }]);
  await server.query('DROP OWNED BY alice; DROP ROLE alice; CREATE ROLE alice LOGIN');
  steward.manifests.users([{ username: 'keeper' }]);
  const report = await steward.cycle();
  expect(report.planned.map((change) => change.kind)).toEqual(['forget_role']);
  expect(await exists('alice')).toBe(true);
});

it('a role that users named is kept while somebody is in it or it holds something, and goes when it holds nothing', async () => {
  await start([{ username: 'alice', roles: ['team', 'empty'] }]);
  await server.query('CREATE ROLE guest; GRANT team TO guest');
  steward.manifests.users([{ username: 'alice' }]);
  const report = await steward.cycle();
  expect(report.notices).toEqual([expect.objectContaining({ kind: 'kept', subject: 'team' })]);
  expect(await exists('empty')).toBe(false);
  await server.query('DROP ROLE guest');
  await steward.cycle();
  expect(await exists('team')).toBe(false);
});

it('users of an old state file count as ours on first contact', async () => {
  await server.query(`CREATE ROLE gone LOGIN; CREATE ROLE alice LOGIN; CREATE ROLE foreign_one LOGIN`);
  steward = await createSteward(server);
  steward.manifests.users([{ username: 'alice' }]);
  steward.manifests.secret('alice', 'p');
  const old = {
    gone: { username: 'gone', database: 'postgres', roles: [], privileges: null },
    alice: { username: 'alice', database: 'postgres', roles: [], privileges: null },
  };
  writeFileSync(steward.config.stateFile, JSON.stringify(old));
  steward = await steward.restart();
  await steward.cycle();
  expect([await exists('gone'), await exists('alice'), await exists('foreign_one')]).toEqual([false, true, true]);
  expect((await steward.cycle()).result).toBe('converged');
});

it('heirs do not raise the number that one cycle may remove', async () => {
  const users = Array.from({ length: 12 }, (_, index) => ({ username: `u${index}` }));
  await start(users, {});
  await server.query(
    `DO $$ DECLARE heir text; BEGIN FOR i IN 1..28 LOOP heir := format('pgsteward_heir_%s', i); EXECUTE format('CREATE ROLE %I', heir);
       INSERT INTO pgsteward.managed_role (name, entity, origin, source, oid, status) SELECT heir, 'role', 'created', source, (SELECT oid FROM pg_roles WHERE rolname = heir), 'active'
       FROM pgsteward.managed_role WHERE name = 'u0'; END LOOP; END $$`,
  );
  steward.manifests.users(users.slice(0, 6));
  const report = await steward.cycle();
  expect(report.breakerTripped).toBe(true);
  expect(report.notices.find((notice) => notice.kind === 'breaker')?.message).toContain('6 of 12 roles would be removed in one cycle and the limit is 5');
});

it('a user whose name still stands in createdBy keeps its login, and that is said', async () => {
  const databases = (createdBy: readonly string[]): object => ({ databases: [{ name: 'postgres', createdBy }] });
  await start([{ username: 'alice' }, { username: 'keeper' }], {});
  steward.manifests.users(JSON.stringify({ users: [{ username: 'keeper' }], ...databases(['alice']) }));
  expect((await steward.cycle()).notices).toContainEqual(
    expect.objectContaining({ kind: 'kept', subject: 'alice', message: expect.stringContaining('createdBy') as string }),
  );
  steward.manifests.users(JSON.stringify({ users: [{ username: 'keeper' }], ...databases([]) }));
  await steward.cycle();
  expect(await server.query(`SELECT 1 FROM pg_roles WHERE rolname = 'alice'`)).toEqual([]);
});

it('users that were disabled one by one are not all dropped at once when the policy becomes drop', async () => {
  const users = Array.from({ length: 7 }, (_, index) => ({ username: `u${index}` }));
  await start([...users, { username: 'keeper' }], { DELETION_POLICY: 'disable', MAX_DELETIONS: '7' });
  steward.manifests.users([{ username: 'keeper' }]);
  await steward.cycle();
  steward = await steward.restart({ DELETION_POLICY: 'drop', MAX_DELETIONS: '6' });
  expect((await steward.cycle()).breakerTripped).toBe(true);
  expect(await exists('u0')).toBe(true);
  // What cannot be dropped for now has passed the breaker, and is not counted again.
  const holder = await server.client();
  await holder.query(`CREATE TABLE held (id int); GRANT SELECT ON held TO u0; BEGIN; LOCK TABLE held`);
  steward = await steward.restart({ MAX_DELETIONS: '7', DB_LOCK_TIMEOUT: '0.5' });
  await steward.cycle();
  expect([await exists('u0'), await exists('u1')]).toEqual([true, false]);
  await holder.end();
  steward = await steward.restart({ MAX_DELETIONS: '0' });
  expect((await steward.cycle()).breakerTripped).toBe(false);
  expect(await exists('u0')).toBe(false);
});

it('a user that somebody renamed is not forgotten in silence', async () => {
  await start([{ username: 'alice' }, { username: 'keeper' }], {});
  await server.query('ALTER ROLE alice RENAME TO "b\'ob"');
  steward.manifests.users([{ username: 'keeper' }]);
  for (const _ of [1, 2])
    expect((await steward.cycle()).notices).toContainEqual(
      expect.objectContaining({ kind: 'cannot', subject: 'alice', message: expect.stringContaining("renamed it to b'ob") as string }),
    );
  await server.query('ALTER ROLE "b\'ob" RENAME TO alice');
  await steward.cycle();
  expect([await exists('alice'), (await steward.cycle()).result]).toEqual([false, 'converged']);
});

it('a declared user that somebody renamed is told of in each cycle and not made a second time, until it has its name again or is declared by the other', async () => {
  await start([{ username: 'alice', roles: ['team'] }, { username: 'keeper' }], {});
  const present = (): Promise<unknown> =>
    server.query(`SELECT rolname AS name, rolcanlogin AS login FROM pg_roles WHERE rolname IN ('alice', 'b''ob', 'team', 't"m') ORDER BY 1`);
  const told = (subject: string, name: string): unknown =>
    expect.objectContaining({ kind: 'cannot', subject, message: expect.stringContaining(`somebody renamed it to ${name}, as the OID says`) as string });
  await server.query(`ALTER ROLE alice RENAME TO "b'ob"; ALTER ROLE team RENAME TO "t""m"`);
  for (const _ of [1, 2]) expect((await steward.cycle()).notices).toContainEqual(told('alice', "b'ob"));
  expect(await present()).toEqual([
    { name: "b'ob", login: true },
    { name: 't"m', login: false },
  ]);
  await server.query(`ALTER ROLE "b'ob" RENAME TO alice`);
  expect((await steward.cycle()).notices).toContainEqual(told('team', 't"m'));
  await server.query(`ALTER ROLE "t""m" RENAME TO team`);
  steward = await steward.restart();
  await steward.cycle();
  expect((await steward.cycle()).result).toBe('converged');
  // Declared by its new name it goes on as that, and the old name is free.
  await server.query(`ALTER ROLE alice RENAME TO "b'ob"`);
  steward.manifests.users([{ username: 'alice', roles: ['team'] }, { username: 'keeper' }, { username: "b'ob" }]);
  steward.manifests.secrets(new Map(['alice', 'keeper', "b'ob", 'b-ob'].map((name) => [name, 'p'])));
  await steward.cycle();
  expect(await present()).toEqual([
    { name: 'alice', login: true },
    { name: "b'ob", login: true },
    { name: 'team', login: false },
  ]);
});
