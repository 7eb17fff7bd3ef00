// The program: it says what it can do, and refuses what it cannot without repeating values.
import { execFileSync } from 'node:child_process';
import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readArguments } from '../../src/commands/arguments.ts';
import { UsageError } from '../../src/commands/verb.ts';
import { RUN, VERBS } from '../../src/commands/verbs.ts';
import { ROOT } from '../support/daemon.ts';
import { scratch } from '../support/scratch.ts';
import { call, callHere } from './call.ts';

const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { readonly version: string };

/** What a refusal says; undefined where it is none. */
function refusal(...args: readonly string[]): string | undefined {
  try {
    readArguments(args, VERBS, RUN);
    return undefined;
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
}

it('says its verbs, without colour where there is no terminal', async () => {
  const { code, stdout, stderr } = await call(['--help']);
  expect([code, stderr]).toEqual([0, '']);
  for (const { name, summary } of VERBS) expect(stdout).toMatch(new RegExp(`^ {2}${name} +${summary}$`, 'm'));
  expect(stdout).not.toContain('\u001B');
});

it('starts by npx and by a link from anywhere, and says its version', async () => {
  const npx = execFileSync('npx', ['--offline', 'pgsteward', '--version'], {
    cwd: ROOT,
    encoding: 'utf8',
    env: { ...process.env, npm_config_cache: scratch('npm') },
  });
  expect(npx).toBe(`pgsteward ${version}\n`);
  const folder = scratch('link');
  symlinkSync(join(ROOT, 'bin/pgsteward'), join(folder, 'pgsteward'));
  expect(await call(['--version'], { cwd: folder, command: './pgsteward' })).toEqual({ code: 0, stdout: `pgsteward ${version}\n`, stderr: '' });
});

it('ends with 1 and says it on standard error where a verb is misspelt', async () => {
  expect(await callHere(['rum'])).toEqual({ code: 1, stdout: '', stderr: 'pgsteward: there is no verb rum; did you mean run?\n' });
});

const ENVIRONMENT = 'every setting is a variable of the environment, as DRY_RUN=true for a dry run';
it.each([
  [['--dry-run', '--password=sesame'], `unknown argument(s): --dry-run --password; ${ENVIRONMENT}`],
  [['--password', 'sesame'], `unknown argument(s): --password and 1 word(s) that are no option; ${ENVIRONMENT}`],
  [['-psesame'], `unknown argument(s): -p; ${ENVIRONMENT}`],
  [['run', '-psesame', 'sesame'], `unknown argument(s): -p and 1 word(s) that are no option; ${ENVIRONMENT}`],
  [['run', '--', 'sesame'], `unknown argument(s): 1 word(s) that are no option; ${ENVIRONMENT}`],
  [['--hlep'], `unknown argument(s): --hlep; did you mean --help? ${ENVIRONMENT}`],
  [['--help', '--dry-run'], `unknown argument(s): --dry-run; ${ENVIRONMENT}`],
  [['--\u001B[2J'], `unknown argument(s): --\\u{1b}[2J; ${ENVIRONMENT}`],
  [['--version=sesame'], '--version takes no value'],
  [['help'], 'there is no verb help; did you mean --help?'],
  [['sesame'], `the first argument is no verb; there are ${VERBS.map(({ name }) => name).join(', ')}, and pgsteward --help says more`],
] as const)('refuses %j', (args, said) => {
  expect(refusal(...args)).toBe(said);
});

it('without a verb, and with run, it is the daemon', () => {
  for (const args of [[], ['run']]) expect(readArguments(args, VERBS, RUN)).toMatchObject({ kind: 'run', verb: RUN });
});

it('the reference has every verb with its options, and the README the one to begin with', () => {
  const reference = ['verbs', 'who-may-what', 'history'].map((page) => readFileSync(join(ROOT, `docs/${page}.md`), 'utf8')).join('\n');
  for (const { name, operands, options } of VERBS) {
    expect(reference).toContain(`| \`${[name, operands ?? []].flat().join(' ')}\` |`);
    for (const [option, { choices = [] }] of Object.entries(options))
      for (const word of [`--${option}`, ...choices]) expect(reference).toContain(`\`${word}\``);
  }
  expect(readFileSync(join(ROOT, 'README.md'), 'utf8')).toContain(`npx ${VERBS.find(({ name }) => name === 'validate')?.example}`);
});

it.each(VERBS)('$name says its options and an example', async ({ name, summary, example, options }) => {
  const { code, stdout } = await callHere([name, '--help']);
  expect(code).toBe(0);
  expect(stdout).toContain(`pgsteward ${name}: ${summary}`);
  expect(stdout).toContain(`Example: ${example}`);
  for (const option of Object.keys(options)) expect(stdout).toContain(`--${option}`);
});
