// completion: what bash and zsh propose, asked as they are asked by somebody who presses the key.
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { VERBS } from '../../src/commands/verbs.ts';
import { scratch } from '../support/scratch.ts';
import { callHere } from './call.ts';

const hasZsh = spawnSync('zsh', ['-c', ':']).status === 0;

describe('bash', () => {
  let script: string;
  beforeAll(async () => void (script = (await callHere(['completion', 'bash'])).stdout));

  /** What is proposed for the last of these words. */
  const proposed = (...words: readonly string[]): string[] => {
    const ask = `eval "$SCRIPT"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); $(complete -p pgsteward | sed 's/.*-F \\([^ ]*\\) .*/\\1/'); printf '%s\\n' "\${COMPREPLY[@]}"`;
    const said = execFileSync('bash', ['--norc', '-u', '-c', ask, 'bash', 'pgsteward', ...words], {
      env: { ...process.env, SCRIPT: script },
      encoding: 'utf8',
    });
    return said.split('\n').filter((line) => line !== '');
  };

  it('proposes every verb, and options of the program', () => {
    expect(proposed('')).toEqual([...VERBS.map(({ name }) => name), '--help', '-h', '--version']);
    expect(proposed('va')).toEqual(['validate']);
  });

  it.each(VERBS.map((verb) => [verb.name, verb] as const))('proposes the options of %s, and what their values may be', (name, verb) => {
    expect(proposed(name, '--')).toEqual([...Object.keys(verb.options), 'help'].map((option) => `--${option}`));
    for (const [option, { choices, short }] of Object.entries(verb.options)) {
      if (choices === undefined) continue;
      for (const words of [[`--${option}`, ''], [`--${option}`, '='], [`--${option}`, '=', ''], ...(short === undefined ? [] : [[`-${short}`, '']])])
        expect(proposed(name, ...words), words.join(' ')).toEqual([...choices]);
    }
  });

  it('proposes shells, and leaves files to bash', () => {
    expect(proposed('completion', '')).toEqual(['bash', 'zsh']);
    expect(proposed('validate', '')).toEqual([]);
    expect(script).toContain('complete -o default -F');
    expect(proposed('no-verb', '--')).toEqual([]);
  });
});

describe.runIf(hasZsh)('zsh', () => {
  let folder: string;
  beforeAll(async () => {
    folder = scratch('zsh');
    writeFileSync(join(folder, '_pgsteward'), (await callHere(['completion', 'zsh'])).stdout);
  });

  /** What is proposed behind each of these lines, as it stands on the terminal. */
  function proposed(lines: readonly string[]): readonly string[] {
    const said = execFileSync('zsh', ['-f', '-c', ZSH, 'zsh', folder, ...lines], {
      encoding: 'utf8',
      env: { ...process.env, HOME: folder, TERM: 'dumb', COLUMNS: '200', LINES: '500' },
      timeout: 300_000,
    });
    return said.split('<<line>>').slice(1);
  }

  it('proposes every verb with what it does, and shells', () => {
    const [verbs, shells] = proposed(['pgsteward ', 'pgsteward completion ']);
    for (const { name, summary } of VERBS) expect(verbs?.replaceAll(/\s+/g, ' ')).toContain(`${name} -- ${summary}`);
    for (const shell of ['bash', 'zsh']) expect(shells).toContain(shell);
  });

  it('proposes the options of every verb, and what their values may be', () => {
    const said = proposed(VERBS.map(({ name }) => `pgsteward ${name} --`));
    for (const [index, { name, options }] of VERBS.entries())
      for (const option of [...Object.keys(options), 'help']) expect(said[index]?.replaceAll('--no-', ''), name).toMatch(new RegExp(`--${option}\\b`));
    const valued = VERBS.flatMap(({ name, options }) =>
      Object.entries(options).flatMap(([option, { choices, short }]) =>
        choices === undefined
          ? []
          : [`--${option}`, ...(short === undefined ? [] : [`-${short}`])].map((word) => ({ line: `pgsteward ${name} ${word} `, choices })),
      ),
    );
    const values = proposed(valued.map(({ line }) => line));
    for (const [index, { line, choices }] of valued.entries()) for (const choice of choices) expect(values[index], line).toContain(choice);
  });
});

it.runIf(!hasZsh)('zsh is not installed here, and was not tried', () => console.log('not tried: completion in zsh, which is not installed'));

/** A shell of its own, in which the key is pressed twice behind each line; then the line is taken back, and a command and the prompt tell that all of it was read. */
const ZSH = `zmodload zsh/zpty; zpty z zsh -f -i
zpty -w z "PS1='=>>'; fpath=($1 \\$fpath); autoload -U compinit; compinit -u -D; setopt noautomenu; LISTMAX=1000; zstyle ':completion:*' verbose yes; print READ\\Y"
zpty -r -m z said '*READY*=>>*'; shift
for line in "$@"; do zpty -w -n z "$line"$'\\t\\t\\025'"print EN\\D"$'\\n'; zpty -r -m z said '*END*=>>*'; print -r -- "<<line>>$said"; done; zpty -d z`;

describe('another shell', () => {
  it.each([[[]], [['fish']], [['bash', 'zsh']]])('%j is refused', async (shells) => {
    expect(await callHere(['completion', ...shells])).toEqual({ code: 1, stdout: '', stderr: 'pgsteward: completion needs the name of a shell: bash, zsh\n' });
  });
});
