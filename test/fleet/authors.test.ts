// A daemon with servers.yaml: several documents of the operator, and authors from their own namespaces, in one folder.
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Daemon } from '../support/daemon.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { entryOf, FleetFolder, startFleet, until } from './folder.ts';
import { stringify } from 'yaml';

let server: Postgres;
let daemon: Daemon | undefined;

beforeAll(async () => {
  server = await startPostgres();
});
afterAll(async () => {
  await daemon?.kill9();
  await server.stop();
});

const rolesOf = async (): Promise<{ readonly names: string }> => ({
  names: (await server.query<{ rolname: string }>(`SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' AND rolname <> 'postgres' ORDER BY 1`))
    .map(({ rolname }) => rolname)
    .join(' '),
});

it('has the entries of all, keeps what cannot be used, and removes what its own source no longer names', async () => {
  const folder = new FleetFolder();
  const by = (namespace: string, document: object | string): void =>
    folder.write(`by-${namespace}`, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'users', namespace, labels: { server: 'one' } },
      data: { 'users.yaml': typeof document === 'string' ? document : stringify(document) },
    });
  const author = (name: string): object => ({
    name,
    from: { namespace: name, matchLabels: { server: 'one' } },
    may: { names: [`${name}_*`], databases: [name], create: true },
  });
  const user = (username: string, more: object = {}): object => ({ username, login: false, ...more });
  folder.admin('one-admin', server);
  folder.servers([entryOf('one', { documents: [{ name: 'first' }, { name: 'second' }], authors: [author('shop'), author('bill')] })]);
  folder.document('first', [user('operator_one')]);
  folder.document('second', [user('operator_two'), user('operator_three')]);
  by('bill', { users: [user('bill_app', { database: 'bill', roles: ['shop_reader'] })], databases: [{ name: 'bill', create: true }] });
  by('shop', 'users: [');
  daemon = await startFleet(folder, { SYNC_INTERVAL: '1' });
  const roles = (what: string, expected: string) => until(what, rolesOf, ({ names }) => names === expected);
  await roles('what can be read is there', 'bill_app operator_one operator_three operator_two');
  folder.configMap('second', { 'users.yaml': 'users: [' });
  by('shop', { users: [], allowEmpty: true, roles: [{ name: 'shop_reader', sharedWith: ['bill'] }, { name: 'shop_old' }, { name: 'bill_x' }] });
  await roles('the other author is heard', 'bill_app operator_one operator_three operator_two shop_old shop_reader');
  await until(
    'consent of both sides is access',
    () => server.query(`SELECT FROM pg_auth_members WHERE roleid = 'shop_reader'::regrole AND member = 'bill_app'::regrole`),
    (found) => found.length === 1,
  );
  folder.document('second', [user('operator_two')]);
  by('shop', { users: [], allowEmpty: true, roles: [{ name: 'shop_reader', sharedWith: ['bill'] }] });
  await roles('each has removed its own', 'bill_app operator_one operator_two shop_reader');
  folder.gone('by-shop');
  folder.document('first', [user('operator_one'), user('operator_last')]);
  await roles('what is gone stays', 'bill_app operator_last operator_one operator_two shop_reader');
  expect(await daemon.stop()).toBe(0);
  daemon = undefined;
});
