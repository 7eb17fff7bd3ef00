// What Secrets of a server's admin say, as operators write them and as somebody with other plans does.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseServers } from '../../src/document/servers.ts';
import { yamlOf } from '../../src/document/write-yaml.ts';
import { adminCredentialsIn } from '../../src/plan/secrets/admin-credentials.ts';
import { discoveredIn } from '../../src/plan/secrets/discovered.ts';

const values = (given: Readonly<Record<string, string>>) => new Map(Object.entries(given).map(([key, text]) => [key, Buffer.from(text)]));
const read = (given: Readonly<Record<string, string>>, ref: object = {}) => adminCredentialsIn(values(given), { name: 's', ...ref });

const CNPG = {
  username: 'postgres',
  password: 'p',
  host: 'orders-rw',
  port: '5432',
  dbname: '*',
  uri: 'postgresql://postgres:p@orders-rw.db:5432/*',
  'fqdn-uri': 'postgresql://postgres:p@orders-rw.db.svc.cluster.local:5432/*',
};

describe('as it is written by', () => {
  it.each([
    ['CloudNativePG', CNPG, { host: 'orders-rw.db.svc.cluster.local', port: 5432 }, undefined],
    ['Zalando', { username: 'postgres', password: 'p' }, undefined, undefined],
    [
      'Crunchy',
      { user: 'postgres', password: 'p', host: 'orders-primary.db.svc', port: '5433', dbname: 'app', verifier: 'SCRAM-SHA-256$x' },
      { host: 'orders-primary.db.svc', port: 5433 },
      'app',
    ],
    [
      'a Service Binding',
      { type: 'postgresql', username: 'postgres', password: 'p', host: '10.0.0.1', port: '5432', database: 'app' },
      { host: '10.0.0.1', port: 5432 },
      'app',
    ],
    ['basic-auth, with newlines of an editor', { username: 'postgres\n', password: 'p\n' }, undefined, undefined],
  ] as const)('%s', (_who, secret, address, database) => {
    expect(read(secret)).toEqual({ user: 'postgres', passwords: ['p'], address, database });
  });

  it('keys of other names, and a rotation that is not finished', () => {
    expect(read({ u: 'steward', pw: 'one', 'pw-next': 'two' }, { usernameKey: 'u', passwordKey: 'pw' })).toMatchObject({
      user: 'steward',
      passwords: ['one', 'two'],
    });
  });
});

describe('nobody is led', () => {
  it.each(['/var/run/postgresql', '@abstract', 'a,b', 'a b', 'a?host=/tmp', 'a\u0000b', 'ü.example', '-x', 'a\u001b[31m'])('to the host %j', (host) => {
    const found = read({ username: 'u', password: 'p', host });
    expect(found).toMatchObject({ address: undefined });
  });
  it.each(['0', '65536', '1e3x', '-1', '5432; DROP'])('to the port %j', (port) => {
    expect(read({ username: 'u', password: 'p', host: 'h', port })).toMatchObject({ address: undefined });
  });
  it('and what is missing is named without a value', () => {
    expect(read({})).toBe('has no key username or user with the name of a role');
    expect(read({ username: 'u' })).toBe('has no password under the key password');
    expect(read({ username: 'u\u0000', password: 'p' })).toBe('names a user that no role can be called');
  });
  it('by any values: there are credentials or a reason, which holds none of them', () => {
    const key = fc.constantFrom('username', 'user', 'password', 'host', 'port', 'dbname', 'fqdn-uri', 'x');
    fc.assert(
      fc.property(fc.array(fc.tuple(key, fc.uint8Array({ maxLength: 40 }))), (entries) => {
        const found = adminCredentialsIn(new Map(entries), { name: 's' });
        if (typeof found === 'string') expect(found).toMatch(/^(?:has no|names a user) [a-z ]+$/);
        else expect(found.address?.host ?? 'h').toMatch(/^[\w.:-]+$/);
      }),
      { seed: 3, numRuns: 500 },
    );
  });
});

it('discovered servers are entries of a valid servers.yaml, each once, with no password in them', () => {
  const secret = (name: string, labels: object, given: Readonly<Record<string, string>>) => ({
    name,
    labels: { ...labels },
    values: values({ password: 'sesame', ...given }),
  });
  const found = discoveredIn(
    [
      secret(
        'orders-superuser',
        { 'cnpg.io/cluster': 'orders', 'cnpg.io/userType': 'superuser' },
        { ...CNPG, password: 'sesame', 'fqdn-uri': 'postgresql://postgres:sesame@orders-rw.db.svc.cluster.local:5432/*' },
      ),
      secret('postgres.shop.credentials.postgresql.acid.zalan.do', { application: 'spilo', 'cluster-name': 'shop' }, { username: 'postgres' }),
      secret('standby.shop.credentials.postgresql.acid.zalan.do', { application: 'spilo', 'cluster-name': 'shop' }, { username: 'standby' }),
      secret(
        'hippo-pguser-app',
        { 'postgres-operator.crunchydata.com/cluster': 'hippo', 'postgres-operator.crunchydata.com/pguser': 'app' },
        { user: 'app', host: 'hippo-primary.db.svc', port: '5432' },
      ),
      secret(
        'hippo-pguser-postgres',
        { 'postgres-operator.crunchydata.com/cluster': 'hippo', 'postgres-operator.crunchydata.com/pguser': 'postgres' },
        { user: 'postgres', host: 'hippo-primary.db.svc' },
      ),
      secret('plain.one', {}, { username: 'u', host: 'fd00::1', port: '5433' }),
      secret('No_Name', {}, { username: 'u', host: 'h' }),
      secret('another', { 'pgsteward.dev/server': 'orders' }, { username: 'u', host: '10.0.0.9' }),
      secret('user-alice-secret', {}, {}),
      // A connection Secret of our own leads to the same server, as one of its users; and so does what somebody wrote by hand.
      secret('alice-connection', { 'app.kubernetes.io/managed-by': 'pgsteward' }, { username: 'alice', host: '10.0.0.77' }),
      secret('by-hand-superuser', {}, { username: 'steward', host: 'shop.db.svc' }),
    ],
    'db',
  );
  const text = yamlOf(new Map([['servers', found.map(({ entry }) => entry)]]));
  const { servers, problems } = parseServers(Buffer.from(text), 'servers.yaml');
  expect(problems).toEqual([]);
  expect(servers.map(({ name, adminSecretRef, hosts: [at] }) => `${name} ${adminSecretRef.name} ${at?.host} ${at?.port}`)).toMatchInlineSnapshot(`
    [
      "hippo hippo-pguser-postgres hippo-primary.db.svc 5432",
      "orders orders-superuser orders-rw.db.svc.cluster.local 5432",
      "shop postgres.shop.credentials.postgresql.acid.zalan.do shop.db.svc 5432",
      "orders-2 another 10.0.0.9 5432",
      "plain-one plain.one fd00::1 5433",
    ]
  `);
  expect(text + JSON.stringify(found.map(({ remarks }) => remarks))).not.toContain('sesame');
});
