// who-can and what-can as somebody calls them, with the ways that no ACL shows: views and SECURITY DEFINER functions.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LIMITS } from '../../src/model/limits.ts';
import { type Called, callHere } from '../commands/call.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';

let postgres: Postgres;
const call = (...args: readonly string[]): Promise<Called> =>
  callHere(args, '', {
    DB_HOST: postgres.host,
    DB_PORT: String(postgres.port),
    DB_USER: postgres.user,
    DB_PASS: postgres.password,
    DB_SSLMODE: 'disable',
  });

beforeAll(async () => {
  postgres = await startPostgres();
  await postgres.query(`
    CREATE ROLE boss; CREATE ROLE reader; CREATE ROLE alice LOGIN; CREATE ROLE bob LOGIN; CREATE ROLE carol LOGIN NOINHERIT; CREATE ROLE dave LOGIN; CREATE ROLE weak; CREATE ROLE feeble;
    CREATE ROLE "E ""e""
!" LOGIN; GRANT reader TO alice; GRANT reader TO carol; GRANT reader TO "E ""e""
!"`);
  await postgres.query('CREATE DATABASE shop OWNER boss');
  await postgres.query(
    `CREATE EXTENSION IF NOT EXISTS plpgsql; SET ROLE boss; CREATE SCHEMA hr; CREATE TABLE hr.payroll (id int, salary int);
     CREATE VIEW hr.public_payroll AS SELECT id FROM hr.payroll; GRANT SELECT ON hr.public_payroll TO bob;
     CREATE VIEW hr.above AS SELECT * FROM hr.public_payroll; GRANT SELECT ON hr.above TO dave;
     CREATE MATERIALIZED VIEW hr.copy AS SELECT * FROM hr.payroll; GRANT SELECT ON hr.copy TO weak;
     CREATE FUNCTION hr.definer() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'; REVOKE ALL ON FUNCTION hr.definer FROM PUBLIC; GRANT EXECUTE ON FUNCTION hr.definer TO dave;
     CREATE FUNCTION hr.invoker() RETURNS int LANGUAGE sql AS 'SELECT 1';
     GRANT USAGE ON SCHEMA hr TO reader; GRANT SELECT ON hr.payroll TO reader;
     RESET ROLE; GRANT USAGE, CREATE ON SCHEMA hr TO feeble; SET ROLE feeble;
     CREATE VIEW hr.powerless AS SELECT id FROM hr.payroll; GRANT SELECT ON hr.powerless TO PUBLIC;
     CREATE FUNCTION hr.powerless_f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'; RESET ROLE;
     CREATE FUNCTION hr.t() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN RETURN NULL; END'`,
    'shop',
  );
  if (postgres.major >= 15)
    await postgres.query(
      'SET ROLE boss; CREATE VIEW hr.as_asked WITH (security_invoker = Ye) AS SELECT * FROM hr.payroll; GRANT SELECT ON hr.as_asked TO PUBLIC',
      'shop',
    );
});
afterAll(() => postgres.stop());

describe('who-can', () => {
  it('says everybody, logins first, each with the shortest path', async () => {
    expect(await call('who-can', 'SELECT', 'shop.hr.payroll')).toMatchInlineSnapshot(`
      {
        "code": 0,
        "stderr": "",
        "stdout": "6 roles have SELECT on shop.hr.payroll, of which 3 may log in
      logins:
        postgres: it is a superuser
        "E ""e""\\u{a}!" → reader: granted to reader by boss
        alice → reader: granted to reader by boss
      other roles:
        boss: it is the owner
        pg_read_all_data: members of pg_read_all_data need no grant for it
        reader: granted to itself by boss
      only after SET ROLE:
        carol → SET ROLE reader: granted to reader by boss
      ",
      }
    `);
  });

  it('follows views and functions with the rights of their owners', async () => {
    expect((await call('who-can', 'SELECT', 'shop.hr.payroll', '--via-definer')).stdout.replace(/[^]*(?=through views)/, '')).toMatchInlineSnapshot(`
      "through views:
        view hr.public_payroll: reads it, or a part of it, as its owner boss: bob
        view hr.above: reads it, or a part of it, as its owner boss: dave
        view hr.copy: has a copy of it, or of a part: weak
      unknown:
        function hr.definer(): runs as its owner boss, who may; what it does is not looked at: dave
      "
    `);
    expect(await call('who-can', 'SELECT', 'shop.hr.payroll', '--via-definer')).toMatchObject({ code: 2 });
  });

  it('says that everybody may where PUBLIC does', async () => {
    const { code, stdout } = await call('who-can', 'connect', 'database', 'shop');
    expect(code).toBe(0);
    expect(stdout.split('\n')[0]).toBe('everybody has CONNECT on database shop, as PUBLIC has it; these would have it anyway');
  });

  it('json has the same', async () => {
    const { stdout } = await call('who-can', '-o', 'json', 'SELECT', 'shop.hr.payroll', '--via-definer');
    expect(JSON.parse(stdout)).toMatchObject({
      version: 1,
      everybody: false,
      roles: expect.arrayContaining([expect.objectContaining({ role: 'alice', login: true, lacks: [] })]) as unknown,
      through: expect.arrayContaining([
        expect.objectContaining({ sure: true, roles: ['dave'] }),
        expect.objectContaining({ sure: false, roles: ['dave'] }),
      ]) as unknown,
    });
  });

  it.each([
    [[], 'who-can needs a privilege and an object'],
    [['SELECT'], 'who-can needs a privilege and an object'],
    [['SELECT', 'payroll'], 'a table is named by'],
    [['FLY', 'shop.hr.payroll'], 'FLY is no privilege on a table'],
  ] as const)('refuses %j', async (args, said) => {
    expect(await call('who-can', ...args)).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining(said) as string });
  });
});

