// servers.yaml: every problem at its place, an entry that is wrong keeps only itself out, and the schema says of shapes what the reader says.
import { Ajv } from 'ajv';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { parseServers } from '../../src/document/servers.ts';
import { POLICY_SHAPES, serversSchema } from '../../src/document/servers-shape.ts';
import { SETTINGS } from '../../src/config.ts';
import { callHere } from '../commands/call.ts';

const read = (text: string) => parseServers(Buffer.from(text), 'servers.yaml');
const said = (text: string): readonly string[] =>
  read(text).problems.map(({ position: { line, column }, path, message }) => `${line}:${column} ${path}: ${message}`);
const accepts = new Ajv({ allErrors: true, allowUnionTypes: true }).compile(serversSchema());

const FULL = {
  name: 'orders',
  hosts: ['orders-rw.db.svc:5432', '[fd00::1]:5433', 'standby'],
  database: 'postgres',
  adminSecretRef: { name: 'orders-steward', usernameKey: 'user', passwordKey: 'pass' },
  tls: { mode: 'verify-full', caSecretRef: { name: 'orders-ca', key: 'ca.crt' } },
  connection: { host: 'pooler.db.svc', port: 6432, sslmode: 'require' },
  policy: {
    dryRun: true,
    syncInterval: 10,
    driftInterval: 2.5,
    deletionPolicy: 'drop',
    drain: '5m',
    maxDeletions: 5,
    revokes: 'report',
    eventTriggers: 'auto',
    passwordProbe: 'salt',
    adminRotation: 'on',
    adminRotationEvery: '12h',
    maxObjects: 1000,
    maxListeners: 3,
    maxRetries: 2,
    dbPoolMaxConn: 3,
    dbLockTimeout: 1,
    dbStatementTimeout: 30,
    auditRetention: '30d',
    auditMaxRows: 10_000,
    reassignTo: 'heir',
    reassignToPowerful: 'boss',
    movedFrom: 'unknown',
    protectedRoles: ['app'],
    allowedRoles: ['pg_monitor'],
    allowedSettings: ['log_min_duration_statement'],
    allowedExtensions: ['postgis'],
  },
  secretsSelector: { 'pgsteward.dev/server': 'orders' },
  documents: [{ name: 'orders-users' }],
};
const AUTHOR = {
  name: 'team-shop',
  from: { namespace: 'team-shop', matchLabels: { 'pgsteward.dev/server': 'orders' } },
  may: {
    names: ['shop_*'],
    databases: ['shop', 'shop_*'],
    schemas: ['public'],
    roles: ['reporting_read'],
    users: 50,
    declaredRoles: 5,
    connections: 100,
    settings: ['Work_Mem'],
    create: true,
    connectionSecrets: true,
  },
  onGone: 'remove',
  grace: '2d',
  maxDeletions: 2,
};
const yaml = (...servers: readonly unknown[]): string => stringify({ servers });

describe('what is read', () => {
  it('is everything that may stand there', () => {
    const { servers, problems, invalid, complete } = read(yaml(FULL, { name: 'small', adminSecretRef: { name: 's' }, documents: [{ name: 'd' }] }));
    expect(problems).toEqual([]);
    expect({ invalid, complete }).toEqual({ invalid: new Set(), complete: true });
    expect(JSON.parse(JSON.stringify(servers[0]))).toEqual({
      ...FULL,
      hosts: [
        { host: 'orders-rw.db.svc', port: 5432 },
        { host: 'fd00::1', port: 5433 },
        { host: 'standby', port: 5432 },
      ],
      authors: [],
      position: { file: 'servers.yaml', line: 2, column: 5 },
    });
    expect(servers[1]).toMatchObject({ name: 'small', hosts: [], policy: {}, database: undefined });
  });

  it('is also what must never be on a server, in the form that the operator has it, at its place', () => {
    const rail = { name: 'payroll', never: 'SELECT', on: { database: '*', schema: 'hr', tables: ['salaries'] }, by: '*', except: ['payroll_app'] };
    const entry = (name: string, guardrails: unknown) => ({ name, adminSecretRef: { name: 's' }, policy: { guardrails }, documents: [{ name }] });
    const fleet = read(
      yaml(entry('good', [rail]), entry('none', []), entry('wrong', [{ ...rail, by: undefined, never: 'SELEC' }, rail]), entry('odd', { a: 1 })),
    );
    expect(fleet.servers.map(({ name, policy }) => [name, (policy.guardrails ?? []).map((one) => [one.name, one.origin, [...one.except]])])).toEqual([
      ['good', [['payroll', 'operator', ['payroll_app']]]],
      ['none', []],
    ]);
    expect(fleet.invalid).toEqual(new Set(['wrong', 'odd']));
    expect(fleet.problems.map(({ path, message }) => `${path}: ${message}`)).toEqual([
      'servers[2].policy.guardrails[0]: the key `by` is missing',
      expect.stringMatching(/^servers\[2\]\.policy\.guardrails\[0\]\.never: `SELEC` is no privilege of a table.*did you mean `SELECT`/),
      'servers[2].policy.guardrails[1].name: there are two guardrails called `payroll`; choose another name',
      expect.stringMatching(/^servers\[3\]\.policy\.guardrails: must be a list of guardrails/),
    ]);
    expect([accepts(parse(yaml(entry('good', [rail])))), accepts(parse(yaml(entry('odd', { a: 1 }))))]).toEqual([true, false]);
  });

  it('names settings of the environment in its policy', () => {
    for (const key of Object.keys(POLICY_SHAPES)) expect(SETTINGS).toContain(key.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase());
  });
});

