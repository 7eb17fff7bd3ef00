// Outages on a real API server: what keeps us from working is an Event on the ConfigMap and the condition of the status, beside all that the daemon shows itself.
import { expect, it } from 'vitest';
import { OUTAGES } from '../../src/model/outage.ts';
import { KubeCase } from '../support/kube-case.ts';
import { OUTAGE_CASES } from '../support/outages.ts';

const at = new KubeCase();

it.each(OUTAGE_CASES)('$outage, as $name: an Event and a condition that is not ready', async ({ outage, message, make, possible }) => {
  await at.users([{ username: 'alice' }]);
  await at.secret('alice', 'alice-pass');
  if (possible?.() === false) {
    await at.run();
    await at.daemon.ready();
    return;
  }
  const { env, undo } = await make(at.server);
  const { NAMESPACE: _, ...ours } = env;
  try {
    await at.run({ ...ours, SYNC_INTERVAL: '1' });
    await at.until(async () => (await at.status())?.data['ready'] === 'false');
    expect((await at.status())?.data['reason']).toBe(OUTAGES[outage].condition);
    await at.until(async () => (await at.events()).some(({ reason, type, note }) => reason === 'Failed' && type === 'Warning' && message.test(note)));
    expect(await at.metric(`outage{reason="${outage}"}`)).toBe(1);
    expect((await at.daemon.get('/readyz')).code).toBe(503);
  } finally {
    await at.daemon.kill9();
    await undo();
  }
});

it('a status that said ready says no longer so when the server is gone, and says it again when it is back', async () => {
  await at.users([{ username: 'alice' }]);
  await at.secret('alice', 'alice-pass');
  await at.run({ SYNC_INTERVAL: '1' });
  await at.until(async () => (await at.status())?.data['ready'] === 'true');
  await at.server.kill9();
  await at.until(async () => (await at.status())?.data['reason'] === 'ServerUnreachable');
  await at.server.start();
  await at.until(async () => (await at.status())?.data['ready'] === 'true');
});
