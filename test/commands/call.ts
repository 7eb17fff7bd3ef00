// The program as somebody calls it: a process of its own, with what it says and how it ends.
import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { program } from '../../src/commands/program.ts';
import { ROOT } from '../support/daemon.ts';

export interface Called {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CallOptions {
  /** What stands on its standard input. */
  readonly stdin?: string | Buffer;
  readonly cwd?: string;
  /** Another name of the program, or another program. */
  readonly command?: string;
}

/** Calls the program without any settings. */
export async function call(args: readonly string[], { stdin = '', cwd = ROOT, command = join(ROOT, 'bin/pgsteward') }: CallOptions = {}): Promise<Called> {
  const child = spawn(command, args, { cwd, env: { PATH: process.env['PATH'] ?? '' }, stdio: 'pipe' });
  child.stdin.on('error', () => undefined);
  child.stdin.end(stdin);
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close') as Promise<[number | null]>]);
  return { code, stdout, stderr };
}

/** What is said where something lasts, as on a machine that does much else. */
const PROGRESS = /^pgsteward: [A-Za-z ]+ …\n/gm;

/** The same within this process, which is quicker. What it says of its progress is left out. */
export async function callHere(args: readonly string[], stdin = '', env: Readonly<Record<string, string>> = {}): Promise<Called> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const said = Promise.all([text(stdout), text(stderr)]);
  const code = await program(args, Object.assign(new EventEmitter(), { env, stdin: Readable.from([Buffer.from(stdin)]), stdout, stderr }));
  stdout.end();
  stderr.end();
  const [onStdout, onStderr] = await said;
  return { code, stdout: onStdout, stderr: onStderr.replace(PROGRESS, '') };
}
