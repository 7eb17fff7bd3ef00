// Progress: what lasts is said once, on standard error, and what does not is not.
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { withProgress } from '../../src/commands/progress.ts';

it('says what lasts longer than two seconds, in one line', async () => {
  const [slow, quick] = [new PassThrough(), new PassThrough()];
  await Promise.all([withProgress(slow, 'reading the server', () => sleep(2300)), withProgress(quick, 'reading the server', () => sleep(10))]);
  expect(String(slow.read())).toBe('pgsteward: reading the server …\n');
  expect(quick.read()).toBeNull();
});
