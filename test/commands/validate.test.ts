// validate: what is wrong with documents, wherever they stand, in every form in which it is said.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { asGithub, asJson, asText, isRefused } from '../../src/commands/verdict.ts';
import { parseDocument } from '../../src/document/parse.ts';
import { ROOT } from '../support/daemon.ts';
import { scratch } from '../support/scratch.ts';
import { call, type Called, callHere } from './call.ts';

let folder = '';
beforeEach(() => {
  folder = scratch('v');
});

/** Writes a file; its path. */
function file(name: string, content: string | Buffer): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

/** Calls the verb, with names of files as they are in their folder. */
async function validate(args: readonly string[], stdin = ''): Promise<Called> {
  const called = await callHere(['validate', ...args], stdin);
  return { ...called, stdout: called.stdout.replaceAll(`${folder}/`, '') };
}

const indented = (content: string, by: number): string => content.replaceAll(/^(?=.)/gm, ' '.repeat(by));
const configMap = (content: string, name = 'postgres-users-config'): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}, namespace: postgres}\ndata:\n  users.yaml: |\n${indented(content, 4)}`;
const SECRET = 'apiVersion: v1\nkind: Secret\nmetadata: {name: user-alice-secret}\nstringData: {password: sesame}\n';
const GOOD = 'users:\n  - username: alice\n    roles: [reader]\n';
const MISSPELT = 'users:\n  - username: alice\n  - username: bob\n    rols: [reader]\n';
const UNKNOWN_KEY = 'users[1].rols: unknown key `rols`; did you mean `roles`?';

describe('the forms', () => {
  const WARNED = 'roles: [{name: reader}]\nusers:\n  - {username: carol, validUntil: 2020-01-01}\n';
  const paths = (): readonly string[] => [
    file('a,b:100%.yaml', MISSPELT),
    file('manifests.yaml', `${SECRET}---\n${configMap(MISSPELT)}`),
    file('roles.yaml', WARNED),
  ];

  it('text: a line for each problem at its place in its file, and one with counts', async () => {
    expect(await validate(paths())).toMatchInlineSnapshot(`
      {
        "code": 1,
        "stderr": "",
        "stdout": "a,b:100%.yaml:2:15: users[0].username: the user \`alice\` stands here and in \`users[0]\` of \`manifests.yaml\`; keep one entry
      a,b:100%.yaml:3:15: users[1].username: the user \`bob\` stands here and in \`users[1]\` of \`manifests.yaml\`; keep one entry
      a,b:100%.yaml:4:5: users[1].rols: unknown key \`rols\`; did you mean \`roles\`?
      manifests.yaml:12:19: users[0].username: the user \`alice\` stands here and in \`users[0]\` of \`a,b:100%.yaml\`; keep one entry
      manifests.yaml:13:19: users[1].username: the user \`bob\` stands here and in \`users[1]\` of \`a,b:100%.yaml\`; keep one entry
      manifests.yaml:14:9: users[1].rols: unknown key \`rols\`; did you mean \`roles\`?
      errors: 6, warnings: 0; documents: 3, with valid users: 1, roles: 1, databases: 0
      ",
      }
    `);
  });

  it('json', async () => {
    expect(JSON.parse((await validate(['-o', 'json', ...paths()])).stdout)).toMatchInlineSnapshot(`
      {
        "documents": 3,
        "errors": 6,
        "problems": [
          {
            "column": 15,
            "file": "a,b:100%.yaml",
            "line": 2,
            "message": "the user \`alice\` stands here and in \`users[0]\` of \`manifests.yaml\`; keep one entry",
            "name": "alice",
            "path": "users[0].username",
            "severity": "error",
          },
          {
            "column": 15,
            "file": "a,b:100%.yaml",
            "line": 3,
            "message": "the user \`bob\` stands here and in \`users[1]\` of \`manifests.yaml\`; keep one entry",
            "name": "bob",
            "path": "users[1].username",
            "severity": "error",
          },
          {
            "column": 5,
            "file": "a,b:100%.yaml",
            "line": 4,
            "message": "unknown key \`rols\`; did you mean \`roles\`?",
            "name": "bob",
            "path": "users[1].rols",
            "severity": "error",
          },
          {
            "column": 19,
            "file": "manifests.yaml",
            "line": 12,
            "message": "the user \`alice\` stands here and in \`users[0]\` of \`a,b:100%.yaml\`; keep one entry",
            "name": "alice",
            "path": "users[0].username",
            "severity": "error",
          },
          {
            "column": 19,
            "file": "manifests.yaml",
            "line": 13,
            "message": "the user \`bob\` stands here and in \`users[1]\` of \`a,b:100%.yaml\`; keep one entry",
            "name": "bob",
            "path": "users[1].username",
            "severity": "error",
          },
          {
            "column": 9,
            "file": "manifests.yaml",
            "line": 14,
            "message": "unknown key \`rols\`; did you mean \`roles\`?",
            "name": "bob",
            "path": "users[1].rols",
            "severity": "error",
          },
        ],
        "usable": true,
        "valid": {
          "databases": 0,
          "roles": 1,
          "users": 1,
        },
        "version": 1,
        "warnings": 0,
      }
    `);
  });

  it('github: annotations with what GitHub would take apart escaped', async () => {
    expect((await validate(['--output=github', ...paths()])).stdout).toMatchInlineSnapshot(`
      "::error file=a%2Cb%3A100%25.yaml,line=2,col=15::users[0].username: the user \`alice\` stands here and in \`users[0]\` of \`manifests.yaml\`; keep one entry
      ::error file=a%2Cb%3A100%25.yaml,line=3,col=15::users[1].username: the user \`bob\` stands here and in \`users[1]\` of \`manifests.yaml\`; keep one entry
      ::error file=a%2Cb%3A100%25.yaml,line=4,col=5::users[1].rols: unknown key \`rols\`; did you mean \`roles\`?
      ::error file=manifests.yaml,line=12,col=19::users[0].username: the user \`alice\` stands here and in \`users[0]\` of \`a,b:100%25.yaml\`; keep one entry
      ::error file=manifests.yaml,line=13,col=19::users[1].username: the user \`bob\` stands here and in \`users[1]\` of \`a,b:100%25.yaml\`; keep one entry
      ::error file=manifests.yaml,line=14,col=9::users[1].rols: unknown key \`rols\`; did you mean \`roles\`?
      errors: 6, warnings: 0; documents: 3, with valid users: 1, roles: 1, databases: 0
      "
    `);
  });
});

