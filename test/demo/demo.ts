// The demo: a real PostgreSQL of its own, the real daemon on a folder of example manifests, and what it did, until Ctrl-C.
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ROOT } from '../support/daemon.ts';
import { freePort, startPostgres } from '../support/postgres.ts';

const say = (text: string): void => void process.stdout.write(`${text}\n`);

const folder = mkdtempSync(join(tmpdir(), 'pgsteward-demo-'));
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort());
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

say('Starting a PostgreSQL server of its own …');
const server = await startPostgres();
await server.query('CREATE DATABASE myapp');
await server.query(
  `CREATE TABLE orders (id int, item text); INSERT INTO orders VALUES (1, 'tea'), (2, 'honey'); CREATE TABLE payroll (who text, pays int); INSERT INTO payroll VALUES ('bob', 4000)`,
  'myapp',
);
cpSync(join(ROOT, 'test/demo/manifests'), folder, { recursive: true });
const httpPort = await freePort();

say('Starting pgsteward on the example manifests …\n');
const daemon = spawn(process.execPath, [join(ROOT, 'src/main.ts')], {
  env: {
    PATH: process.env['PATH'] ?? '',
    SOURCE: `dir:${folder}`,
    DB_HOST: server.host,
    DB_PORT: String(server.port),
    DB_USER: server.user,
    DB_PASS: server.password,
    STATE_FILE: join(folder, '.state.json'),
    SYNC_INTERVAL: '2',
    HTTP_HOST: '127.0.0.1',
    HTTP_PORT: String(httpPort),
  },
  stdio: ['ignore', 'pipe', 'inherit'],
  // A Ctrl-C reaches the whole group; the daemon is ended by us, in order.
  detached: true,
});
const ended = new Promise<void>((resolve) => daemon.once('exit', () => resolve()));
process.on('exit', () => void daemon.kill('SIGKILL'));

let told = false;
createInterface({ input: daemon.stdout }).on('line', (line) => {
  const { level, message, drift } = JSON.parse(line) as { level: string; message: string; drift?: boolean };
  say(`  ${level.padEnd(5)} ${message}${drift === true ? '  [drift repaired]' : ''}`);
  if (told || message !== 'reconciliation summary') return;
  told = true;
  say(`
Log in as one of the users (its password is in the manifest of its Secret), with psql or without:
  psql 'postgresql://alice:wonderland@127.0.0.1:${server.port}/myapp'
  npm run -s demo:sql -- 'postgresql://alice:wonderland@127.0.0.1:${server.port}/myapp' 'SELECT * FROM payroll'
What bob may read, and what not:
  npm run -s demo:sql -- 'postgresql://bob:builder@127.0.0.1:${server.port}/myapp' 'SELECT * FROM orders'
  npm run -s demo:sql -- 'postgresql://bob:builder@127.0.0.1:${server.port}/myapp' 'SELECT * FROM payroll'
Change access: edit a file, and it is applied within two seconds:
  ${join(folder, 'users.yaml')}
  ${join(folder, 'secrets.yaml')}
Drift: revoke something as the superuser, and see it come back:
  npm run -s demo:sql -- 'postgresql://postgres:${server.password}@127.0.0.1:${server.port}/postgres' 'REVOKE analyst FROM alice'
Ask about this server, from another terminal in this folder:
  export DB_HOST=127.0.0.1 DB_PORT=${server.port} DB_PASS=${server.password} SOURCE=dir:${folder}
  npx pgsteward plan
  npx pgsteward explain bob SELECT myapp.public.payroll
  npx pgsteward import
What holds, and metrics:
  http://127.0.0.1:${httpPort}/status   http://127.0.0.1:${httpPort}/metrics
Ctrl-C stops it all and leaves nothing running.
`);
});

await Promise.race([ended, new Promise<void>((resolve) => stop.signal.addEventListener('abort', () => resolve(), { once: true }))]);
say('\nStopping …');
daemon.kill('SIGTERM');
await ended;
await server.stop();
process.exit(stop.signal.aborted ? 0 : 1);
