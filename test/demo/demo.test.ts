// The demo of the README: it comes up twice at the same time, applies an edit, and leaves nothing running.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { expect, it } from 'vitest';
import { ROOT } from '../support/daemon.ts';

function startDemo() {
  const child = spawn(process.execPath, [join(ROOT, 'test/demo/demo.ts')], { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  process.on('exit', () => void child.kill('SIGKILL'));
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const seen = async (pattern: RegExp): Promise<RegExpMatchArray> => {
    for (const deadline = Date.now() + 60_000; ; await sleep(50)) {
      const match = output.match(pattern);
      if (match !== null) return match;
      if (Date.now() > deadline) throw new Error(`the demo did not say ${pattern.source}: ${output}`);
    }
  };
  return { child, ended, seen };
}

it('runs twice at once, shows logins that work, what they may read and why, applies an edit, and Ctrl-C leaves nothing running', async () => {
  const demos = [startDemo(), startDemo()];
  const ports = await Promise.all(
    demos.map(async ({ seen }, index) => {
      const [, url = '', port = ''] = await seen(/psql '(postgresql:\/\/alice:[^@]+@127\.0\.0\.1:(\d+)\/myapp)'/);
      const [file = ''] = await seen(/\/\S+users\.yaml/);
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      await client.end();
      const sql = (as: string, statement: string) =>
        spawnSync('npm', ['run', '-s', 'demo:sql', '--', `postgresql://${as}@127.0.0.1:${port}/myapp`, statement], { cwd: ROOT, encoding: 'utf8' });
      expect(sql('alice:wonderland', 'SELECT * FROM payroll').stdout).toBe('who=bob  pays=4000\nSELECT 1\n');
      expect(sql('bob:builder', 'SELECT item FROM orders WHERE id = 1').stdout).toBe('item=tea\nSELECT 1\n');
      expect(sql('bob:builder', 'SELECT * FROM payroll')).toMatchObject({ status: 1, stderr: 'ERROR: permission denied for table payroll\n' });
      // Every line of the tour, as it is printed.
      if (index === 0) {
        const [exports = ''] = await seen(/export DB_HOST=.*/);
        const ask = (command: string) => spawnSync('bash', ['-c', `${exports}; npx ${command}`], { cwd: ROOT, encoding: 'utf8' });
        expect(ask('pgsteward plan')).toMatchObject({ status: 0, stdout: expect.stringContaining('the server is as declared') as string });
        expect(ask('pgsteward explain bob SELECT myapp.public.payroll')).toMatchObject({ status: 2, stdout: expect.stringMatching(/^no: /) as string });
        expect(ask('pgsteward import')).toMatchObject({ status: 0, stdout: expect.stringContaining('username: alice') as string });
      }
      writeFileSync(file, readFileSync(file, 'utf8').replace('connectionLimit: 10', 'connectionLimit: 3'));
      await seen(/CONNECTION LIMIT 3/);
      return port;
    }),
  );
  expect(new Set(ports).size).toBe(2);
  for (const { child } of demos) child.kill('SIGINT');
  expect(await Promise.all(demos.map(({ ended }) => ended))).toEqual([0, 0]);
  const processes = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' });
  for (const port of ports) expect(processes).not.toContain(`port ${port}`);
  for (const { seen } of demos) expect(processes).not.toContain((await seen(/\/\S+users\.yaml/))[0].replace('/users.yaml', ''));
});