it('a warning is one in every form', () => {
  const problem = { severity: 'warning', position: { file: 'a.yaml', line: 2, column: 3 }, path: 'users[0]', message: '100 %\nlater' } as const;
  const document = { ...parseDocument(Buffer.from(GOOD), 'a.yaml'), problems: [problem] };
  const verdict = { document, count: 1, within: new Map<string, string>() };
  expect(isRefused(verdict)).toBe(false);
  expect(asText(verdict, (severity, line) => `<${severity}>${line}`).split('\n')[0]).toBe('<warning>a.yaml:2:3: users[0]: warning: 100 %\\u{a}later');
  expect(asGithub(verdict).split('\n')[0]).toBe('::warning file=a.yaml,line=2,col=3::users[0]: 100 %25%0Alater');
  expect(JSON.parse(asJson(verdict))).toMatchObject({ errors: 0, warnings: 1, usable: true, problems: [{ severity: 'warning', message: problem.message }] });
});

describe('a document is found', () => {
  const list = (...items: readonly object[]): string => JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
  const item = (data: object): object => ({ kind: 'ConfigMap', metadata: { name: 'users' }, ...data });
  const within = `manifests#users/users.yaml:4:5: ${UNKNOWN_KEY}`;
  it.each([
    ['itself', MISSPELT, `manifests:4:5: ${UNKNOWN_KEY}`],
    ['itself, in flow style', '{users: [{username: alice}, {username: bob, rols: [reader]}]}', `manifests:1:45: ${UNKNOWN_KEY}`],
    ['as a block', configMap(MISSPELT), `manifests:9:9: ${UNKNOWN_KEY}`],
    ['as a block of a file with carriage returns', configMap(MISSPELT).replaceAll('\n', '\r\n'), `manifests:9:9: ${UNKNOWN_KEY}`],
    [
      'as the block that has its text',
      `${configMap('users: []\n').replace('ConfigMap', 'Other')}---\n${configMap(`\n\n${MISSPELT}`)}`,
      `manifests:18:9: ${UNKNOWN_KEY}`,
    ],
    ['behind other manifests', `# one\n---\n${SECRET}---\n${configMap(MISSPELT)}---\n${SECRET}`, `manifests:16:9: ${UNKNOWN_KEY}`],
    [
      'in a list',
      `kind: List\nitems:\n- kind: ConfigMap\n  metadata: {name: users}\n  data:\n    users.yaml: |-\n${indented(MISSPELT, 6)}`,
      `manifests:10:11: ${UNKNOWN_KEY}`,
    ],
    ['in quotes', `kind: ConfigMap\nmetadata: {name: users}\ndata: {users.yaml: ${JSON.stringify(MISSPELT)}}\n`, within],
    ['in base64', `kind: ConfigMap\nmetadata: {name: users}\nbinaryData: {users.yaml: ${Buffer.from(MISSPELT).toString('base64')}}\n`, within],
    ['in JSON', list(item({ data: { 'users.yaml': MISSPELT } })), within],
  ])('%s', async (_where, content, said) => {
    const { code, stdout } = await validate([file('manifests', content)]);
    expect([code, stdout.split('\n')[0]]).toEqual([1, said]);
  });

  it('on standard input', async () => {
    expect(await validate(['-'], configMap(MISSPELT))).toMatchObject({ code: 1, stdout: expect.stringContaining(`-:9:9: ${UNKNOWN_KEY}`) as string });
  });

  it('and an annotation stands at the file where its lines are none of it', async () => {
    const { stdout } = await validate(['-o', 'github', file('list.json', list(item({ data: { 'users.yaml': MISSPELT } })))]);
    expect(stdout.split('\n')[0]).toBe(`::error file=list.json::list.json#users/users.yaml:4:5: ${UNKNOWN_KEY}`);
  });
});

