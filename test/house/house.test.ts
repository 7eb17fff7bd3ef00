// The house: imports go one way, also those of types, and none in a circle.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from '../support/daemon.ts';
import { type Files, importsOf, wrongImports } from './imports.ts';

const files: Files = new Map(
  globSync('**/*.ts', { cwd: join(ROOT, 'src') }).map((file) => [file.replaceAll('\\', '/'), readFileSync(join(ROOT, 'src', file), 'utf8')]),
);
const withLine = (file: string, line: string): readonly string[] => wrongImports(new Map([...files, [file, `${files.get(file) ?? ''}\n${line}\n`]]));

it('no file imports what stands above it, and none leads back to itself', () => {
  expect(wrongImports(files)).toEqual([]);
});

it('every import of a file of ours is seen', () => {
  const seen = [...importsOf(files).values()].flat().filter((target) => files.has(target)).length;
  const written = [...files.values()].reduce((sum, text) => sum + text.split(/(?:from |import\()'\.{1,2}\/[^']*\.ts'/).length - 1, 0);
  expect(seen).toBe(written);
});

it.each([
  ['plan/plan.ts', "import { fingerprint } from '../postgres/fingerprint.ts';", 'is not below it'],
  ['plan/privileges/rules.ts', "import { fingerprint } from '../../postgres/fingerprint.ts';", 'is not below it'],
  ['document/a/b/deep.ts', "import type { Connections } from '../../../postgres/connection.ts';", 'is not below it'],
  ['sql/trigger-sql.ts', "export { createSource } from '../sources/ports.ts';", 'is not below it'],
  ['plan/privileges/rules.ts', "const late = await import('../../steward/reconcile.ts');", 'is not below it'],
  ['plan/privileges/rules.ts', "import pg from 'pg';", 'is pure'],
  ['document/parse.ts', "import { readFileSync } from 'node:fs';", 'is pure'],
  ['postgres/connection.ts', "import type { Ports } from '../sources/ports.ts';", 'is not below it'],
  ['postgres/connection.ts', "import type { KubeClient } from '../kubernetes/client.ts';", 'for sources/kubernetes alone'],
  ['steward/secrets.ts', "import type { KubeClient } from '../kubernetes/client.ts';", 'for sources/kubernetes alone'],
  ['sources/secret-memory.ts', "import { asRecord } from '../kubernetes/objects.ts';", 'for sources/kubernetes alone'],
  ['main.ts', "import { createKubeClient } from './kubernetes/client.ts';", 'for sources/kubernetes alone'],
  ['kubernetes/client.ts', "import type { Ports } from '../sources/ports.ts';", 'is not below it'],
  ['steward/memory.ts', "import type { Config } from '../config.ts';", 'is not below it'],
  ['steward/reconcile.ts', "import type { Config } from '../config.ts';", 'is not below it'],
  ['steward/memory.ts', "import { run } from '../commands/run.ts';", 'is not below it'],
  ['plan/plan-input.ts', "import type { planOf } from './plan.ts';", 'a circle: '],
  ['model/cluster.ts', "import type { Catalog } from './catalog.ts';", 'a circle: '],
  ['model/cluster.ts', "import type { Change } from '../changes/change.ts';", 'is not below it'],
  ['document/parse.ts', "import { sentenceOf } from '../changes/change.ts';", 'is not below it'],
  ['sql/sql-text.ts', "import type { Change } from '../changes/change.ts';", 'is not below it'],
  ['explain/explain.ts', "import { inRealm } from '../postgres/read-realm.ts';", 'is not below it'],
  ['explain/explain.ts', "import { sentenceOf } from '../changes/change.ts';", 'is not below it'],
  ['explain/links.ts', "import pg from 'pg';", 'is pure'],
  ['somewhere.ts', '', 'is in no room'],
])('in %s it is told of: %s', (file, line, told) => {
  expect(withLine(file, line)).toEqual(expect.arrayContaining([expect.stringContaining(told)]));
});
