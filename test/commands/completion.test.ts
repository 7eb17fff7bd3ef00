// completion: what bash and zsh propose, asked as they are asked by somebody who presses the key.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { VERBS } from '../../src/commands/verbs.ts';
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
  it('proposes verbs, options and values', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pgsteward-zsh-'));
    try {
      writeFileSync(join(folder, '_pgsteward'), (await callHere(['completion', 'zsh'])).stdout);
      const proposed = (line: string): string =>
        execFileSync('zsh', ['-f', '-c', ZSH, 'zsh', folder, line], { encoding: 'utf8', env: { ...process.env, HOME: folder, TERM: 'dumb' } });
      expect(proposed('pgsteward ')).toMatch(/validate.*everything that can be said/);
      expect(proposed('pgsteward plan --wi')).toContain('--without-secrets');
      expect(proposed('pgsteward plan -o ')).toContain('markdown');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

/** A shell of its own, in which the key is pressed twice. */
const ZSH = `zmodload zsh/zpty; zpty z zsh -f -i
zpty -w z "PS1=; fpath=($1 \\$fpath); autoload -U compinit; compinit -u -D; setopt noautomenu; zstyle ':completion:*' verbose yes; print READ\\Y"
zpty -r -m z line '*READY*'; zpty -w -n z "$2"$'\\t\\t'; sleep 1.5; while zpty -r -t z line; do print -r -- "$line"; done; zpty -d z`;

describe('another shell', () => {
  it.each([[[]], [['fish']], [['bash', 'zsh']]])('%j is refused', async (shells) => {
    expect(await callHere(['completion', ...shells])).toEqual({ code: 1, stdout: '', stderr: 'pgsteward: completion needs the name of a shell: bash, zsh\n' });
  });
});
