// The log: JSON lines on standard output, with the four fields that everything else reads.
import pino from 'pino';
import type { LogOutput } from './log-output.ts';

export type Log = pino.Logger;

/** A logger for one module of pgsteward; secrets never get this far, and fields that could hold one are cut all the same. */
export const createLog = (level: string, output: Pick<LogOutput, 'write' | 'onLeftOut'>): Log => {
  /** Many lines are of one millisecond. */
  let [at, text] = [0, ''];
  const log = pino(
    {
      level,
      base: { module: 'pgsteward' },
      messageKey: 'message',
      timestamp: () => {
        const now = Date.now();
        if (now !== at) [at, text] = [now, `,"timestamp":"${new Date(now).toISOString()}"`];
        return text;
      },
      formatters: { level: (label) => ({ level: label.toUpperCase() }) },
      redact: { paths: ['password', 'verifier', 'DB_PASS', '*.password', '*.verifier', 'error.body', 'error.headers'], censor: '…' },
    },
    output,
  );
  output.onLeftOut((lines) =>
    log.error({ lines }, `${lines} lines of the log were left out, as nobody read it or it could not be written; what still holds is in /status`),
  );
  return log;
};
