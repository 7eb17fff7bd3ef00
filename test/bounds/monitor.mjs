// Loaded into the daemon: writes the longest pause of its event loop, in milliseconds, to a file.
import { writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';

const delay = monitorEventLoopDelay({ resolution: 10 });
delay.enable();
// From now on, when somebody begins to look.
if (isMainThread) process.on('SIGUSR2', () => delay.reset());
// The thread beside the loop may stand still.
if (isMainThread)
  setInterval(() => writeFileSync(process.env.PAUSES_FILE, JSON.stringify({ max: delay.max / 1e6, p99: delay.percentile(99) / 1e6 })), 500).unref();