describe('what is wrong', () => {
  it('is told all at once, each at its place, and keeps only its own entry out', () => {
    const text = `servers:
  - name: Orders
    hosts: ['/var/run/postgresql', 'a:0', 'ok:1']
    adminSecretRef: {name: UPPER}
    polcy: {}
  - name: good
    adminSecretRef: {name: s}
    documents: [{name: d}]
  - name: second
    adminSecretRef: {nam: s}
    tls: {mode: on}
    policy: {maxDeletions: -1, deletionPolicy: dorp, syncInterval: soon, protectedRoles: [pg*]}
    documents: [{name: d2}, {name: d2}]
`;
    expect(said(text)).toMatchInlineSnapshot(`
      [
        "2:11 servers[0].name: a server is called by 1 to 63 lower-case letters, digits and \`-\`",
        "3:13 servers[0].hosts[0]: must be \`host:port\`, as \`orders-rw.db.svc:5432\` or \`[fd00::1]:5432\`",
        "3:36 servers[0].hosts[1]: must be \`host:port\`, as \`orders-rw.db.svc:5432\` or \`[fd00::1]:5432\`",
        "4:28 servers[0].adminSecretRef.name: this is no name of a Secret; use lower-case letters, digits, \`-\` and \`.\`, with a letter or digit at both ends of each part",
        "5:5 servers[0].polcy: unknown key \`polcy\`; did you mean \`policy\`?",
        "10:21 servers[2].adminSecretRef: the key \`name\` is missing",
        "10:22 servers[2].adminSecretRef.nam: unknown key \`nam\`; did you mean \`name\`?",
        "11:17 servers[2].tls.mode: must be \`disable\` or \`prefer\` or \`require\` or \`verify-ca\` or \`verify-full\`",
        "12:28 servers[2].policy.maxDeletions: must be a whole number from 0 to 2147483647",
        "12:48 servers[2].policy.deletionPolicy: must be \`drop\` or \`disable\` or \`retain\`; did you mean \`drop\`?",
        "12:68 servers[2].policy.syncInterval: must be a number from 0.1 to 1000000",
        "12:91 servers[2].policy.protectedRoles[0]: \`pg*\` is a pattern, and only exact names are taken here",
      ]
    `);
    expect(read(text)).toMatchObject({ invalid: new Set(['Orders', 'second']), complete: false });
    expect(read(text).servers.map(({ name }) => name)).toEqual(['good']);
  });

  it('is two servers of one name, and one document of two servers, in both', () => {
    const one = (name: string, document: string) => ({ name, adminSecretRef: { name: 's' }, documents: [{ name: document }] });
    const fleet = read(yaml(one('a', '1'), one('a', '2'), one('b', '3'), one('c', '3'), one('d', '4')));
    expect(fleet.servers.map(({ name }) => name)).toEqual(['d']);
    expect(fleet.invalid).toEqual(new Set(['a', 'b', 'c']));
    expect(fleet.problems).toHaveLength(4);
  });

  it('as many servers are read as there may be, with so many names, and none more', () => {
    const many = (count: number, names = 1) =>
      read(
        yaml(
          ...Array.from({ length: count }, (_, at) => ({
            name: `s${at}`,
            adminSecretRef: { name: 's' },
            documents: [{ name: `d${at}` }],
            policy: { protectedRoles: Array.from({ length: names }, (_unused, name) => `r${name}`) },
          })),
        ),
      );
    expect(many(500).servers).toHaveLength(500);
    expect(many(501)).toMatchObject({ servers: [], complete: false });
    expect(many(1, 200).servers).toHaveLength(1);
    expect(many(1, 201)).toMatchObject({ servers: [], invalid: new Set(['s0']), complete: true });
  });

  it('leaves nobody gone where it is not known which server is meant', () => {
    for (const text of [
      'servers: [{adminSecretRef: {name: s}}]',
      'servers: [5]',
      'servers: {}',
      'servers',
      '',
      'servers: [\n',
      'server: []',
      'servers: []',
      'servers: []\nservers: []',
    ])
      expect({ text, ...read(text) }).toMatchObject({ text, complete: false, servers: [] });
    expect(read('servers: [{name: a, name: b}]').invalid).toEqual(new Set(['a', 'b']));
    // `orders` may be meant, which is kept.
    expect(read(`servers: [{name: Orders, adminSecretRef: {name: s}, documents: [{name: d}]}]`)).toMatchObject({ complete: false, servers: [] });
    expect(said('servers: []')).toEqual(['1:10 servers: the list of servers is empty, so nothing is changed: every server is kept as it was']);
  });

  it('keeps the Secrets of every entry from documents, also of one that is wrong', () => {
    const text = `servers:
  - {name: a, adminSecretRef: {name: a-admin}, tls: {mode: verify-full, caSecretRef: {name: a-ca}}, documents: [{name: d}]}
  - {name: b, adminSecretRef: {name: b-admin, name: b-second}, polcy: {}, documents: [{name: d}]}
  - {adminSecretRef: {name: c-admin}}
  - 5
`;
    expect(read(text).reserved).toEqual(new Set(['a-admin', 'a-ca', 'b-admin', 'b-second', 'c-admin']));
  });

  it('is told of what is wrong with an author', () => {
    expect(read(yaml({ ...FULL, authors: [AUTHOR] })).problems).toEqual([]);
    const wrong = { ...AUTHOR, onGone: 'keep', may: { ...AUTHOR.may, names: [], user: 1 }, from: { namespace: 'A', matchLabels: { 'a b': 'c d' } } };
    expect(
      read(yaml({ ...FULL, authors: [wrong] }))
        .problems.map(({ path }) => path)
        .toSorted(),
    ).toEqual([
      'servers[0].authors[0].from.matchLabels["a b"]',
      'servers[0].authors[0].from.matchLabels["a b"]',
      'servers[0].authors[0].from.namespace',
      'servers[0].authors[0].may.names',
      'servers[0].authors[0].may.user',
    ]);
  });

  it('no author is called as `movedTo` calls the operator', () => {
    const author = { name: 'operator', from: { namespace: 'x', matchLabels: { a: 'b' } }, may: { names: ['x_*'] } };
    expect(said(stringify({ servers: [{ ...FULL, authors: [author] }] })).join('\n')).toMatch(/authors\[0\]\.name: `operator` is how `movedTo` calls you/);
  });

  it('no text stops or outwits it: half YAML, aliases, prototypes, tags, NUL, control characters', () => {
    for (const text of [
      '\u0000',
      'servers: &a [*a]',
      'servers: [{<<: {name: a}}]',
      'servers: !!js/function x',
      `servers: [${'['.repeat(200)}`,
      '\u{feff}servers: []',
      'servers: [{__proto__: {name: x}}]',
      `servers: [{name: a, adminSecretRef: {name: s}, documents: [{name: d}], policy: {__proto__: {dryRun: false}}}]`,
    ])
      expect(() => read(text), text).not.toThrow();
    const [problem = ''] = said('servers: [{name: "a\\u001b[31m\\u202e", adminSecretRef: {name: s}, documents: [{name: d}], "k\\u001b": 1}]');
    // oxlint-disable-next-line no-control-regex
    expect(problem).not.toMatch(/[\u001b\u202e]/);
    const many = `a: &a [${Array.from({ length: 200 }, () => '{name: x}').join()}]\nservers: [${Array.from({ length: 400 }, () => '{name: s, documents: *a}').join()}]`;
    expect(read(many).servers).toEqual([]);
  });
});

