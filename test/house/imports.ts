// Imports of the product's own files, and what is wrong with them: circles, and imports that go up.

/** Text of each file by its path below `src`, as `plan/privileges/rules.ts`. */
export type Files = ReadonlyMap<string, string>;

/**
 * The floors of the house, the lowest first: what stands on a floor imports only from floors below it, and from its own folder. A name that ends with a slash is a
 * folder with all that is in it.
 */
const FLOORS: readonly (readonly string[])[] = [
  ['model/'],
  ['document/', 'sql/'],
  ['changes/', 'explain/', 'convert/'],
  ['access/', 'guard/', 'history/'],
  ['plan/'],
  ['snapshot/'],
  ['async/', 'files/'],
  ['state/', 'postgres/', 'kubernetes/'],
  ['sources/'],
  ['steward/'],
  ['observe/'],
  ['http/'],
  ['config.ts'],
  ['fleet/'],
  ['commands/'],
  ['main.ts'],
];

/** Which files alone may use the wire of Kubernetes. */
const MAY_IMPORT_KUBERNETES = /^(?:sources\/kubernetes|kubernetes\/)/;

/** The pure rooms. */
const IS_PURE = /^(?:model|document|sql|changes|explain|convert|access|guard|history|plan|snapshot)\//;

/** What they may import from outside: no I/O, no clock. */
const PURE: ReadonlySet<string> = new Set(['node:buffer', 'node:crypto', 'node:util', 'yaml', 'zod']);

const roomOf = (file: string): string => FLOORS.flat().find((room) => (room.endsWith('/') ? file.startsWith(room) : file === room)) ?? '';
const floorOf = (file: string): number => FLOORS.findIndex((rooms) => rooms.includes(roomOf(file)));

/** `../x.ts`, seen from a file, as a path below `src`; another name stays as it is. */
function targetOf(from: string, name: string): string {
  if (!name.startsWith('.')) return name;
  const path = from.split('/').slice(0, -1);
  for (const part of name.split('/'))
    if (part === '..') path.pop();
    else if (part !== '.') path.push(part);
  return path.join('/');
}

/** What each file imports, also where only types are, what is exported from elsewhere, and what is imported as it runs. */
export const importsOf = (files: Files): ReadonlyMap<string, readonly string[]> =>
  new Map(
    [...files].map(([file, text]) => [
      file,
      [...text.matchAll(/^(?:import|export)\s(?:[^;'"`]*?\sfrom\s)?['"]([^'"\n]+)['"]|\bimport\(\s*['"]([^'"\n]+)['"]/gm)].map((match) =>
        targetOf(file, match[1] ?? match[2] ?? ''),
      ),
    ]),
  );

/** A sentence for each import that the house does not allow. */
export function wrongImports(files: Files): readonly string[] {
  const imports = importsOf(files);
  const wrong = [...imports].flatMap(([file, targets]) => targets.flatMap((target) => complaint(file, target, files) ?? []));
  return [...wrong, ...[...files.keys()].filter((file) => roomOf(file) === '').map((file) => `${file} is in no room of the house`), ...circles(imports)];
}

function complaint(file: string, target: string, files: Files): string | undefined {
  if (!files.has(target)) return IS_PURE.test(file) && !PURE.has(target) ? `${file} is pure, and imports ${target}` : undefined;
  if (target.startsWith('kubernetes/') && !MAY_IMPORT_KUBERNETES.test(file)) return `${file} imports ${target}, which is for sources/kubernetes alone`;
  if (roomOf(file) === roomOf(target)) return undefined;
  return floorOf(target) < floorOf(file) ? undefined : `${file} imports ${target}, which is not below it`;
}

/** Files that lead to one another: a depth-first walk, in which whoever is still open when it is met again closes a circle. */
function circles(imports: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const open: string[] = [];
  const visit = (file: string): void => {
    const at = open.indexOf(file);
    if (at >= 0) found.push(`a circle: ${[...open.slice(at), file].join(' → ')}`);
    if (at >= 0 || done.has(file)) return;
    open.push(file);
    for (const target of imports.get(file) ?? []) visit(target);
    open.pop();
    done.add(file);
  };
  for (const file of imports.keys()) visit(file);
  return found;
}
