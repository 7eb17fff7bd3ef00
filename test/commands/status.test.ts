// status: what the daemon says, for people, with an exit code; names that play tricks with a terminal, and answers of others.
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Advice } from '../../src/changes/advice.ts';
import { createStatus } from '../../src/observe/status.ts';
import { EMPTY } from '../../src/steward/report-parts.ts';
import type { CycleReport } from '../../src/steward/report.ts';
import { type Daemon, daemonEnv, Manifests, startDaemon } from '../support/daemon.ts';
import { freePort, type Postgres, startPostgres } from '../support/postgres.ts';
import { callHere } from './call.ts';

const TRICK = 'a\u001B[2J\nx\u009B1m\u202E';

/** Asks somebody who answers so. */
async function ask(listener: RequestListener, args: readonly string[] = []) {
  const server = createServer(listener);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  try {
    return await callHere(['status', '--url', `http://127.0.0.1:${(server.address() as AddressInfo).port}`, ...args]);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const reported = (
  report: Partial<CycleReport> | undefined,
  role: 'writer' | 'standby' | 'dry_run' | 'starting' = 'writer',
  patience = 600_000,
): RequestListener => {
  const status = createStatus({ source: `directory ${TRICK}`, dryRun: role === 'dry_run', patience });
  status.setRole(role);
  if (report !== undefined) status.record({ ...EMPTY, result: 'converged', ...report });
  return (_request, response) => void response.end(JSON.stringify(status.toJson()));
};
const revoke = { kind: 'disable_role', role: TRICK, keep: true } as const;

describe('an answer', () => {
  it.each<readonly [string, RequestListener, number, string]>([
    ['a server as declared', reported({}), 0, 'the server is as declared\n'],
    ['a dry run with nothing to do', reported({ result: 'dry_run' }, 'dry_run'), 0, 'nothing to do\n'],
    ['a dry run with something to do', reported({ result: 'dry_run', planned: [revoke] }, 'dry_run'), 2, 'the server differs'],
    ['a pause with something to do', reported({ result: 'paused', planned: [revoke] }), 2, 'the server differs'],
    ['an incomplete cycle without errors', reported({ result: 'incomplete' }), 2, 'not everything is as declared'],
    ['no document', reported({ result: 'waiting' }), 2, 'there is no document to follow yet'],
    ['no cycle', reported(undefined, 'starting'), 2, 'no cycle has ended yet'],
    ['one that stands by', reported(undefined, 'standby'), 2, 'stands by'],
    ['an error', reported({ notices: [{ kind: 'failed', subject: TRICK, message: 'it failed' }] }), 1, '1 error(s) in the last cycle\n'],
    ['a loop that stands still after a right cycle', reported({}, 'writer', 0), 1, 'has stood still for minutes'],
    ['a source that cannot be read', reported({ sourceFailure: { reason: 'x', message: 'gone' } }), 1, 'gone'],
  ])('about %s', async (_what, listener, code, said) => {
    const found = await ask(listener);
    expect(found).toMatchObject({ code, stderr: '' });
    expect(found.stdout).toContain(said);
  });

  it('has names in it that say nothing to a terminal, in text and as JSON', async () => {
    const advice = { sql: `DROP ROLE x; -- ${TRICK}`, database: TRICK, as: 'superuser' } as Partial<Advice> as Advice;
    const notices = [{ kind: 'cannot' as const, subject: TRICK, message: TRICK, advice }];
    for (const args of [[], ['-o', 'json']]) {
      const { stdout } = await ask(reported({ notices }), args);
      expect(stdout.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    }
    expect(JSON.parse((await ask(reported({ notices }), ['-o', 'json'])).stdout)).toMatchObject({ notices: [{ subject: TRICK, sqlDatabase: TRICK }] });
  });

  it.each<readonly [string, RequestListener, string]>([
    ['an error', (_request, response) => void response.writeHead(503).end('{}'), 'it answers 503'],
    ['no JSON', (_request, response) => void response.end('<html>'), 'it does not answer in JSON'],
    ['another program', (_request, response) => void response.end('{"ok": true}'), 'is no pgsteward'],
    ['another address', (_request, response) => void response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(), 'redirect'],
    ['no end', (_request, response) => void response.end(`"${'x'.repeat(17 * 1024 * 1024)}"`), 'more than 16777216 bytes'],
  ])('that is %s is told and ends with 1', async (_what, listener, said) => {
    const found = await ask(listener);
    expect(found).toMatchObject({ code: 1, stdout: '' });
    expect(found.stderr).toContain(said);
  });

  it('nobody answers', async () => {
    const found = await callHere(['status', '--url', `http://127.0.0.1:${await freePort()}`]);
    expect(found).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('is the daemon running') as string });
  });

  it.each(['ftp://x', 'x', 'http://me:sesame@x'])('%s is no address', async (url) => {
    expect(await callHere(['status', '--url', url])).toEqual({
      code: 1,
      stdout: '',
      stderr: 'pgsteward: --url is no address of the daemon, as http://localhost:8080\n',
    });
  });
});

describe('of the daemon', () => {
  let server: Postgres;
  let manifests: Manifests;
  let daemon: Daemon;
  beforeAll(async () => {
    server = await startPostgres();
    manifests = new Manifests();
  });
  afterEach(() => daemon.kill9());
  afterAll(async () => {
    manifests.remove();
    await server.stop();
  });

  it('it says how the server is, and exits as that is', async () => {
    manifests.users([{ username: TRICK.replaceAll('\n', ''), roles: ['read_only'] }]);
    manifests.secret(TRICK.replaceAll('\n', ''), 'p');
    daemon = await startDaemon(daemonEnv(server, manifests.folder));
    await daemon.ready();
    const url = ['--url', `http://127.0.0.1:${daemon.port}`];
    const found = await callHere(['status', ...url]);
    expect(found).toMatchObject({ code: 0, stderr: '' });
    expect(found.stdout).toContain('the server is as declared\n  instance    writer\n');
    expect(found.stdout).toContain('1 user(s), 1 role(s)');
    expect(JSON.parse((await callHere(['status', '-o', 'json', ...url])).stdout)).toMatchObject({ role: 'writer', users: 1 });
    manifests.users([{ username: 'lost' }]);
    await daemon.cycle();
    const behind = await callHere(['status', ...url]);
    expect(behind.code).toBe(1);
    expect(behind.stdout).toContain('secret: lost: ');
  });
});
