// The folder that tests and demo share holds programs that they run: only one that nobody else can have written to is taken.
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ownCache, unprivileged } from './binaries.ts';
import { ROOT } from './daemon.ts';
import { scratch } from './scratch.ts';

const NAME = `pgsteward-cache-${process.getuid?.() ?? 0}`;

/** In a temporary folder of its own, as everybody's is: whoever comes first may make what they like there. */
function cacheIn(tmp: string): string {
  const before = process.env['TMPDIR'];
  process.env['TMPDIR'] = tmp;
  try {
    return ownCache();
  } finally {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
  }
}

it('a new one is ours alone, and is taken again', () => {
  const tmp = scratch('cache');
  const folder = cacheIn(tmp);
  expect(folder).toBe(join(tmp, NAME));
  const { uid, mode } = lstatSync(folder);
  expect([uid, (mode & 0o777).toString(8)]).toEqual([process.getuid?.(), '711']);
  expect(cacheIn(tmp)).toBe(folder);
});

it.each<[string, (folder: string, tmp: string) => void]>([
  ['a symlink to a folder of our own', (folder, tmp) => (mkdirSync(join(tmp, 'real')), symlinkSync(join(tmp, 'real'), folder))],
  ['a symlink that leads nowhere', (folder) => symlinkSync('/nowhere/at/all', folder)],
  ['a file', (folder) => writeFileSync(folder, '')],
  ['one that a group may write to', (folder) => (mkdirSync(folder), chmodSync(folder, 0o770))],
  ['one that everybody may write to', (folder) => (mkdirSync(folder), chmodSync(folder, 0o1777))],
  ['one that others may write to', (folder) => (mkdirSync(folder), chmodSync(folder, 0o702))],
])('%s is refused', (_what, make) => {
  const tmp = scratch('cache');
  make(join(tmp, NAME), tmp);
  expect(() => cacheIn(tmp)).toThrow(`${NAME} is not ours alone; remove it, or set TMPDIR to a folder of your own`);
});

it.runIf(unprivileged() !== undefined)('one that somebody else made is refused, whatever its mode', () => {
  const tmp = scratch('cache');
  const { uid, gid } = unprivileged() ?? { uid: 0, gid: 0 };
  mkdirSync(join(tmp, NAME), { mode: 0o711 });
  chownSync(join(tmp, NAME), uid, gid);
  expect(() => cacheIn(tmp)).toThrow('is not ours alone');
});

it("the superuser's password is random, another one in each folder, and nobody else's to read", () => {
  const passwords = [scratch('cache'), scratch('cache')].map((tmp) => {
    const script = `const { ownPassword } = await import('./test/support/own-password.ts'); process.stdout.write(ownPassword() === ownPassword() ? ownPassword() : '');`;
    const password = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
      cwd: ROOT,
      env: { ...process.env, TMPDIR: tmp },
      encoding: 'utf8',
    });
    const file = join(tmp, NAME, 'password');
    expect([readFileSync(file, 'utf8'), (lstatSync(file).mode & 0o777).toString(8), readdirSync(join(tmp, NAME))]).toEqual([password, '600', ['password']]);
    return password;
  });
  for (const password of passwords) expect(password).toMatch(/^[0-9a-f]{48}$/);
  expect(new Set(passwords).size).toBe(2);
});
