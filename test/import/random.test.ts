// Import is a fixed point: random servers, each with owners, several grantors, columns, PUBLIC and default privileges. IMPORTS says how many, SEED which ones.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Imports, randomServers, startImports } from './random-imports.ts';

let imports: Imports;
beforeAll(async () => {
  imports = await startImports();
});
afterAll(() => imports.stop());

it.each(randomServers(Number(process.env['IMPORTS'] ?? 3), Number(process.env['SEED'] ?? 20_261_127)).map((random, index) => ({ random, index })))(
  'server $index: a plan for its document is empty, and applied it changes no ACL by a byte',
  ({ random }) => imports.check(random),
);

it('tells how long the documents are beside the entries of the ACLs', () => {
  const { lines, entries, additive, roles } = imports.sizes;
  process.stdout.write(`documents: ${lines} lines for ${entries} entries of ACLs; ${additive} of ${roles} roles are additive\n`);
  // Each document has a head and a line or two for each role, however little these hold.
  expect(lines).toBeLessThan(entries * 2 + roles * 3);
});
