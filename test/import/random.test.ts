// Import is a fixed point: random servers, each with owners, several grantors, columns, PUBLIC and default privileges. CASES says how many.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Imports, randomServers, startImports } from './random-imports.ts';

let imports: Imports;
beforeAll(async () => {
  imports = await startImports();
});
afterAll(() => imports.stop());

it.each(randomServers(Number(process.env['IMPORTS'] ?? 6), Number(process.env['SEED'] ?? 20_261_127)).map((random, index) => ({ random, index })))(
  'server $index: a plan for its document is empty, and applied it changes no ACL by a byte',
  ({ random }) => imports.check(random),
);

it('says in fewer lines what the ACLs say in entries', () => {
  process.stdout.write(`${JSON.stringify(imports.sizes)}\n`);
  expect(imports.sizes.lines).toBeGreaterThan(0);
});
