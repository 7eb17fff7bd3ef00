// The thread beside the loop that reads large texts of others: one task after the other, each answered with its outcome.
import { parentPort } from 'node:worker_threads';
import { type AsideRequest, runTask } from './aside-tasks.ts';

parentPort?.on('message', (request: AsideRequest) => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  parentPort?.postMessage(runTask(request));
});
