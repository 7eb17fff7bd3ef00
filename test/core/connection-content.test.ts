// What connection Secrets say is read back by every client as it was meant, and generated passwords are as strong as they say.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectionContent, type ConnectionFacts, whyNotOurs, type PresentSecret, whyWritten } from '../../src/model/connection-content.ts';
import { bitsOf, generatePassword, lengthFor } from '../../src/model/generate.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';

const SEED = { seed: 20_261_121 };
const ALL_ASCII = Array.from({ length: 127 }, (_, index) => String.fromCharCode(index + 1)).join('');
/** Everything that a password may be: no NUL, and no half of a character. */
const text = fc
  .oneof(fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }), fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }), fc.constant(ALL_ASCII))
  .filter((value) => !value.includes('\0') && value.isWellFormed());

const facts = (more: Partial<ConnectionFacts> = {}, entry: Partial<ConnectionFacts['entry']> = {}): ConnectionFacts => ({
  host: 'db.example.com',
  port: 5432,
  sslmode: 'prefer',
  database: 'shop',
  username: 'alice',
  declaredUser: 'alice',
  source: 'postgres/users',
  ...more,
  entry: {
    name: 'alice-db',
    namespace: undefined,
    database: undefined,
    template: new Map(),
    labels: new Map(),
    annotations: new Map(),
    uris: new Map(),
    position: { file: 'users.yaml', line: 1, column: 1 },
    ...entry,
  },
});
const dataOf = (of: ConnectionFacts, password: string): Record<string, string> => Object.fromEntries(connectionContent(of, password).data);
/** As the API server would return it. */
const stored = (of: ConnectionFacts, password: string): PresentSecret & { data: Record<string, string> } => {
  const { labels, annotations, data } = connectionContent(of, password);
  return {
    labels,
    annotations,
    type: 'servicebinding.io/postgresql',
    data: Object.fromEntries([...data].map(([key, value]) => [key, Buffer.from(value).toString('base64')])),
  };
};

describe('the URIs of a connection Secret', () => {
  it('give user, password and database back to node-postgres', () => {
    fc.assert(
      fc.property(text, text, (username, password) => {
        const client = new pg.Client(dataOf(facts({ username, database: "o'hare: a@b & c=+$,; ü" }), password)['uri']);
        expect([client.user, client.password, client.database]).toEqual([username, password, "o'hare: a@b & c=+$,; ü"]);
        expect([client.host, client.port]).toEqual(['db.example.com', 5432]);
      }),
      { ...SEED, numRuns: 2000 },
    );
  });

  it('hold nothing but what RFC 3986 allows, and give everything back by percent signs alone, as Go and JDBC read them', () => {
    fc.assert(
      fc.property(text, text, text, (username, password, database) => {
        const { uri = '', 'jdbc-uri': jdbc = '' } = dataOf(facts({ username, database }), password);
        const [, user = '', secret = '', path = ''] = /^postgresql:\/\/([\w.~%-]+):([\w.~%-]+)@db\.example\.com:5432\/([\w.~%:@&=+$,;-]+)$/.exec(uri) ?? [];
        expect([user, secret, path].map(decodeURIComponent)).toEqual([username, password, database]);
        const [, home = '', query = ''] = /^jdbc:postgresql:\/\/db\.example\.com:5432\/([\w.~%-]+)\?([\w.~%&=-]+)$/.exec(jdbc) ?? [];
        expect(decodeURIComponent(home)).toBe(database);
        // URLSearchParams decodes forms as java.net.URLDecoder does: a plus sign would be a space.
        expect([...new URLSearchParams(query)]).toEqual([
          ['user', username],
          ['password', password],
        ]);
      }),
      { ...SEED, numRuns: 2000 },
    );
  });

  it('put IPv6 addresses in brackets, other ways beside the first, and say the sslmode that libpq would not choose itself', () => {
    const data = dataOf(
      facts(
        { host: 'fd00::1', sslmode: 'verify-full' },
        {
          uris: new Map([
            ['pooler', { host: 'pgbouncer', port: 6432 }],
            ['ro', { host: '::1', port: undefined }],
          ]),
        },
      ),
      'x',
    );
    expect(data).toMatchObject({
      host: 'fd00::1',
      PGHOST: 'fd00::1',
      uri: 'postgresql://alice:x@[fd00::1]:5432/shop?sslmode=verify-full',
      'jdbc-uri': 'jdbc:postgresql://[fd00::1]:5432/shop?user=alice&password=x&sslmode=verify-full',
      'pooler-uri': 'postgresql://alice:x@pgbouncer:6432/shop?sslmode=verify-full',
      'pooler-jdbc-uri': 'jdbc:postgresql://pgbouncer:6432/shop?user=alice&password=x&sslmode=verify-full',
      'ro-uri': 'postgresql://alice:x@[::1]:5432/shop?sslmode=verify-full',
    });
    const client = new pg.Client({ connectionString: data['uri']?.replace(/\?.*/, '') });
    expect(client.host).toBe('fd00::1');
    expect(new URL(data['uri'] ?? '').hostname).toBe('[fd00::1]');
  });

  it('are filled into templates, and a value that looks like a template is none', () => {
    const data = dataOf(facts({}, { template: new Map([['DSN', 'host={{host}} user={{ username }} pw={{ password }}!']]) }), '{{ host }}');
    expect(data['DSN']).toBe('host=db.example.com user=alice pw={{ host }}!');
  });
});

