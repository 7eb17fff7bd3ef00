// DB_SSLMODE=prefer: encrypted wherever the server can, whatever another connection was told.
import { type AddressInfo, connect, createServer } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { createConnections } from '../../src/postgres/connection.ts';
import { query } from '../../src/postgres/query.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { withTls } from '../support/tls.ts';

let server: Postgres;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

/** Length and code of an SSLRequest. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

it('one answer that there is no TLS holds for that one connection', async () => {
  let refusals = 1;
  const between = createServer((client) => {
    const upstream = connect(server.port, server.host);
    client.on('error', () => upstream.destroy()).on('close', () => upstream.destroy());
    upstream.on('error', () => client.destroy()).on('close', () => client.destroy());
    client.once('data', (chunk) => {
      if (refusals > 0 && chunk.equals(SSL_REQUEST)) {
        refusals -= 1;
        client.write('N');
        client.on('data', (more) => upstream.write(more));
      } else {
        upstream.write(chunk);
        client.pipe(upstream);
      }
      upstream.pipe(client);
    });
  });
  await new Promise<void>((resolve) => between.listen(0, '127.0.0.1', resolve));
  const env = { DB_HOST: server.host, DB_PORT: String((between.address() as AddressInfo).port), DB_USER: server.user, DB_PASS: server.password };
  const connections = createConnections(readConfig(env).server, () => undefined);
  const isEncrypted = async (): Promise<unknown> => {
    const client = await connections.open('postgres');
    const rows = await query(client, 'SELECT ssl FROM pg_catalog.pg_stat_ssl WHERE pid = pg_catalog.pg_backend_pid()');
    await client.end();
    return rows.flat(2)[0];
  };
  try {
    await withTls(server, async () => {
      expect([await isEncrypted(), await isEncrypted()]).toEqual([false, true]);
    });
    // And plain where it has none.
    expect(await isEncrypted()).toBe(false);
  } finally {
    await connections.close();
    between.close();
  }
});
