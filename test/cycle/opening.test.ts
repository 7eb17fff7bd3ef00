// Opening: nobody ever logs in with a password that was planted while a user could not, and without its Secret a user has everything but the password.
import { beforeEach, describe, expect, it } from 'vitest';
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
const canLogin = (user: string, password: string): Promise<boolean> =>
  server.client('postgres', { user, password }).then(
    (client) => client.end().then(() => true),
    () => false,
  );
/** What was said to the server of the user's login and password, without the verifiers. */
const altered = (user: string): string[] =>
  [...server.log().matchAll(new RegExp(`ALTER ROLE "${user}"( [^;\\n]*)?(?:LOGIN|VALID UNTIL|PASSWORD)[^;\\n]*`, 'g'))].map(([text]) =>
    text.replace(/PASSWORD '[^']*'.*$/, 'PASSWORD …').replace(/UNTIL '[^']*'/, 'UNTIL …'),
  );
const ADMINS: readonly (readonly [string, Record<string, string>])[] = [
  ['a superuser', {}],
  ['a CREATEROLE admin that cannot read pg_authid', { DB_USER: 'adm', DB_PASS: 'adm' }],
];

describe.each(ADMINS)('as %s', (_, env) => {
  beforeEach(async () => {
    await server.query(`CREATE ROLE adm LOGIN CREATEROLE PASSWORD 'adm'; GRANT CREATE ON DATABASE postgres TO adm`);
    steward = await createSteward(server, env);
    steward.manifests.secret('alice', 'the-right-one');
  });
  const declare = async (entry: object): Promise<void> => {
    steward.manifests.users([{ username: 'alice', ...entry }]);
    expect((await steward.cycle()).error).toBe(undefined);
  };
  /** As somebody who works as the role would, and the server with it: no password that we know of changes. */
  const plant = (): Promise<unknown> => server.query(`ALTER ROLE alice PASSWORD 'planted'`);

  it('a user that was disabled gets its login together with its password', async () => {
    await declare({});
    await declare({ login: false });
    await plant();
    server.mark();
    await declare({});
    expect(altered('alice')).toEqual(['ALTER ROLE "alice" LOGIN PASSWORD …']);
    expect([await canLogin('alice', 'planted'), await canLogin('alice', 'the-right-one')]).toEqual([false, true]);
    expect((await steward.cycle()).planned).toEqual([]);
  });

  it('a user whose time was over gets more of it together with its password', async () => {
    await declare({ validUntil: '2020-01-01' });
    await plant();
    server.mark();
    await declare({ validUntil: '2190-01-01' });
    expect(altered('alice')).toEqual(['ALTER ROLE "alice" VALID UNTIL … PASSWORD …']);
    expect([await canLogin('alice', 'planted'), await canLogin('alice', 'the-right-one')]).toEqual([false, true]);
  });

  it('a login that somebody took away comes back with the password, and counts as drift', async () => {
    await declare({});
    await server.query('ALTER ROLE alice NOLOGIN');
    await plant();
    server.mark();
    const report = await steward.cycle();
    expect(report.drift).toMatchObject([{ kind: 'set_password', role: 'alice', opens: { login: true } }]);
    expect(altered('alice')).toEqual(['ALTER ROLE "alice" LOGIN PASSWORD …']);
    expect(await canLogin('alice', 'planted')).toBe(false);
  });

  it('without its Secret a user keeps its password, loses what it should lose, gets what it should get, and is not let in again', async () => {
    await server.query('CREATE ROLE before ROLE adm; CREATE ROLE after ROLE adm; GRANT before, after TO adm WITH ADMIN OPTION');
    await declare({ roles: ['before'], connectionLimit: 7 });
    await server.query('SET ROLE adm; GRANT after TO alice; RESET ROLE; ALTER ROLE alice CONNECTION LIMIT 9');
    steward.manifests.secret('alice', undefined);
    await declare({ roles: ['after'], connectionLimit: 2 });
    const memberships = `SELECT r.rolname AS role FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid WHERE m.member = 'alice'::regrole`;
    expect(await server.query(memberships)).toEqual([{ role: 'after' }]);
    expect(await server.query(`SELECT rolconnlimit AS most, rolcanlogin AS login FROM pg_roles WHERE rolname = 'alice'`)).toEqual([{ most: 2, login: true }]);
    expect(await canLogin('alice', 'the-right-one')).toBe(true);
    await declare({ roles: ['after'], login: false });
    server.mark();
    steward.manifests.users([{ username: 'alice', roles: [] }, { username: 'fresh' }]);
    const { notices } = await steward.cycle();
    expect(notices.map(({ kind, message }) => [kind, message.split('; ').at(-1)])).toEqual([
      ['secret', 'its password stays as it is, and it cannot log in until then'],
      ['secret', 'the user is not created'],
    ]);
    expect([altered('alice'), await server.query(memberships)]).toEqual([[], []]);
    steward.manifests.secret('alice', 'another-right-one');
    await steward.cycle();
    expect(altered('alice')).toEqual(['ALTER ROLE "alice" LOGIN PASSWORD …']);
    expect(await canLogin('alice', 'another-right-one')).toBe(true);
  });
});