const PSQL = '/usr/bin/psql';
describe.runIf(existsSync(PSQL))('psql', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());

  it('logs in with every character that there is, by the URI alone', async () => {
    const names = ['alice', 'o’hare @:/?#[]%', ALL_ASCII.slice(31, 94).replaceAll(/['\\"]/g, '')];
    for (const [index, username] of names.entries()) {
      const password = [...ALL_ASCII].toReversed().join('') + ['', 'пароль', '🔑é'][index];
      await server.query(`CREATE ROLE "${username}" LOGIN PASSWORD ${pg.escapeLiteral(password)}`);
      const { uri = '' } = dataOf(facts({ host: server.host, port: server.port, username, database: 'postgres' }), password);
      const { stdout } = await promisify(execFile)(PSQL, [uri, '-AtXc', 'SELECT current_user'], { env: { PGCONNECT_TIMEOUT: '10' } });
      expect(stdout.trim()).toBe(username.trim());
    }
  });
});

describe('a connection Secret that is there', () => {
  it('is written again for what changed, and for nothing else', () => {
    const of = facts();
    const present = stored(of, 'secret');
    const why = (of: ConnectionFacts, password: string, more: Partial<PresentSecret> = {}) => whyWritten(of, password, { ...present, ...more });
    expect(whyWritten(of, 'secret', undefined)).toBe('new');
    expect(why(of, 'secret')).toBeUndefined();
    expect(why(of, 'secret', { data: { ...present.data, theirs: 'eA==' }, labels: { ...present.labels, theirs: 'x' } })).toBeUndefined();
    expect(why(of, 'another')).toBe('rotated');
    expect(whyWritten(of, undefined, present)).toBe('rotated');
    expect(why(facts({ host: 'elsewhere' }), 'secret')).toBe('changed');
    expect(why(facts({}, { template: new Map([['A', 'b']]) }), 'secret')).toBe('changed');
    expect(why(of, 'secret', { data: { ...present.data, PGHOST: 'ZXZpbA==' } })).toBe('drift');
    expect(why(of, 'secret', { data: { ...present.data, password: 'ZXZpbA==' } })).toBe('drift');
    const { uri: _, ...rest } = present.data;
    expect(why(of, 'secret', { data: rest })).toBe('drift');
    // A key of a template that is gone from the document is still there.
    expect(whyWritten(of, 'secret', stored(facts({}, { template: new Map([['A', 'b']]) }), 'secret'))).toBe('changed');
  });

  it('is ours only with our label, for this user and from this source', () => {
    const of = facts();
    const present = stored(of, 'x');
    expect(whyNotOurs(present, of)).toBeUndefined();
    expect(whyNotOurs({ ...present, labels: {} }, of)).toContain('somebody else');
    expect(whyNotOurs(present, facts({ declaredUser: 'bob' }))).toContain('something else');
    expect(whyNotOurs(present, facts({ source: 'other/users' }))).toContain('another pgsteward');
  });

  it('says what it was made from without anything of the password', () => {
    const [one, two] = ['one', 'two'].map((password) => connectionContent(facts(), password));
    expect([one?.labels, one?.annotations]).toEqual([two?.labels, two?.annotations]);
  });
});

describe('a generated password', () => {
  it('has the length and only the characters of its alphabet, all of them as often', () => {
    for (const [alphabet, pattern, size] of [
      ['alphanumeric', /^[A-Za-z0-9]+$/, 62],
      ['hex', /^[0-9a-f]+$/, 16],
    ] as const) {
      const draws = size * 2000;
      const counts = new Map<string, number>();
      for (let drawn = 0; drawn < draws; drawn += 1000) {
        const password = generatePassword({ kind: 'generate', length: 1000, alphabet });
        expect(password).toMatch(pattern);
        expect(password).toHaveLength(1000);
        for (const character of password) counts.set(character, (counts.get(character) ?? 0) + 1);
      }
      expect(counts.size).toBe(size);
      const each = (Math.ceil(draws / 1000) * 1000) / size;
      const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - each) ** 2 / each, 0);
      // Once in ten million runs; a byte modulo 62 gives thousands.
      expect(chiSquare).toBeLessThan(alphabet === 'hex' ? 62 : 135);
    }
  });

  it('is never the same twice, and safe from the shortest length on that the document may ask for', () => {
    const many = new Set(Array.from({ length: 2000 }, () => generatePassword({ kind: 'generate', length: 32, alphabet: 'hex' })));
    expect(many.size).toBe(2000);
    expect([lengthFor('alphanumeric'), lengthFor('hex')]).toEqual([22, 32]);
    for (const alphabet of ['alphanumeric', 'hex'] as const) {
      expect(bitsOf(lengthFor(alphabet), alphabet)).toBeGreaterThanOrEqual(128);
      expect(bitsOf(lengthFor(alphabet) - 1, alphabet)).toBeLessThan(128);
    }
  });
});
