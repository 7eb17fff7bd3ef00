// A program for tests: calls pgsteward with one list of arguments after the other, on its own streams and as another account where one is named.
import { EventEmitter } from 'node:events';
import { globSync, readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { program } from '../../src/commands/program.ts';

/** One call. */
export interface MistakenCall {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** What stands before what each call says, on both streams, and behind it on standard output. */
export const MARK = '<<<call>>>';

if (import.meta.main) {
  const [file = '', account] = process.argv.slice(2);
  const calls = JSON.parse(readFileSync(file, 'utf8')) as readonly MistakenCall[];
  // The other account need not be able to read the sources: all are loaded before, and found again by their place alone.
  const commands = join(import.meta.dirname, '../../src/commands');
  for (const module of globSync('*.ts', { cwd: commands })) await import(join(commands, module));
  if (account !== undefined) {
    registerHooks({
      resolve: (name, context, next) => (name.startsWith('.') ? { url: new URL(name, context.parentURL).href, shortCircuit: true } : next(name, context)),
    });
    process.setgroups?.([]);
    process.setgid?.(Number(account));
    process.setuid?.(Number(account));
  }
  const { stdout, stderr } = process;
  // Of one call there are few listeners.
  for (const stream of [stdout, stderr]) stream.setMaxListeners(0);
  for (const { args, env } of calls) {
    for (const stream of [stdout, stderr]) stream.write(`${MARK}\n`);
    const code = await program(args, Object.assign(new EventEmitter(), { env, stdin: Readable.from([]), stdout, stderr }));
    await new Promise((done) => stdout.write(`${MARK}${code}\n`, done));
  }
  // As the program itself ends: a session that is still open does not hold it.
  process.exit(0);
}
