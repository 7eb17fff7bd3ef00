// Renaming that cannot be done: it is said why, and nothing is dropped, made or taken over for it.
import { describe, expect, it } from 'vitest';
import { at, expectQuiet, follow, kinds, ledger, oidOf, PASSWORD, said, start } from '../support/renaming.ts';

describe('nothing is done, and nothing is dropped', () => {
  const kept = async (...names: string[]): Promise<(string | undefined)[]> => Promise.all(names.map(oidOf));

  it('where there are roles of both names', async () => {
    await start([{ username: 'amy' }, { username: 'carl' }]);
    await at.server.query('CREATE ROLE bob');
    const before = await kept('amy', 'bob', 'carl');
    follow([{ username: 'bob', renamedFrom: 'amy' }, { username: 'carl' }]);
    for (const _ of [1, 2]) {
      const report = await at.steward.cycle();
      expect(kinds(report)).toEqual([]);
      expect(said(report)).toEqual([expect.stringContaining('cannot: bob: is to be the role amy, but there are roles of both names')]);
    }
    expect(await kept('amy', 'bob', 'carl')).toEqual(before);
    expect(await ledger('amy', 'bob')).toEqual([{ name: 'amy', origin: 'created', same: true }]);
    // One that is ours under the new name goes on, and the other stays for all that.
    at.steward.manifests.secret('carl', PASSWORD);
    follow([{ username: 'carl', renamedFrom: 'amy', connectionLimit: 7 }]);
    const report = await at.steward.cycle();
    expect(kinds(report)).toEqual(['alter_role']);
    expect(said(report).join()).toContain('cannot: carl: is to be the role amy');
    expect(await kept('amy', 'bob', 'carl')).toEqual(before);
  });

  it.each([
    ['a superuser', 'CREATE ROLE amy SUPERUSER', {}, 'it is a superuser'],
    ['one that may replicate', 'CREATE ROLE amy REPLICATION', {}, 'REPLICATION'],
    ['one that can create roles', 'CREATE ROLE amy CREATEROLE', {}, 'it can create roles'],
    ['a protected one', 'CREATE ROLE amy', { PROTECTED_ROLES: 'amy' }, 'PROTECTED_ROLES names it'],
    ['a member of a predefined role', 'CREATE ROLE amy; GRANT pg_read_server_files TO amy', {}, 'pg_read_server_files'],
  ])('for %s', async (_, sql, env, reason) => {
    await at.server.query(sql);
    await start([], [], env);
    const before = await oidOf('amy');
    at.steward.manifests.secret('bob', PASSWORD);
    follow([{ username: 'bob', renamedFrom: 'amy' }]);
    const report = await at.steward.cycle();
    expect(kinds(report)).toEqual([]);
    expect(said(report)).toEqual([expect.stringMatching(new RegExp(`^refused: bob: is to be the role amy, whose renaming is refused: .*${reason}`))]);
    expect(await kept('amy', 'bob')).toEqual([before, undefined]);
  });

  it.each(['postgres', 'rds_superuser'])('for the role %s', async (name) => {
    if (name !== 'postgres') await at.server.query(`CREATE ROLE ${name}`);
    await start([]);
    at.steward.manifests.secret('bob', PASSWORD);
    follow([{ username: 'bob', renamedFrom: name }]);
    const report = await at.steward.cycle();
    expect([kinds(report), said(report).length]).toEqual([[], 1]);
    expect(said(report)[0]).toContain(`refused: bob: is to be the role ${name}, whose renaming is refused`);
    expect(await oidOf('bob')).toBe(undefined);
  });

  it('for a role of another source', async () => {
    await start([{ username: 'amy' }]);
    await at.server.query(`UPDATE pgsteward.managed_role SET source = 'other/source' WHERE name = 'amy'`);
    at.steward.manifests.secret('bob', PASSWORD);
    follow([{ username: 'bob', renamedFrom: 'amy' }]);
    const report = await at.steward.cycle();
    expect([kinds(report), said(report)]).toEqual([[], [expect.stringContaining('it belongs to the source other/source')]]);
    expect(await kept('bob')).toEqual([undefined]);
  });

  it('while our admin has no right to it, and it is done with the SQL that is said', async () => {
    if (at.server.major < 16) return start([]);
    await at.server.query(`CREATE ROLE adm LOGIN CREATEROLE PASSWORD 'adm'; GRANT CREATE ON DATABASE postgres TO adm; CREATE ROLE amy`);
    await start([], [], { DB_USER: 'adm', DB_PASS: 'adm' });
    const oid = await oidOf('amy');
    follow([{ username: 'bob', renamedFrom: 'amy', login: false }]);
    const report = await at.steward.cycle();
    expect(kinds(report)).toEqual([]);
    expect(said(report)).toEqual([expect.stringContaining('cannot: bob: cannot rename user: amy to bob')]);
    const sql = report.notices[0]?.advice?.sql ?? '';
    expect(sql).toContain('GRANT "amy" TO "adm"');
    await at.server.query(sql);
    const after = await at.steward.cycle();
    expect([kinds(after), await oidOf('bob')]).toEqual([['rename_role', 'adopt_role'], oid]);
    await expectQuiet();
  });

  it('while the server refuses it; it is tried again', async () => {
    await start([{ username: 'amy', roles: ['team'] }], [], { DB_LOCK_TIMEOUT: '0.2', RETRY_BACKOFF_BASE: '1' });
    const oid = await oidOf('amy');
    const holder = await at.server.client();
    await holder.query('BEGIN; ALTER ROLE amy CONNECTION LIMIT 5');
    at.steward.manifests.secret('bob', PASSWORD);
    follow([{ username: 'bob', renamedFrom: 'amy', roles: ['team'] }]);
    const report = await at.steward.cycle();
    expect(kinds(report)).toEqual(['rename_role failed']);
    expect(await kept('amy', 'bob')).toEqual([oid, undefined]);
    expect(await ledger('amy', 'bob')).toEqual([{ name: 'amy', origin: 'created', same: true }]);
    await holder.query('ROLLBACK');
    await holder.end();
    at.steward = await at.steward.restart();
    expect(kinds(await at.steward.cycle())).toEqual(['rename_role']);
    expect(await kept('amy', 'bob')).toEqual([undefined, oid]);
    await expectQuiet();
  });

  it('while the new name is recorded of a role that somebody renamed: it is not forgotten', async () => {
    await start([{ username: 'amy' }, { username: 'bob' }]);
    const before = await kept('amy', 'bob');
    await at.server.query('ALTER ROLE bob RENAME TO robert');
    follow([{ username: 'bob', renamedFrom: 'amy' }]);
    const report = await at.steward.cycle();
    expect([kinds(report), said(report)]).toEqual([
      [],
      [expect.stringContaining('cannot: bob: is to be the role amy, but the role that is ours as bob is called robert now')],
    ]);
    expect(await kept('amy', 'robert', 'bob')).toEqual([...before, undefined]);
    expect((await ledger('amy', 'bob')).map(({ name }) => name)).toEqual(['amy', 'bob']);
    // Declared as what it is called, it is ours by that name, and the other one gets its own.
    at.steward.manifests.secret('robert', PASSWORD);
    follow([{ username: 'bob', renamedFrom: 'amy' }, { username: 'robert' }]);
    await at.steward.cycle();
    await at.steward.cycle();
    expect(await kept('bob', 'robert', 'amy')).toEqual([...before, undefined]);
    expect((await ledger('amy', 'bob', 'robert')).map(({ name, same }) => [name, same])).toEqual([
      ['bob', true],
      ['robert', true],
    ]);
    await expectQuiet();
  });

  it('where somebody gave two roles the names of each other: the record of neither is lost', async () => {
    await start([{ username: 'amy' }, { username: 'bob' }]);
    const [amy, bob] = await kept('amy', 'bob');
    await at.server.query('ALTER ROLE bob RENAME TO third; ALTER ROLE amy RENAME TO bob; ALTER ROLE third RENAME TO amy');
    follow([{ username: 'bob', renamedFrom: 'amy' }]);
    const report = await at.steward.cycle();
    expect([kinds(report), said(report)]).toEqual([[], [expect.stringContaining('but the role that is ours as bob is called amy now')]]);
    expect(await kept('bob', 'amy')).toEqual([amy, bob]);
    expect((await ledger('amy', 'bob')).length).toBe(2);
  });

  it('while the server refuses it or the entry is wrong, and who is in the role stays in it and works as it', async () => {
    const members = () =>
      at.server.query(
        `SELECT m.roleid::regrole::text AS role FROM pg_auth_members m WHERE m.member = 'member'::regrole AND m.roleid::regrole::text <> 'other'`,
      );
    const member = (role: string) => ({ username: 'member', roles: [role, 'other'], assumeRole: role });
    await start([member('team')], [{ name: 'team' }], { DB_LOCK_TIMEOUT: '0.2', RETRY_BACKOFF_BASE: '1' });
    const [oid] = await kept('team');
    const settings = () => at.server.query(`SELECT setconfig::text AS set FROM pg_db_role_setting WHERE setrole = 'member'::regrole`);
    const before = await settings();
    follow([member('crew')], [{ name: 'crew', renamedFrom: 'team', nonsense: true }]);
    for (const again of [false, true]) {
      if (again) at.steward = await at.steward.restart();
      expect(kinds(await at.steward.cycle())).toEqual([]);
      expect([await members(), await settings(), await kept('team', 'crew')]).toEqual([[{ role: 'team' }], before, [oid, undefined]]);
    }
    const holder = await at.server.client();
    await holder.query('BEGIN; ALTER ROLE team CONNECTION LIMIT 5');
    follow([member('crew')], [{ name: 'crew', renamedFrom: 'team' }]);
    const report = await at.steward.cycle();
    expect(kinds(report)).toEqual(['rename_role failed']);
    expect(said(report)).toContain('pending: member: membership in crew waits until the role team has that name');
    expect([await members(), await settings()]).toEqual([[{ role: 'team' }], before]);
    await holder.query('ROLLBACK');
    await holder.end();
    at.steward = await at.steward.restart();
    await at.steward.cycle();
    expect([await members(), await kept('crew', 'team')]).toEqual([[{ role: 'crew' }], [oid, undefined]]);
    await expectQuiet();
  });

  it('where somebody dropped the role and made another one of its name', async () => {
    await start([{ username: 'amy' }]);
    await at.server.query('DROP OWNED BY amy; DROP ROLE amy; CREATE ROLE amy');
    const before = await oidOf('amy');
    at.steward.manifests.secret('bob', PASSWORD);
    follow([{ username: 'bob', renamedFrom: 'amy' }]);
    const report = await at.steward.cycle();
    expect([kinds(report), said(report)]).toEqual([[], [expect.stringContaining('which somebody dropped, and made another one of that name')]]);
    expect(await kept('amy', 'bob')).toEqual([before, undefined]);
  });
});
