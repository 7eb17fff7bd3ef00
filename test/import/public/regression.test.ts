// Import is a fixed point of the database that PostgreSQL's own regression tests leave, with the roles that they would drop.
import { expect, it } from 'vitest';
import { startPostgres } from '../../support/postgres.ts';
import { proveFixedPoint } from './fixed-point.ts';
import { loadRegression } from './load-regression.ts';
import { regressionFolder } from './material.ts';

const folder = regressionFolder();
/** `IMPORTS=short`: only the tests that are about access. */
const isShort = process.env['IMPORTS'] === 'short';

it.runIf(folder !== undefined)('of the regression database of PostgreSQL, run and not cleaned up', async () => {
  const server = await startPostgres({ settings: { log_statement: 'none', max_prepared_transactions: '2', max_locks_per_transaction: '512' } });
  expect(await loadRegression(server, folder ?? '', isShort)).toBeGreaterThan(isShort ? 30 : 100);
  await server.query(`ALTER SYSTEM RESET ALL`);
  await proveFixedPoint('regression', server);
  await server.stop();
});
