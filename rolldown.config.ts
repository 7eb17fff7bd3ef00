// How the sources and the packages they use become the program in dist/: a few files, of which a verb loads some, as opening hundreds of small ones takes longer than most verbs work.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig, type Plugin } from 'rolldown';

interface Package {
  readonly folder: string;
  readonly name: string;
  readonly version: string;
  readonly license: string;
}

const packageIn = (folder: string): Package => ({ ...(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Omit<Package, 'folder'>), folder });

/** Licences ask for their text to go along. A package without a file of it has it in its readme. */
function licenceOf({ folder, name, version, license }: Package): string {
  const named = (pattern: RegExp): readonly string[] => readdirSync(folder).filter((file) => pattern.test(file));
  const own = named(/^(licen[cs]e|notice|copying)/i);
  const texts = (own.length > 0 ? own : named(/^readme/i)).map((file) => readFileSync(join(folder, file), 'utf8'));
  return [`${name} ${version}: ${license}\n`, ...texts].join('\n');
}

/** What is within, as CycloneDX: scanners of images find no packages otherwise. */
const listOf = (packages: readonly Package[]): string =>
  JSON.stringify({
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    components: packages.map(({ name, version, license }) => ({
      type: 'library',
      name,
      version,
      purl: `pkg:npm/${name.replace('@', '%40')}@${version}`,
      licenses: [{ license: { id: license } }],
    })),
  });

const packagesWithin: Plugin = {
  name: 'packages within',
  generateBundle() {
    const folders = [...this.getModuleIds()].flatMap((id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(id) ?? []);
    const packages = [...new Set(folders)].toSorted().map(packageIn);
    this.emitFile({ type: 'asset', fileName: 'licences.txt', source: packages.map(licenceOf).join(`\n${'-'.repeat(80)}\n`) });
    this.emitFile({ type: 'asset', fileName: 'packages.cdx.json', source: listOf(packages) });
  },
};

/**
 * Each file that is opened costs a process as much as 20 KB of one that is open already: what is loaded together is together, where the verbs that need least of it
 * still load nothing else. Of several parts that need a module the first has it.
 */
const TOGETHER: readonly (readonly [name: string, needed: readonly string[]])[] = [
  ['program', ['src/commands/program.ts']],
  ['reading', ['src/async/aside-worker.ts', 'src/commands/validate.ts']],
  ['server', ['src/commands/plan.ts']],
];
const partOf = new Map<string, string>();

const loadedTogether: Plugin = {
  name: 'loaded together',
  buildEnd() {
    const take = (id: string, part: string): void => {
      if (partOf.has(id)) return;
      partOf.set(id, part);
      for (const imported of this.getModuleInfo(id)?.importedIds ?? []) take(imported, part);
    };
    for (const [part, needed] of TOGETHER) for (const file of needed) take(join(import.meta.dirname, file), part);
  },
};

const GROUPS = TOGETHER.map(([name], index) => ({ name, priority: TOGETHER.length - index, test: (id: string) => partOf.get(id) === name }));

export default defineConfig({
  input: { main: 'src/main.ts', 'aside-worker': 'src/async/aside-worker.ts' },
  platform: 'node',
  plugins: [packagesWithin, loadedTogether],
  // Beside each other, so that the thread's program is found from wherever it is started.
  output: {
    dir: 'dist',
    cleanDir: true,
    entryFileNames: '[name].js',
    chunkFileNames: '[name].js',
    codeSplitting: { groups: GROUPS },
    // Every process reads what it loads to its end before it begins. Names stay, for whoever reads a stack trace.
    minify: { compress: false, mangle: false, codegen: { removeWhitespace: true } },
  },
});