/** What the reader says of keys, types, words and numbers of items, which is what a schema can see. */
const SHAPE = /^unknown key |, but is |^the key `\w+` is missing|^must be (?:a (?:whole )?number|`\w)|^the (?:list|mapping) is empty|^there are \d+ /;
const NOT_SHAPE = /a duration|system identifier|`host:port`/;

function agree(value: unknown): void {
  const { problems } = parseServers(Buffer.from(JSON.stringify(value)), 'servers.yaml');
  const shape = problems.filter(({ message }) => SHAPE.test(message) && !NOT_SHAPE.test(message));
  const schema = accepts(value);
  if (schema ? shape.length === 0 : problems.length > 0) return;
  expect.fail(`${JSON.stringify(value)}\nschema: ${schema} ${JSON.stringify(accepts.errors)}\nreader: ${JSON.stringify(problems)}`);
}

/** Every place of a value that can be changed. */
function placesOf(value: unknown, path: readonly (string | number)[] = []): readonly (readonly (string | number)[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, below]) => placesOf(below, [...path, key]))];
}

function changed(value: unknown, [step, ...rest]: readonly (string | number)[], by: (before: unknown) => unknown): unknown {
  if (step === undefined) return by(value);
  const copy: Record<string, unknown> = Array.isArray(value) ? ([...value] as unknown as Record<string, unknown>) : { ...(value as object) };
  copy[step] = changed(copy[step], rest, by);
  return copy;
}

describe('the schema and the reader', () => {
  const whole = { servers: [{ ...FULL, authors: [AUTHOR] }] };
  const places = placesOf(whole);
  it('agree on any change of anything', () => {
    expect(accepts(whole)).toBe(true);
    const other = fc.constantFrom<unknown>(null, true, 0, -5, 1.5, 3, 'x', '', [], {}, ['x'], { a: 'b' }, [{}], 1e12, undefined, 'drop', [[]]);
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom(...places), other, fc.boolean()), { minLength: 1, maxLength: 3 }), (changes) => {
        let value: unknown = whole;
        for (const [path, to, adds] of changes) {
          const isThere = path.reduce<unknown>(
            (at, step) => (typeof at === 'object' && at !== null ? (at as Record<string, unknown>)[step] : undefined),
            value,
          );
          if (path.length > 0 && isThere === undefined) continue;
          value = changed(value, path, (before) =>
            adds && typeof before === 'object' && before !== null && !Array.isArray(before) ? { ...before, more: to } : to,
          );
        }
        agree(JSON.parse(JSON.stringify(value ?? null)));
      }),
      { seed: 20_261_128, numRuns: 500 },
    );
  });

  it('agree on anything', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => agree({ servers: value })),
      { seed: 1, numRuns: 300 },
    );
  });
});

describe('the verbs', () => {
  const CONFIGMAP = `apiVersion: v1
kind: ConfigMap
metadata: {name: servers, namespace: postgres}
data:
  servers.yaml: |
    servers:
      - name: one
        adminSecretRef: {name: s}
        documents: [{name: one-users}]
      - name: two
        adminSecretRef: {name: s}
        documents: [{name: two-users}]
        nam: x
`;
  const documents = (second: string): string =>
    ['one-users', 'two-users', 'other']
      .map(
        (name, at) =>
          `---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata:\n  users.yaml: |\n    users: [{username: ${at === 1 ? second : 'alice'}}]\n`,
      )
      .join('');

  it('validate says what is wrong at its place in a manifest, and holds only documents of one server against each other', async () => {
    const { code, stdout } = await callHere(['validate', '-'], CONFIGMAP + documents('alice'));
    expect(stdout).toBe(
      '-:13:9: servers[1].nam: unknown key `nam`; did you mean `name`?\nerrors: 1, warnings: 0; documents: 3, with valid users: 3, roles: 0, databases: 0, servers: 1\n',
    );
    expect(code).toBe(1);
    expect((await callHere(['validate', '-'], yaml(FULL))).stdout).toContain('documents: 0, with valid users: 0, roles: 0, databases: 0, servers: 1');
  });

  it('schema prints the schema', async () => {
    expect(JSON.parse((await callHere(['schema', 'servers.yaml'])).stdout)).toMatchObject({ title: 'pgsteward servers.yaml' });
    expect(await callHere(['schema', 'x'])).toMatchObject({ code: 1 });
  });
});
