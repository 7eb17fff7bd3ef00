// Loaded into the daemon: on SIGUSR2, what it holds on to after a collection, in bytes, goes to a file.
import { renameSync, writeFileSync } from 'node:fs';

const file = process.env.HEAP_FILE;
process.on('SIGUSR2', () => {
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  writeFileSync(`${file}.new`, String(heapUsed + external));
  renameSync(`${file}.new`, file);
});
