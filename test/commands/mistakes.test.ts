// Mistakes: every verb is called wrongly in every way that it can be, in a pipe and on a terminal, as root and as another account. What it says is a golden file.
import { execFile, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { VERBS } from '../../src/commands/verbs.ts';
import type { Verb } from '../../src/commands/verb.ts';
import { expectGolden, golden } from '../support/golden.ts';
import { ROOT } from '../support/daemon.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { scratch } from '../support/scratch.ts';
import { expectNoSecrets, rememberPassword } from '../support/secrets.ts';
import { callHere } from './call.ts';
import { MARK, type MistakenCall } from './mistakes-caller.ts';

const WRONG = 'sesame, which is wrong';
const ACCOUNT = 65_534;
const isRoot = process.getuid?.() === 0;
const hasTerminal = spawnSync('script', ['--version']).status === 0;

let server: Postgres;
let folder: string;
/** A file of the folder that all of it stands in. */
const at = (name: string): string => join(folder, name);

beforeAll(async () => {
  rememberPassword(WRONG);
  server = await startPostgres();
  await server.query('CREATE DATABASE shop');
  await server.query('CREATE ROLE alice LOGIN');
  await server.query('CREATE SCHEMA hr; CREATE TABLE hr.payroll (id int)', 'shop');
  folder = scratch('mistakes');
  chmodSync(folder, 0o755);
  writeFileSync(at('users.yaml'), 'users:\n  - {username: alice, password: none}\n');
  writeFileSync(at('broken.yaml'), 'users:\n  - {username: alice\n  \u001B[2J: x\n');
  writeFileSync(at('wrong.yaml'), 'users:\n  - {username: alice, rols: [reader]}\n');
  const { code } = await callHere(['plan', '--document', at('users.yaml'), '--without-secrets', '--out', at('a.plan')], '', env());
  expect(code).toBe(2);
  for (const name of ['users.yaml', 'broken.yaml', 'wrong.yaml', 'a.plan']) chmodSync(at(name), 0o644);
  writeFileSync(at('secret.yaml'), 'users: []\n');
  chmodSync(at('secret.yaml'), 0);
  mkdirSync(at('closed'));
  chmodSync(at('closed'), 0o555);
  mkdirSync(at('empty'));
  if (isRoot) chownSync(at('empty'), ACCOUNT, ACCOUNT);
});
afterAll(() => server.stop());

const env = (more: Readonly<Record<string, string>> = {}): Record<string, string> => ({
  SOURCE: `dir:${at('empty')}`,
  DB_HOST: server.host,
  DB_PORT: String(server.port),
  DB_USER: server.user,
  DB_PASS: server.password,
  DB_SSLMODE: 'disable',
  STATE_FILE: at('empty/.state.json'),
  HTTP_PORT: '1',
  MAX_RETRIES: '1',
  ...more,
});

/** What each verb needs to be called rightly, and would do. */
const RIGHT: Readonly<Record<string, () => readonly string[]>> = {
  validate: () => [at('users.yaml')],
  plan: () => ['--document', at('users.yaml'), '--without-secrets'],
  show: () => [at('a.plan')],
  apply: () => ['--document', at('users.yaml'), '--secrets', at('empty')],
  explain: () => ['alice', 'SELECT', 'shop.hr.payroll'],
  'who-can': () => ['SELECT', 'shop.hr.payroll'],
  'what-can': () => ['alice'],
  completion: () => ['bash'],
};
const right = ({ name }: Verb): readonly string[] => RIGHT[name]?.() ?? [];
const has = (verb: Verb, option: string): boolean => verb.options[option] !== undefined;
const only = (names: readonly string[], args: (verb: Verb) => readonly string[]) => (verb: Verb) => (names.includes(verb.name) ? args(verb) : undefined);

/** A way to call a verb wrongly; undefined where it does not concern it. */
interface Mistake {
  readonly what: string;
  readonly args: (verb: Verb) => readonly string[] | undefined;
  readonly env?: Readonly<Record<string, string>>;
  /** Nothing is wrong with it for root. */
  readonly isRootsRight?: boolean;
}

const ASKS = ['explain', 'who-can', 'what-can', 'import', 'snapshot', 'plan', 'apply'];
const withOption =
  (option: string, ...more: readonly string[]) =>
  (verb: Verb) =>
    has(verb, option) ? [...right(verb), ...more] : undefined;
/** The files that a verb reads. */
const reading = (name: string) => (verb: Verb) => {
  if (verb.name === 'validate' || verb.name === 'show' || verb.name === 'apply') return [at(name)];
  return verb.name === 'plan' ? ['--without-secrets', '--document', at(name)] : undefined;
};

const MISTAKES: readonly Mistake[] = [
  { what: 'a misspelt verb', args: ({ name }) => [`${name}x`] },
  { what: 'an unknown option', args: (verb) => ['--no-such', ...right(verb)] },
  { what: 'a secret as an option', args: (verb) => [`--password=${WRONG}`, ...right(verb)] },
  {
    what: 'an option without its value',
    args: (verb) => {
      const option = Object.keys(verb.options).find((name) => verb.options[name]?.type === 'string');
      return option === undefined ? undefined : [...right(verb), `--${option}`];
    },
  },
  { what: 'a value that an option does not know', args: withOption('output', '-o', 'nothing') },
  { what: 'nothing where something is needed', args: (verb) => (verb.operands === undefined || verb.operands.startsWith('[') ? undefined : []) },
  { what: 'a word too many', args: (verb) => (['validate', 'explain', 'who-can'].includes(verb.name) ? undefined : [...right(verb), 'word', 'word']) },
  { what: 'a file that is not there', args: reading('gone.yaml') },
  { what: 'a file that may not be read', args: reading('secret.yaml'), isRootsRight: true },
  { what: 'a folder in place of a file', args: only(['validate', 'show', 'apply'], () => [at('empty')]) },
  { what: 'an empty folder of documents', args: only(['plan'], () => ['--without-secrets', '--document', at('empty')]) },
  { what: 'text that is no YAML', args: reading('broken.yaml') },
  { what: 'a document with a wrong key', args: reading('wrong.yaml') },
  { what: 'a port where nobody listens', args: withOption('port', '--port', '1') },
  { what: 'a port that is none', args: withOption('port', '--port', 'x') },
  {
    what: 'a setting that is none',
    args: (verb) => (has(verb, 'port') || verb.name === 'run' ? right(verb) : undefined),
    env: { DB_PORT: 'x', SYNC_INTERVAL: '-1' },
  },
  { what: 'a wrong password', args: only(ASKS, right), env: { DB_PASS: WRONG } },
  { what: 'a login that is not there', args: only(ASKS, (verb) => [...right(verb), '--user', 'nobody\u001B[2J']) },
  {
    what: 'an admin database that is not there',
    args: only(['what-can', 'import', 'snapshot', 'plan', 'apply'], (verb) => [...right(verb), '--database', 'nowhere']),
  },
  { what: 'an unknown role', args: (verb) => ({ explain: ['nobody', 'SELECT', 'shop.hr.payroll'], 'what-can': ['"Alice"'] })[verb.name] },
  {
    what: 'an unknown object',
    args: (verb) =>
      ({ explain: ['alice', 'SELECT', 'shop.hr.nothing'], 'who-can': ['SELECT', 'nowhere.hr.payroll'], 'what-can': ['alice', '--in', 'nowhere'] })[verb.name],
  },
  {
    what: 'an unknown privilege',
    args: (verb) => ({ explain: ['alice', 'SELEKT\u001B[2J', 'shop.hr.payroll'], 'who-can': ['EXECUTE', 'shop.hr.payroll'] })[verb.name],
  },
  { what: 'half a name', args: (verb) => ({ explain: ['alice', 'SELECT', 'payroll"'], 'who-can': ['SELECT', 'shop..x'] })[verb.name] },
  {
    what: 'a folder that is not there to write to',
    args: (verb) => ({ plan: [...right(verb), '--out', at('gone/a.plan')], snapshot: [at('gone/s.json')] })[verb.name],
  },
  {
    what: 'a folder that nothing may be written to',
    args: (verb) => ({ plan: [...right(verb), '--out', at('closed/a.plan')], snapshot: [at('closed/s.json')] })[verb.name],
    isRootsRight: true,
  },
  { what: 'a device to write to', args: (verb) => ({ plan: [...right(verb), '--out', '/dev/null'], snapshot: ['/dev/null'] })[verb.name] },
  { what: 'a snapshot that is none', args: only(['plan'], () => ['--document', at('users.yaml'), '--snapshot', at('users.yaml')]) },
  { what: 'two options that exclude each other', args: only(['plan'], (verb) => [...right(verb), '--secrets', at('empty')]) },
  { what: 'nobody who answers', args: only(['status'], () => []) },
  { what: 'an address that is none', args: only(['status'], () => ['--url', 'ftp://x']) },
  { what: 'a shell that is none', args: only(['completion'], () => ['fish']) },
];

interface Case extends MistakenCall {
  readonly title: string;
  readonly isRootsRight: boolean;
}

const casesOf = (): readonly Case[] =>
  VERBS.flatMap((verb) =>
    MISTAKES.flatMap(({ what, args, env: more, isRootsRight = false }): Case[] => {
      const found = args(verb);
      if (found === undefined) return [];
      return [{ title: `${verb.name}: ${what}`, args: what === 'a misspelt verb' ? found : [verb.name, ...found], env: env(more), isRootsRight }];
    }),
  );

/** What is said where something lasts, as on a machine that does much else. */
const PROGRESS = /^pgsteward: [A-Za-z ]+ …\n/gm;
const cleaned = (text: string): string =>
  text
    .replaceAll('\r\n', '\n')
    // Colours of the log are for terminals.
    // eslint-disable-next-line no-control-regex -- these are looked for
    .replaceAll(/\u001B\[\d+m/g, '')
    .replace(PROGRESS, '')
    .replaceAll(folder, 'DIR')
    .replaceAll(server.host, 'HOST')
    .replaceAll(String(server.port), 'PORT')
    .replaceAll(/PostgreSQL \d+/g, 'PostgreSQL N')
    // From 17 on.
    .replaceAll(', MAINTAIN', '')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    // The log is lines for people on a terminal alone.
    .replaceAll(/^\{"level":"(\w+)","timestamp":"TIME","module":"pgsteward","message":"([^"]*)"\}$/gm, 'TIME $1 $2');

/** All cases in one process: of each, its code and what it says. */
async function said(cases: readonly Case[], where: 'pipe' | 'terminal', account: 'root' | 'other'): Promise<readonly string[]> {
  const list = at(`${where}-${account}.json`);
  writeFileSync(list, JSON.stringify(cases.map(({ args, env: settings }) => ({ args, env: settings }))));
  const command = [process.execPath, join(import.meta.dirname, 'mistakes-caller.ts'), list, ...(account === 'other' ? [String(ACCOUNT)] : [])];
  const options = { cwd: ROOT, env: { PATH: process.env['PATH'] ?? '', TERM: 'xterm', SHELL: '/bin/sh' }, maxBuffer: 64 * 1024 * 1024 };
  const run = promisify(execFile);
  const { stdout, stderr } =
    where === 'pipe'
      ? await run(command[0] ?? '', command.slice(1), options)
      : await run('script', ['-qec', command.map((word) => `'${word}'`).join(' '), '/dev/null'], options);
  expectNoSecrets(stdout + stderr, `${where} ${account}`);
  const [out, err] = [stdout, stderr].map((text) => cleaned(text).split(`${MARK}\n`).slice(1));
  return cases.map((_, index) => {
    const [onStdout = '', code = ''] = out?.[where === 'pipe' ? index : index * 2 + 1]?.split(MARK) ?? [];
    return `${code.trim()}\n${onStdout}${err?.[index] ?? ''}`;
  });
}

const sections = (cases: readonly Case[], results: readonly string[]): readonly string[] =>
  cases.map(({ title, args }, index) => `# ${title}\n$ pgsteward ${args.map((word) => cleaned(JSON.stringify(word))).join(' ')}\n${results[index] ?? ''}`);

it.each([
  ['pipe', 'other'],
  ['terminal', 'other'],
  ['pipe', 'root'],
  ['terminal', 'root'],
] as const)('in a %s, as %s', async (where, account) => {
  if ((where === 'terminal' && !hasTerminal) || (account === 'other' && !isRoot)) return console.log(`not tried: ${where}, ${account} (needs script and root)`);
  const all = casesOf();
  // The golden file has all of them; root may read and write more.
  const cases = all.filter(({ isRootsRight }) => !(isRootsRight && isRoot && account === 'root'));
  const results = await said(cases, where, account);
  for (const [index, result] of results.entries()) {
    const title = cases[index]?.title;
    expect(result, title).toMatch(/^[1-3]\n/);
    // No stack, nothing that is a command to a terminal, and something to read.
    expect(result, title).not.toMatch(/\n {4}at |[^\P{Cc}\n]/u);
    expect(result.length, title).toBeGreaterThan(10);
  }
  if (cases.length === all.length) return expectGolden('mistakes.golden', sections(cases, results).join('\n'));
  const titles = new Set(cases.map(({ title }) => title));
  expect(sections(cases, results)).toEqual(
    golden('mistakes.golden')
      .split(/\n(?=# )/)
      .filter((section) => titles.has(section.slice(2, section.indexOf('\n')))),
  );
});