describe('without errors', () => {
  it('it ends with 0', async () => {
    const [manifests, secrets, kustomization] = [
      file('users.yaml', configMap(GOOD)),
      file('secrets.yaml', SECRET),
      file('kustomization.yaml', 'kind: Kustomization\n'),
    ];
    expect(await validate([manifests, manifests, secrets, kustomization])).toEqual({
      code: 0,
      stdout: 'errors: 0, warnings: 0; documents: 1, with valid users: 1, roles: 0, databases: 0\n',
      stderr: '',
    });
  });

  it('several documents are one', async () => {
    const roles = file('roles.yaml', 'users: []\nallowEmpty: true\nroles: [{name: owner}]\n');
    const users = file('users.yaml', 'users: [{username: alice, roles: [owner], assumeRole: owner}]\n');
    expect(await validate([roles, users])).toMatchObject({ code: 0, stdout: expect.stringContaining('documents: 2, with valid users: 1, roles: 1') as string });
  });
});

describe('a mistake', () => {
  const twice = configMap(GOOD);
  it.each<[string, () => readonly string[], string]>([
    ['a file that does not exist', () => [join(folder, 'none.yaml'), file('users.yaml', GOOD)], 'none.yaml:1:1: cannot be read: there is no such file'],
    ['a folder', () => (mkdirSync(join(folder, 'sub')), [join(folder, 'sub')]), 'sub:1:1: cannot be read: it is a folder; name the files in it'],
    ['what is not UTF-8', () => [file('a.yaml', Buffer.from([0x75, 0xff]))], 'a.yaml:1:2: the document is not UTF-8: the byte 0xff at offset 1'],
    ['a document of more than a MiB', () => [file('a.yaml', `# ${'x'.repeat(1_048_576)}\n`)], 'the document has 1048579 bytes; at most 1048576 are read'],
    ['a file of more than 16 MiB', () => [file('a.yaml', 'x'.repeat(16_777_217))], 'a.yaml:1:1: cannot be read: it has more than 16777216 bytes'],
    ['no YAML', () => [file('a.yaml', 'users: [')], 'a.yaml:1:9: not valid YAML'],
    ['no YAML in a manifest', () => [file('a.yaml', `${SECRET}---\n${configMap(GOOD)}  x: [\n`)], 'a.yaml:15:1: not valid YAML'],
    ['no JSON', () => [file('a.json', '{"apiVersion": "v1", ')], 'a.json:1:1: not valid JSON'],
    [
      'no document anywhere',
      () => [file('a.yaml', SECRET)],
      'a.yaml:1:1: this file holds no users document: neither the list `users` nor a ConfigMap with the key users.yaml',
    ],
    ['an empty file', () => [file('a.yaml', '')], 'a.yaml:1:1: the document is empty; it needs a list `users`'],
    ['the same ConfigMap twice', () => [file('a.yaml', twice), file('b.yaml', twice)], `b.yaml:1:1: the ConfigMap postgres-users-config is in `],
    [
      'the same user in two documents',
      () => [file('a.yaml', GOOD), file('b.yaml', GOOD)],
      'b.yaml:2:15: users[0].username: the user `alice` stands here and in `users[0]` of',
    ],
  ])('%s is told and ends with 1', async (_what, args, said) => {
    const { code, stdout, stderr } = await validate(args());
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    expect(stdout).toContain(said);
    expect(stdout).not.toContain('sesame');
  });

  it.each([
    [[], 'validate needs a file, or - for standard input; pgsteward validate --help says more'],
    [['-o', 'sesame', 'a.yaml'], '-o needs a value: text, json, github'],
    [['-o'], '-o needs a value: text, json, github'],
    [['--outptu=sesame', 'a.yaml'], 'unknown argument(s): --outptu; did you mean --output? pgsteward validate --help says what there is'],
  ])('%j is refused', async (args, said) => {
    expect(await validate(args)).toEqual({ code: 1, stdout: '', stderr: `pgsteward: ${said}\n` });
  });

  it('names stay on one line and say nothing to a terminal', async () => {
    const { stdout } = await validate([join(folder, 'a\n::error::\u001B[2J')]);
    expect(stdout).toContain('a\\u{a}::error::\\u{1b}[2J:1:1: cannot be read');
  });
});

describe('as a process', () => {
  it('reads a pipe and ends with what it found', async () => {
    expect(await call(['validate', '-'], { stdin: GOOD })).toMatchObject({ code: 0, stderr: '' });
    expect(await call(['validate', '-'], { stdin: MISSPELT })).toMatchObject({ code: 1, stdout: expect.not.stringContaining('\u001B') as string });
  });

  it('says nothing more where nobody reads on', async () => {
    const many = file('many.yaml', `users:\n${Array.from({ length: 5000 }, (_, at) => `  - {username: u${at}, rols: []}\n`).join('')}`);
    const command = `"${ROOT}/bin/pgsteward" validate "${many}" | head -n 1; exit \${PIPESTATUS[0]}`;
    const { code, stdout, stderr } = await call(['--norc', '-c', command], { command: 'bash' });
    expect({ code, lines: stdout.split('\n').length, stderr }).toEqual({ code: 1, lines: 2, stderr: '' });
  });
});
