// What others wrote and is tried here, none of which is kept with this project: PostgreSQL's regression tests, from Debian's source package, and the schemas of applications.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { ownCache } from '../../support/binaries.ts';

/** src/test/regress of PostgreSQL: REGRESS names the folder, or Debian's package is asked for it. Undefined where it is not to be had, which is told. */
export function regressionFolder(): string | undefined {
  const given = process.env['REGRESS'];
  if (given !== undefined) return given;
  try {
    return fromDebian();
  } catch (error) {
    process.stdout.write(`skipped: PostgreSQL's regression tests are not to be had (${String(error).split('\n')[0]}); REGRESS=FOLDER names src/test/regress\n`);
    return undefined;
  }
}

/** The majors that a Debian may have, with the package of the first one that is there. */
const PACKAGES = ['postgresql-18', 'postgresql-17', 'postgresql-15'];
const SOURCES = '/etc/apt/sources.list.d';

/** Asked once, with lists of its own: those of the machine stay as they are. */
function fromDebian(): string {
  const target = join(ownCache(), 'regress');
  if (existsSync(target)) return target;
  const folder = mkdtempSync(`${target}.`);
  for (const name of ['lists', 'cache/archives/partial', 'tree']) mkdirSync(join(folder, name), { recursive: true });
  const list = join(folder, 'own.sources');
  writeFileSync(list, sourceStanzas());
  const options = [
    `Dir::Etc::sourcelist=${list}`,
    'Dir::Etc::sourceparts=/dev/null',
    `Dir::State::lists=${join(folder, 'lists')}`,
    `Dir::Cache=${join(folder, 'cache')}`,
    // An archive that does not answer is none.
    'Acquire::http::Timeout=15',
    'Acquire::https::Timeout=15',
    'Acquire::Retries=0',
  ];
  const apt = (...args: readonly string[]): unknown =>
    execFileSync('apt-get', [...options.flatMap((option) => ['-o', option]), '-qq', ...args], { cwd: folder, stdio: 'pipe', timeout: 120_000 });
  apt('update');
  const found = PACKAGES.find((name) => {
    try {
      apt('source', '--download-only', name);
      return true;
    } catch {
      return false;
    }
  });
  const archive = readdirSync(folder).find((name) => name.includes('.orig.tar.'));
  if (found === undefined || archive === undefined) throw new Error('no source package of PostgreSQL');
  execFileSync('tar', ['xf', archive, '-C', 'tree', '--wildcards', '--strip-components=4', '*/src/test/regress/*'], { cwd: folder, stdio: 'pipe' });
  execFileSync('chmod', ['-R', 'a+rX', folder]);
  renameSync(join(folder, 'tree'), target);
  return target;
}

/** This machine's own archives, for sources; those of security fixes may lack what they list. */
function sourceStanzas(): string {
  const stanzas = readdirSync(SOURCES)
    .filter((name) => name.endsWith('.sources'))
    .flatMap((name) => readFileSync(join(SOURCES, name), 'utf8').split(/\n{2,}/))
    .filter((stanza) => /^Types: deb$/m.test(stanza) && stanza.includes('debian') && !/^(URIs|Suites):.*security/m.test(stanza));
  return stanzas.map((stanza) => `${stanza.replace(/^Types: deb$/m, 'Types: deb-src').trim()}\n`).join('\n');
}

/** What of PostgreSQL's tests is run, in their order. */
export const regressionTests = (folder: string): readonly string[] =>
  readFileSync(join(folder, 'parallel_schedule'), 'utf8')
    .split('\n')
    .flatMap((line) => (line.startsWith('test:') ? line.slice('test:'.length).trim().split(/\s+/) : []));

/** Schemas of applications by their names: every `.sql` of the folder that SCHEMAS names. */
export function applicationSchemas(): readonly { readonly name: string; readonly file: string }[] {
  const folder = process.env['SCHEMAS'];
  if (folder === undefined) {
    process.stdout.write('skipped: no schemas of applications; SCHEMAS=FOLDER names a folder with one file of SQL for each\n');
    return [];
  }
  const files = readdirSync(folder).filter((name) => name.endsWith('.sql'));
  return files.toSorted().map((name) => ({ name: basename(name, '.sql'), file: join(folder, name) }));
}

/** As pg_regress tells its tests where they are. */
export const regressionEnvironment = (folder: string, results: string): Readonly<Record<string, string>> => ({
  PG_ABS_SRCDIR: folder,
  PG_ABS_BUILDDIR: results,
  PG_LIBDIR: dirname(folder),
  PG_DLSUFFIX: '.so',
  PGTZ: 'PST8PDT',
  PGDATESTYLE: 'Postgres, MDY',
});
