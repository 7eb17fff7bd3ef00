// What a valid document says, and the limits of what is read.
import { describe, expect, it } from 'vitest';
import { parseDocument } from '../../src/document/parse.ts';
import { only, problemsOf, read } from './read.ts';

/** Of processor time, whatever else the machine does. */
const secondsSince = (before: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
};

describe('a valid document', () => {
  it('is read in the minimal form', () => {
    const document = read(`timestamp: '2026-01-08T07:48:58.039601'
users:
  - username: alice
    database: myapp          # default
    roles: [read_only, analyst]
    privileges: null
`);
    expect(document.problems).toEqual([]);
    expect(document.usable).toBe(true);
    expect(document.invalid).toEqual(new Set());
    expect(document.users).toEqual([
      {
        username: 'alice',
        database: 'myapp',
        databases: [],
        roles: [
          { name: 'read_only', position: { file: 'users.yaml', line: 5, column: 13 } },
          { name: 'analyst', position: { file: 'users.yaml', line: 5, column: 24 } },
        ],
        secret: { name: 'user-alice-secret', key: 'password' },
        secretIsDerived: true,
        login: true,
        said: '{"username":"alice","database":"myapp","privileges":null,"roles":["read_only","analyst"]}',
        position: { file: 'users.yaml', line: 3, column: 5 },
      },
    ]);
  });

  it('is read with every key that there is', () => {
    const user = only(`users:
  - username: service_account
    database: app
    databases: [logs, logs, stats]
    roles: [reader, {name: pg_monitor, admin: true, inherit: false, set: false}, reader]
    passwordSecretRef: {name: mydb-passwords, key: connector}
    connectionLimit: 5
    validUntil: 2027-01-31
    settings: {search_path: ['$user', public, MySchema], WORK_MEM: 4MB, jit: false, seed: 0.50, DateStyle: [ISO, DMY]}
    databaseSettings: {logs: {statement_timeout: 1000, app.tenant: [a b, c]}}
    comment: the connector
    login: false
    deletionPolicy: retain
    drain: 5m
`);
    expect(user).toEqual({
      username: 'service_account',
      database: 'app',
      databases: ['logs', 'stats'],
      roles: [
        { name: 'reader', position: { file: 'users.yaml', line: 5, column: 13 } },
        { name: 'pg_monitor', admin: true, inherit: false, set: false, position: { file: 'users.yaml', line: 5, column: 21 } },
      ],
      secret: { name: 'mydb-passwords', key: 'connector' },
      secretIsDerived: false,
      login: false,
      connectionLimit: 5,
      validUntil: '2027-01-31T00:00:00.000Z',
      settings: new Map([
        ['search_path', '"$user", public, "MySchema"'],
        ['work_mem', '4MB'],
        ['jit', 'off'],
        ['seed', '0.50'],
        ['datestyle', 'ISO, DMY'],
      ]),
      databaseSettings: new Map([
        [
          'logs',
          new Map([
            ['statement_timeout', '1000'],
            ['app.tenant', '"a b", c'],
          ]),
        ],
      ]),
      comment: 'the connector',
      deletionPolicy: 'retain',
      drain: '5m',
      said: expect.stringMatching(/^\{"username":"service_account",.*"seed":"0.50"/) as string,
      position: { file: 'users.yaml', line: 2, column: 5 },
    });
  });

  it('takes keys of the Object prototype as names wherever names are free', () => {
    const user = only(`users:
  - username: __proto__
    database: constructor
    roles: [valueOf, toString]
    databaseSettings: {__proto__: {__proto__: x}}
`);
    expect(user.username).toBe('__proto__');
    expect(user.roles.map((role) => role.name)).toEqual(['valueOf', 'toString']);
    expect(user.databaseSettings).toEqual(new Map([['__proto__', new Map([['__proto__', 'x']])]]));
  });

  it('may have no users at all only where it says so', () => {
    expect(read('users: []\nallowEmpty: true\n')).toMatchObject({ users: [], usable: true, problems: [] });
    expect(read('users: []\n').usable).toBe(false);
  });

  it('lets an own key win over a merged one, and an earlier source over a later one', () => {
    const { users } = read(`users:
  - &a {username: a, connectionLimit: 1, comment: from a}
  - &b {username: b, connectionLimit: 2, comment: from b, login: false}
  - {<<: [*a, *b], username: c, connectionLimit: 3}
`);
    expect(users[2]).toMatchObject({ username: 'c', connectionLimit: 3, comment: 'from a', login: false });
  });
});

describe('problems', () => {
  it('are told all at once, in the order of the document, with user and severity', () => {
    const { problems, invalid } = read('users:\n  - username: alice\n    rols: []\n    privileges: {t: [SELCT]}\n    login: 1\n');
    expect(problems).toEqual([
      {
        severity: 'error',
        position: { file: 'users.yaml', line: 3, column: 5 },
        path: 'users[0].rols',
        message: 'unknown key `rols`; did you mean `roles`?',
        username: 'alice',
      },
      {
        severity: 'error',
        position: { file: 'users.yaml', line: 4, column: 22 },
        path: 'users[0].privileges.t[0]',
        message: '`SELCT` is no privilege of a table; did you mean `SELECT`?',
        username: 'alice',
      },
      {
        severity: 'error',
        position: { file: 'users.yaml', line: 5, column: 12 },
        path: 'users[0].login',
        message: 'must be `true` or `false`, but is a number',
        username: 'alice',
      },
    ]);
    expect(invalid).toEqual(new Set(['alice']));
  });

  it('are the same whether entries are read one by one or the document as a whole', () => {
    const broken = '  - username: bob\n    rols: []\n    comment: 5\n';
    const splittable = `users:\n  - username: alice\n${broken}`;
    const whole = `${splittable}timestamp: the list is not the last thing here\n`;
    expect(problemsOf(splittable)).toEqual(problemsOf(whole));
    expect(problemsOf(splittable)).toHaveLength(2);
  });

  it('are counted, not listed, beyond 20,000', () => {
    const { problems } = read(`users:\n${'- 1\n'.repeat(20_005)}`);
    expect(problems).toHaveLength(20_001);
    expect(problems.at(-1)?.message).toBe('5 more problems are not listed');
  });
});

describe('limits', () => {
  const sized = (bytes: number): Uint8Array => {
    const start = 'users:\n  - username: keeper\n#';
    return new TextEncoder().encode(start.padEnd(bytes, 'x'));
  };

  it('read a document of 1 MiB, and not one byte more', () => {
    expect(parseDocument(sized(1_048_576), 'users.yaml').users).toHaveLength(1);
    const larger = parseDocument(sized(1_048_577), 'users.yaml');
    expect(larger).toMatchObject({ usable: false, users: [] });
    expect(larger.problems.map(({ message }) => message)).toEqual([
      'the document has 1048577 bytes; at most 1048576 are read, which is all that a ConfigMap can hold',
    ]);
  });

  it('stop an alias bomb at once, whether it is nested or wide', () => {
    const nested = `timestamp:\n${Array.from({ length: 40 }, (_, i) => ` - &a${i} [${i === 0 ? 'x' : `*a${i - 1}, `.repeat(10)}]`).join('\n')}\nusers:\n  - username: keeper\n`;
    const wide = `users:\n  - username: keeper\n    roles: &r [${'x, '.repeat(5000)}]\n${'  - {username: u, roles: *r}\n'.repeat(5000)}`;
    const merged = `users:\n  - &m {${Array.from({ length: 5000 }, (_, i) => `k${i}: 1`).join(', ')}}\n${'  - {<<: *m}\n'.repeat(5000)}`;
    const started = process.cpuUsage();
    for (const bomb of [nested, wide, merged]) {
      const { usable, problems } = read(bomb);
      expect(usable).toBe(false);
      expect(problems.map(({ message }) => message)).toEqual([
        'the aliases up to here stand for more than 250000 values; write the document with fewer of them',
      ]);
    }
    expect(secondsSince(started)).toBeLessThan(5);
  });

  it('read 10,000 users in well under a second on an idle machine', () => {
    const entry = (i: number): string =>
      `  - username: user_${i}\n    database: myapp\n    roles: [role_${i % 500}, role_${(i * 7) % 500}]\n    privileges: null\n`;
    const content = new TextEncoder().encode(`users:\n${Array.from({ length: 10_000 }, (_, i) => entry(i)).join('')}`);
    const started = process.cpuUsage();
    const { users, problems } = parseDocument(content, 'users.yaml');
    expect(secondsSince(started)).toBeLessThan(3);
    expect(users).toHaveLength(10_000);
    expect(problems).toEqual([]);
  });

  it('survive a chain, and a ring, of memberships as long as the document', () => {
    const size = 10_000;
    const chain = (last: number): string =>
      `users:\n${Array.from({ length: size }, (_, i) => `- username: u${i}\n  roles: [u${i + 1 === size ? last : i + 1}]\n`).join('')}`;
    expect(read(chain(size)).users).toHaveLength(size);
    const ring = read(chain(0));
    expect(ring.invalid.size).toBe(size);
    expect(ring.problems[0]?.message).toContain('`u0` → `u1` → `…` → `u0`');
  });
});
