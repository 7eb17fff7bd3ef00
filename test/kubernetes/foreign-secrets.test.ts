// Large Secrets of others in our namespace, as Helm keeps its releases in, on a real API server: with the right to list all of them, only names are read.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { KubeCase } from '../support/kube-case.ts';

const at = new KubeCase();
const RELEASES = 25;
const BYTES = 1_000_000;
/** In MiB. */
const peak = (): number => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${at.daemon.process.pid}/status`, 'utf8'))?.[1]) / 1024;

async function releases(): Promise<void> {
  for (let index = 0; index < RELEASES; index += 1) {
    const body = {
      apiVersion: 'v1',
      kind: 'Secret',
      type: 'helm.sh/release.v1',
      metadata: { name: `sh.helm.release.v1.app.v${index}`, labels: { owner: 'helm' } },
      data: { release: randomBytes(BYTES).toString('base64') },
    };
    expect((await at.kube.api('POST', at.path('secrets'), body)).status).toBe(201);
  }
}

/** Two users by Secrets, one rotated, one more release while it runs. @returns the peak of the daemon's memory in MiB. */
async function follow(name: string): Promise<number> {
  await at.kube.component(at.namespace, 'bulk-secrets');
  await at.users([{ username: `${name}1` }, { username: `${name}2` }]);
  for (const user of ['1', '2']) await at.secret(`${name}${user}`, `first-pass-of-${name}`);
  await at.run({ SYNC_INTERVAL: '1' });
  await at.daemon.ready();
  await at.secret(`${name}1`, `second-pass-of-${name}`);
  await at.until(() => at.canLogin(`${name}1`, `second-pass-of-${name}`));
  for (let cycle = 0; cycle < 5; cycle += 1) await at.daemon.cycle();
  return peak();
}

const peaks: number[] = [];

it('without any Secret of others', async () => {
  peaks.push(await follow('few'));
});

it(`${RELEASES} Secrets of others with 1 MB each are not read: the daemon's memory is what it is without them`, async () => {
  await releases();
  peaks.push(await follow('many'));
  const [without = 0, beside = 0] = peaks;
  console.log(`peak RSS ${without.toFixed(0)} MiB, and ${beside.toFixed(0)} MiB beside ${RELEASES} Secrets of others with 1 MB each`);
  // As text they have 32 MiB, and more while they are taken apart. What one run differs from another by is less than half of that.
  expect(beside - without).toBeLessThan(16);
});
