// Runs one statement as whoever the URL says, for machines without psql: npm run -s demo:sql -- URL STATEMENT.
import pg from 'pg';
import { oneLine } from '../../src/document/show.ts';

const [connectionString, statement = 'SELECT current_user'] = process.argv.slice(2);
const client = new pg.Client({ connectionString });
try {
  await client.connect();
  const { command, rowCount, rows, fields } = await client.query<Record<string, unknown>>(statement);
  for (const row of rows) console.log(fields.map(({ name }) => `${oneLine(name)}=${oneLine(String(row[name]))}`).join('  '));
  console.log(`${command} ${rowCount ?? 0}`);
} catch (error) {
  console.error(`ERROR: ${oneLine((error as Error).message)}`);
  process.exitCode = 1;
} finally {
  await client.end();
}