describe('explain', () => {
  it.each([
    ['bob', 'view hr.public_payroll: reads it, or a part of it, as its owner boss'],
    ['dave', 'view hr.above: reads it, or a part of it, as its owner boss'],
    ['dave', 'function hr.definer(): runs as its owner boss, who may; what it does is not looked at'],
    ['weak', 'view hr.copy: has a copy of it, or of a part'],
  ])('names the way that %s has beside the ACL: %s', async (role, said) => {
    const { code, stdout } = await call('explain', role, 'SELECT', 'shop.hr.payroll');
    expect(code).toBe(2);
    expect(stdout).toContain(`no: ${role} does not have SELECT`);
    expect(stdout).toContain(`  ${said}\n`);
  });

  it('names none that leads nowhere', async () => {
    const { stdout } = await call('explain', 'bob', 'SELECT', 'shop.hr.payroll');
    expect(stdout).not.toMatch(/powerless|hr\.t\(|as_asked|invoker/);
    expect((await call('explain', 'bob', 'TRUNCATE', 'shop.hr.payroll')).stdout).not.toContain('other ways');
  });

  it('as many functions as are looked at are told of, and one more is said to be too many', async () => {
    await postgres.query('CREATE DATABASE many');
    const functions = (from: number, to: number): string =>
      `DO $$ BEGIN FOR i IN ${from}..${to} LOOP EXECUTE format('CREATE FUNCTION f%s() RETURNS int LANGUAGE sql SECURITY DEFINER AS ''SELECT 1''', i); END LOOP; END $$`;
    await postgres.query(`CREATE TABLE t (id int); ${functions(1, LIMITS.definers)}`, 'many');
    const look = async (): Promise<{ readonly otherWays: readonly object[]; readonly remarks: readonly string[] }> =>
      JSON.parse((await call('explain', '-o', 'json', 'bob', 'SELECT', 'many.public.t')).stdout) as Awaited<ReturnType<typeof look>>;
    expect(await look()).toMatchObject({ otherWays: { length: LIMITS.definers }, remarks: [] });
    await postgres.query(functions(LIMITS.definers + 1, LIMITS.definers + 1), 'many');
    expect(await look()).toMatchObject({ otherWays: { length: LIMITS.definers }, remarks: ['not all views and functions were looked at'] });
    expect((await call('explain', 'bob', 'SELECT', 'many.public.t')).stdout).toContain(`  ${LIMITS.definers - 20} more\n`);
    expect(await call('who-can', 'SELECT', 'many.public.t', '--via-definer')).toMatchObject({
      code: 2,
      stdout: expect.stringContaining('there are more views and functions than are looked at') as string,
    });
    await postgres.query('DROP DATABASE many');
  });

  it('and the server agrees about each view', async () => {
    const reads = async (role: string, view: string): Promise<boolean> =>
      postgres.query(`SET ROLE ${role}; SELECT 1 FROM hr.${view}`, 'shop').then(
        () => true,
        () => false,
      );
    await postgres.query('GRANT USAGE ON SCHEMA hr TO bob, dave, weak', 'shop');
    expect(
      await Promise.all([reads('bob', 'public_payroll'), reads('dave', 'above'), reads('weak', 'copy'), reads('bob', 'powerless'), reads('bob', 'payroll')]),
    ).toEqual([true, true, true, false, false]);
    await postgres.query('REVOKE USAGE ON SCHEMA hr FROM bob, dave, weak', 'shop');
  });
});

describe('what-can', () => {
  it('folds what is the same, with the path', async () => {
    const { code, stdout } = await call('what-can', 'alice', '--in', 'shop');
    expect(code).toBe(0);
    expect(stdout.split('\n').map((line) => line.trim())).toEqual(
      expect.arrayContaining([
        'what alice may',
        'on the server:',
        'CONNECT, TEMPORARY on 2 databases: postgres, shop (built in for PUBLIC)',
        'CONNECT on 2 databases: template0, template1 (granted to PUBLIC by postgres)',
        'in database shop:',
        'USAGE on schema hr (alice → reader: granted to reader by boss)',
        'SELECT on table hr.payroll (alice → reader: granted to reader by boss)',
        'EXECUTE on 3 functions of schema hr: invoker(), powerless_f(), t() (built in for PUBLIC)',
        'USAGE on all 2 languages (built in for PUBLIC)',
        'it may become by SET ROLE, and then may what they may:',
      ]),
    );
    expect(stdout).not.toContain('public_payroll');
    expect((await call('what-can', 'boss', '--in', 'shop')).stdout).toContain('INSERT, UPDATE, DELETE');
  });

  it('says of a superuser only that it is one, and of all databases what is in each', async () => {
    expect(await call('what-can', 'postgres')).toMatchObject({ code: 0, stdout: 'postgres is a superuser: it may everything\n' });
    const { stdout } = await call('what-can', 'carol');
    expect(stdout).toContain('in database shop:');
    expect(stdout).toContain('in database postgres:');
    expect(stdout).toContain('it may become by SET ROLE, and then may what they may:\n  reader\n');
  });

  it.each([
    [[], 'what-can needs one role'],
    [['nobody'], 'there is no role nobody'],
    [['alice', '--in', 'nowhere'], 'there is no database nowhere'],
    [['alice', '--on', 'shop'], 'unknown argument(s): --on'],
  ] as const)('refuses %j', async (args, said) => {
    expect(await call('what-can', ...args)).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining(said) as string });
  });
});
