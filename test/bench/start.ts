// The benchmark of the start: verbs as processes of their own, until they are at the server, and to the end of a look at one that is as declared.
import { createServer } from 'node:net';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { daemonEnv, Manifests, ROOT } from '../support/daemon.ts';
import { startPostgres } from '../support/postgres.ts';
import { passwordsOf, usersDocument } from './many-users.ts';
import { median, numbers, once, print, PROGRAM, psql, report, RUNS, startShipped, waitForCycle } from './support.ts';

const USERS = 1000;
const LOOK = 'SELECT * FROM pg_authid; SELECT * FROM pg_auth_members';

/** Milliseconds from the start of the process until it asks for a session. */
async function untilServer(env: Readonly<Record<string, string>>, args: readonly string[]): Promise<number> {
  const { promise: asked, resolve } = Promise.withResolvers<number>();
  const listener = createServer((socket) => {
    resolve(performance.now());
    socket.destroy();
  });
  await new Promise<void>((done) => listener.listen(0, '127.0.0.1', done));
  const { port } = listener.address() as { readonly port: number };
  const began = performance.now();
  const child = spawn(process.execPath, [PROGRAM, ...args], { env: { PATH: process.env['PATH'] ?? '', ...env, DB_PORT: String(port) }, stdio: 'ignore' });
  const took = (await asked) - began;
  child.kill('SIGKILL');
  listener.close();
  return took;
}

/** How long a process takes that does nothing much, and one that looks. */
export async function benchStart(): Promise<void> {
  const server = await startPostgres({ settings: { log_statement: 'none' } });
  const manifests = new Manifests();
  manifests.users(usersDocument(USERS, true));
  manifests.secrets(passwordsOf(USERS));
  const env = daemonEnv(server, manifests.folder);
  const daemon = await startShipped(env);
  await waitForCycle(daemon);
  await daemon.cycle();
  await daemon.stop();
  const times = (work: () => number): readonly number[] => numbers(RUNS).map(work);
  const example = join(ROOT, 'manifests/example/users.yaml');
  for (const args of [['--version'], ['validate', example], ['schema']])
    print(`pgsteward ${args[0]}: median ${median(times(() => once({}, args))).toFixed(0)} ms`);
  const [plan, theirs] = [times(() => once(env, ['plan'])), times(() => psql(server, ['-c', LOOK]))];
  report(`an unchanged look at ${USERS} users, from start to end of the process`, plan, theirs);
  const asked: number[] = [];
  for (const _ of numbers(RUNS)) asked.push(await untilServer(env, ['plan']));
  print(`  of it until it asks for a session: median ${median(asked).toFixed(0)} ms`);
  print(`  without Secrets: median ${median(times(() => once(env, ['plan', '--without-secrets']))).toFixed(0)} ms`);
  report(
    `apply of the same, nothing to do`,
    times(() => once(env, ['apply'])),
    theirs,
  );
  manifests.remove();
  await server.stop();
}
