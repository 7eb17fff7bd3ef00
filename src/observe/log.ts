// The log: JSON lines on standard output, with the four fields that everything else reads.
import pino from 'pino';

export type Log = pino.Logger;

/** A logger for one module of pgsteward; secrets never get this far, and fields that could hold one are cut all the same. */
export const createLog = (level: string, destination?: pino.DestinationStream): Log =>
  pino(
    {
      level,
      base: { module: 'pgsteward' },
      messageKey: 'message',
      timestamp: () => `,"timestamp":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label.toUpperCase() }) },
      redact: { paths: ['password', 'verifier', 'DB_PASS', '*.password', '*.verifier', 'error.body', 'error.headers'], censor: '…' },
    },
    destination ?? pino.destination({ dest: 1, sync: true }),
  );
