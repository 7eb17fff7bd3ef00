// Renaming: `renamedFrom` gives a role another name. It stays the very role, and nothing is dropped or made for it.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { sentenceOf } from '../../src/changes/change.ts';
import { identifier } from '../../src/sql/sql-text.ts';
import { MemorySecrets } from '../support/memory-secrets.ts';
import { at, expectQuiet, follow, isOfTrigger, kinds, ledger, logsIn, oidOf, PASSWORD, said, start } from '../support/renaming.ts';
import { createSteward } from '../support/steward.ts';

const NAMES: readonly (readonly [string, string, string])[] = [
  ['plain names', 'amy', 'bob'],
  ['names that are SQL', `amy"; DROP ROLE keeper; --`, `bob' || $$x$$ "'`],
  ['names with control characters', 'amy\n\u001f\t', 'b\u001fob\n'],
  ['names of 63 bytes', 'ä'.repeat(31), `${'é'.repeat(31)}x`],
  ['a name of capitals', 'Amy', 'amy'],
];

describe('a user that is ours', () => {
  it.each(NAMES)('keeps what it owns, holds and belongs to, its sessions and its password: %s', async (_, amy, bob) => {
    await at.server.query('CREATE DATABASE app');
    const rights = {
      database: 'app',
      roles: ['team'],
      settings: { work_mem: '3MB' },
      grants: [{ database: 'app', schemas: ['s'], tables: { t: ['SELECT'] } }],
    };
    await at.server.query('CREATE SCHEMA s; CREATE TABLE s.t (id int)', 'app');
    await start([
      { username: amy, ...rights },
      { username: 'member', login: false, roles: [amy] },
    ]);
    for (const database of ['app', 'postgres'])
      await at.server.query(
        `DROP SCHEMA IF EXISTS its; CREATE SCHEMA its AUTHORIZATION ${identifier(amy)}; ALTER DEFAULT PRIVILEGES FOR ROLE ${identifier(amy)} GRANT SELECT ON TABLES TO team`,
        database,
      );
    const oid = await oidOf(amy);
    const session = await at.server.client('app', { user: amy, password: PASSWORD });
    at.steward.manifests.secret(bob, PASSWORD);
    follow([
      { username: bob, renamedFrom: amy, ...rights },
      { username: 'member', login: false, roles: [bob] },
    ]);
    const dry = await createSteward(at.server, { DRY_RUN: 'true' }, at.steward.manifests);
    expect((await dry.cycle()).planned.filter((change) => !isOfTrigger(change)).map(sentenceOf)).toEqual([
      `rename user: ${amy} to ${bob} (what it owns, holds and belongs to stays)`,
    ]);
    expect(await oidOf(amy)).toBe(oid);
    const report = await at.steward.cycle();
    expect([kinds(report), report.result, said(report)]).toEqual([['rename_role'], 'changed', []]);
    expect([await oidOf(bob), await oidOf(amy)]).toEqual([oid, undefined]);
    expect((await session.query('SELECT session_user::text AS name, (SELECT count(*)::int FROM s.t) AS rows')).rows).toEqual([{ name: bob, rows: 0 }]);
    await session.end();
    expect(await logsIn(bob, PASSWORD)).toBe(true);
    for (const database of ['app', 'postgres'])
      expect(await at.server.query(`SELECT nspowner::text AS oid FROM pg_namespace WHERE nspname = 'its'`, database)).toEqual([{ oid }]);
    expect(await ledger(amy, bob)).toEqual([{ name: bob, origin: 'created', same: true }]);
    expect(await at.server.query(`SELECT role, object, outcome, sql FROM pgsteward.audit_log WHERE change = 'rename_role'`)).toMatchObject([
      { role: bob, object: `${bob} (was ${amy})`, outcome: 'applied' },
    ]);
    const state = JSON.parse(readFileSync(at.steward.config.stateFile, 'utf8')) as { roles: readonly { name: string }[] };
    expect(JSON.stringify(state)).toContain(JSON.stringify(bob));
    await expectQuiet();
    // A new process, and a document that says it no longer.
    at.steward = await at.steward.restart();
    await expectQuiet();
    follow([
      { username: bob, ...rights },
      { username: 'member', login: false, roles: [bob] },
    ]);
    await expectQuiet();
  });

  it('is told of its Secret where that is missing, and logs in with the password that it has; the Secret is followed when it comes', async () => {
    await start([{ username: 'amy' }]);
    follow([{ username: 'bob', renamedFrom: 'amy' }]);
    const report = await at.steward.cycle();
    expect(kinds(report)).toEqual(['rename_role']);
    expect(said(report)).toEqual(['secret: bob: the Secret user-bob-secret (key password) is missing: there is no such Secret; its password stays as it is']);
    expect(await logsIn('bob', PASSWORD)).toBe(true);
    at.steward.manifests.secret('bob', 'chosen later');
    expect(kinds(await at.steward.cycle())).toEqual(['set_password']);
    expect([await logsIn('bob', PASSWORD), await logsIn('bob', 'chosen later')]).toEqual([false, true]);
    await expectQuiet();
  });

  it('loses an MD5 password, which the plan says, and gets that of its Secret', async () => {
    await at.server.query(`SET password_encryption = 'md5'; CREATE ROLE amy LOGIN PASSWORD 'of long ago'`);
    at.steward = await createSteward(at.server, { DRY_RUN: 'true' });
    at.steward.manifests.secret('bob', PASSWORD);
    follow([{ username: 'bob', renamedFrom: 'amy' }]);
    const planned = (await at.steward.cycle()).planned.filter(({ kind }) => kind !== 'prepare_ledger');
    expect(planned.map(({ kind }) => kind).slice(0, 2)).toEqual(['rename_role', 'adopt_role']);
    expect(planned.map(sentenceOf)[0]).toContain('its MD5 password ends');
    at.steward = await at.steward.restart({ DRY_RUN: 'false' });
    const oid = await oidOf('amy');
    await at.steward.cycle();
    expect([await oidOf('bob'), await oidOf('amy'), await logsIn('bob', PASSWORD)]).toEqual([oid, undefined, true]);
    expect(await ledger('amy', 'bob')).toEqual([{ name: 'bob', origin: 'adopted', same: true }]);
    await expectQuiet();
  });

  it('is renamed together with other changes, and nothing is revoked or dropped that the old name had', async () => {
    await at.server.query('CREATE DATABASE app');
    await at.server.query('CREATE SCHEMA s; CREATE TABLE s.t (id int); CREATE TABLE s.u (id int)', 'app');
    const reads = (table: string) => ({ database: 'app', schemas: ['s'], tables: { [table]: ['SELECT'] } });
    await start([{ username: 'amy', roles: ['readers', 'other'] }], [{ name: 'readers', grants: [reads('t')] }]);
    const before = { amy: await oidOf('amy'), readers: await oidOf('readers') };
    at.steward.manifests.secret('bob', PASSWORD);
    follow(
      [{ username: 'bob', renamedFrom: 'amy', roles: ['viewers', 'other'], connectionLimit: 3, comment: 'was amy' }],
      [{ name: 'viewers', renamedFrom: 'readers', grants: [reads('t'), reads('u')] }],
    );
    const dry = await createSteward(at.server, { DRY_RUN: 'true' }, at.steward.manifests);
    const planned = (await dry.cycle()).planned.map(sentenceOf);
    const report = await at.steward.cycle();
    expect(report.outcomes.map(({ change }) => sentenceOf(change))).toEqual(planned);
    expect(kinds(report)).toEqual(['rename_role', 'rename_role', 'alter_role', 'set_comment', 'grant_privilege']);
    expect([await oidOf('bob'), await oidOf('viewers')]).toEqual([before.amy, before.readers]);
    await expectQuiet();
  });

  it('is planned with all that it held by the old name: a dry run says what is revoked and ended, and nothing that is there', async () => {
    await at.server.query('CREATE DATABASE app');
    await at.server.query('CREATE DATABASE unnamed');
    await at.server.query('CREATE TABLE t (id int)', 'unnamed');
    const user = (...databasePrivileges: string[]) => ({ database: 'app', grants: [{ database: 'app', schemas: [], databasePrivileges }] });
    await start([{ username: 'amy', ...user('CONNECT', 'CREATE', 'TEMPORARY') }]);
    await at.server.query('GRANT SELECT ON t TO amy', 'unnamed');
    const session = await at.server.client('app', { user: 'amy', password: PASSWORD });
    session.on('error', () => undefined);
    follow([{ username: 'bob', renamedFrom: 'amy', login: false, ...user('CONNECT', 'TEMPORARY') }]);
    const dry = await createSteward(at.server, { DRY_RUN: 'true' }, at.steward.manifests);
    const planned = (await dry.cycle()).planned.map(sentenceOf);
    const made = (await at.steward.cycle()).outcomes.map(({ change }) => sentenceOf(change));
    expect(made.toSorted()).toEqual(planned.toSorted());
    expect(planned.map((sentence) => sentence.replace(/ \(.*/, ''))).toEqual(
      expect.arrayContaining([
        'alter user: bob',
        'revoke SELECT on table public.t in database unnamed from: bob',
        'revoke CREATE on database app from: bob',
        'end 1 session(s) of user: bob',
      ]),
    );
    await session.end().catch(() => undefined);
    await expectQuiet();
  });

  it('is not kept from it by a transaction of its own', async () => {
    await start([{ username: 'amy', roles: ['team'] }], [], { DB_LOCK_TIMEOUT: '0.5' });
    const oid = await oidOf('amy');
    const session = await at.server.client('postgres', { user: 'amy', password: PASSWORD });
    session.on('error', () => undefined);
    await session.query(`BEGIN; ALTER ROLE amy PASSWORD 'x'`);
    follow([{ username: 'bob', renamedFrom: 'amy', login: false }]);
    expect(kinds(await at.steward.cycle())).toEqual(expect.arrayContaining(['end_sessions', 'rename_role', 'alter_role', 'revoke_membership']));
    expect([await oidOf('bob'), await oidOf('amy')]).toEqual([oid, undefined]);
    await session.end().catch(() => undefined);
  });

  it('and that was disabled as no document named it is a user again under its new name', async () => {
    await start([{ username: 'amy', deletionPolicy: 'disable' }]);
    follow([]);
    await at.steward.cycle();
    const oid = await oidOf('amy');
    at.steward.manifests.secret('bob', PASSWORD);
    follow([{ username: 'bob', renamedFrom: 'amy' }]);
    const report = await at.steward.cycle();
    expect(report.result).toBe('changed');
    expect([await oidOf('bob'), await logsIn('bob', PASSWORD)]).toEqual([oid, true]);
    await expectQuiet();
  });

  it('is renamed where only the state file remembers', async () => {
    await at.server.query(`CREATE ROLE adm LOGIN CREATEROLE PASSWORD 'adm'; REVOKE CREATE ON DATABASE postgres FROM PUBLIC`);
    await start([{ username: 'amy', roles: ['team'] }], [], { DB_USER: 'adm', DB_PASS: 'adm' });
    expect(at.steward.warnings.join()).toContain('there is no ledger');
    const oid = await oidOf('amy');
    at.steward.manifests.secret('bob', PASSWORD);
    follow([{ username: 'bob', renamedFrom: 'amy', roles: ['team'] }]);
    expect(kinds(await at.steward.cycle())).toEqual(['rename_role']);
    expect(await oidOf('bob')).toBe(oid);
    at.steward = await at.steward.restart();
    await expectQuiet();
    follow([]);
    await at.steward.cycle();
    expect(await oidOf('bob')).toBe(undefined);
  });
});

describe('it works once', () => {
  it('where there is no such role the user is made, which is said before', async () => {
    await start([]);
    at.steward.manifests.secret('bob', PASSWORD);
    follow([{ username: 'bob', renamedFrom: 'amy' }]);
    const dry = await createSteward(at.server, { DRY_RUN: 'true' }, at.steward.manifests);
    expect(said(await dry.cycle())).toEqual(['fallback: bob: there is no role amy that could be renamed, so bob is made anew']);
    expect((await at.steward.cycle()).result).toBe('changed');
    expect(await logsIn('bob', PASSWORD)).toBe(true);
    await expectQuiet();
  });

  it('and what somebody calls by the old name later is theirs, also when the role is gone', async () => {
    await start([{ username: 'amy' }]);
    at.steward.manifests.secret('bob', PASSWORD);
    follow([{ username: 'bob', renamedFrom: 'amy' }]);
    await at.steward.cycle();
    await at.server.query('CREATE ROLE amy');
    const theirs = await oidOf('amy');
    expect(said(await at.steward.cycle())).toEqual([]);
    await expectQuiet();
    await at.server.query('DROP OWNED BY bob; DROP ROLE bob');
    expect(kinds(await at.steward.cycle())).toContain('create_role');
    expect(await oidOf('amy')).toBe(theirs);
    follow([]);
    await at.steward.cycle();
    expect([await oidOf('amy'), await oidOf('bob')]).toEqual([theirs, undefined]);
  });
});

describe('what somebody renamed by hand', () => {
  it('is proposed as the line, and the line makes the memory follow: nothing is made, adopted or forgotten', async () => {
    const bob = `b'ob" \n`;
    await start([{ username: 'amy', roles: ['team'] }]);
    const oid = await oidOf('amy');
    await at.server.query(`ALTER ROLE amy RENAME TO ${identifier(bob)}`);
    expect(said(await at.steward.cycle()).join()).toContain(`declare it as ${bob} with \`renamedFrom: amy\``);
    at.steward.manifests.secret(bob, PASSWORD);
    follow([{ username: bob, renamedFrom: 'amy', roles: ['team'] }]);
    const report = await at.steward.cycle();
    expect(report.outcomes.map(({ change }) => sentenceOf(change))).toEqual([`remember user: amy as ${bob} (somebody renamed it)`]);
    expect([await oidOf(bob), await oidOf('amy')]).toEqual([oid, undefined]);
    expect(await ledger('amy', bob)).toEqual([{ name: bob, origin: 'created', same: true }]);
    await expectQuiet();
  });

  it('to a third name is told with the line that helps', async () => {
    await start([{ username: 'amy' }]);
    const oid = await oidOf('amy');
    await at.server.query('ALTER ROLE amy RENAME TO third');
    at.steward.manifests.secret('bob', PASSWORD);
    follow([{ username: 'bob', renamedFrom: 'amy' }]);
    expect(said(await at.steward.cycle())).toEqual([expect.stringMatching(/^cannot: bob: .*which somebody renamed to third, .*write `renamedFrom: third`/)]);
    expect(await oidOf('bob')).toBe(undefined);
    follow([{ username: 'bob', renamedFrom: 'third' }]);
    expect(kinds(await at.steward.cycle())).toEqual(['rename_role']);
    expect([await oidOf('bob'), await ledger('amy', 'bob', 'third')]).toEqual([oid, [{ name: 'bob', origin: 'created', same: true }]]);
    await expectQuiet();
  });

  it('back to the name that it had gets the name of the document again', async () => {
    await start([{ username: 'amy' }]);
    const oid = await oidOf('amy');
    at.steward.manifests.secret('bob', PASSWORD);
    follow([{ username: 'bob', renamedFrom: 'amy' }]);
    await at.steward.cycle();
    await at.server.query('ALTER ROLE bob RENAME TO amy');
    expect(kinds(await at.steward.cycle())).toEqual(['rename_role']);
    expect([await oidOf('bob'), await ledger('amy', 'bob')]).toEqual([oid, [{ name: 'bob', origin: 'created', same: true }]]);
    await expectQuiet();
  });
});

describe('Secrets', () => {
  it('a generated password goes on under the new name, with its connection Secret; a Secret that is deleted later is made with a new one', async () => {
    const secrets = new MemorySecrets();
    const made = (name: string): ReadonlyMap<string, string> => secrets.values('postgres', name);
    await start([{ username: 'amy', password: { generate: {} }, connectionSecret: 'shop-db' }], [], {}, secrets);
    const password = made('user-amy-secret').get('password') ?? '';
    expect(await logsIn('amy', password)).toBe(true);
    follow([{ username: 'bob', renamedFrom: 'amy', password: { generate: {} }, connectionSecret: 'shop-db' }]);
    const report = await at.steward.cycle();
    expect(report.outcomes.map(({ change }) => sentenceOf(change))).toEqual([
      'create secret: user-bob-secret (the password of the secret user-amy-secret for bob)',
      'rename user: amy to bob (what it owns, holds and belongs to stays)',
      'write connection secret: postgres/shop-db (for bob: what it is made from changed)',
    ]);
    expect(report.planned.map(({ kind }) => kind)).toEqual(['create_secret', 'rename_role', 'write_connection_secret']);
    expect([made('user-bob-secret').get('password'), made('shop-db').get('username'), made('shop-db').get('password')]).toEqual([password, 'bob', password]);
    expect(await logsIn('bob', password)).toBe(true);
    await expectQuiet();
    secrets.remove('postgres', 'user-bob-secret');
    await at.steward.cycle();
    const later = made('user-bob-secret').get('password') ?? '';
    expect(later).not.toBe(password);
    expect([await logsIn('bob', later), await logsIn('bob', password)]).toEqual([true, false]);
  });

  it('a role whose users log in by turns is not renamed, and is told how', async () => {
    const secrets = new MemorySecrets();
    const shop = { password: { generate: {} }, connectionSecret: 'shop-db' };
    await start([{ username: 'amy', ...shop, rotation: { strategy: 'two-users' } }], [], {}, secrets);
    const before = [await oidOf('amy'), await oidOf('amy-1')];
    follow([{ username: 'bob', renamedFrom: 'amy', ...shop }]);
    const report = await at.steward.cycle();
    expect(said(report).join('\n')).toContain('cannot: bob: is to be the role amy, for which two users log in by turns');
    expect([await oidOf('amy'), await oidOf('amy-1'), await oidOf('bob')]).toEqual([...before, undefined]);
  });
});
