// The daemon as a verb: its settings, its log, and what signals mean to it.
import { setFlagsFromString } from 'node:v8';
import { ConfigError, readConfig } from '../config.ts';
import { createLog } from '../observe/log.ts';
import { createLogOutput } from '../observe/log-output.ts';
import { inFormat } from '../observe/text-lines.ts';
import { describeFailure } from '../postgres/failures.ts';
import { createWake } from '../steward/loop.ts';
import { run } from './run.ts';
import type { Program } from './verb.ts';

/** So long whoever reads the log has for what was said last. */
const LAST_WORDS_MS = 1000;

/** By itself the young generation grows to 128 MiB with the first large plan and stays so, and the old one to several times what is needed. A verb ends before that counts. */
const SMALL_HEAP = ['--semi-space-growth-factor=1', '--heap-growing-percent=50'];

/** Runs until a signal ends it. @returns the exit code. */
export async function daemon(self: Program): Promise<number> {
  for (const flag of SMALL_HEAP) setFlagsFromString(flag);
  const output = createLogOutput(self.stdout);
  let code = 0;
  try {
    const config = readConfig(self.env);
    const log = createLog(config.log.level, inFormat(output, config.log.format, self.stdout));
    const stop = new AbortController();
    const wake = createWake();
    for (const name of ['SIGTERM', 'SIGINT'] as const) self.once(name, () => stop.abort(new Error(name)));
    self.on('SIGHUP', () => wake.request('signal'));
    await run({ config, log, output, stop: stop.signal, wake }).catch((error: unknown) => {
      log.fatal(`pgsteward ends: ${describeFailure(error)}`);
      code = 1;
    });
  } catch (error) {
    createLog('info', inFormat(output, 'auto', self.stdout)).fatal(
      error instanceof ConfigError ? error.message : `pgsteward cannot start: ${describeFailure(error)}`,
    );
    code = 1;
  }
  await output.room(LAST_WORDS_MS);
  return code;
}
