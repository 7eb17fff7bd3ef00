// A source on an API server that answers whatever a test says, request by request.
import { createServer, type RequestListener, type Server } from 'node:http';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createKubernetesSource } from '../../src/sources/kubernetes.ts';
import type { Ports } from '../../src/sources/ports.ts';
import { scratch } from './scratch.ts';

export interface RawKube {
  readonly server: Server;
  readonly source: Ports;
  /** Holds the kubeconfig, as `config`. */
  readonly folder: string;
}

export async function sourceOn(listener: RequestListener, secretAccess: 'auto' | 'get' | 'list' = 'get', timeoutMs = 300): Promise<RawKube> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const folder = scratch('faults');
  const kubeconfig = join(folder, 'config');
  writeFileSync(
    kubeconfig,
    JSON.stringify({
      clusters: [{ name: 'c', cluster: { server: `http://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'u', user: { token: 't' } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    }),
  );
  const source = createKubernetesSource({ namespace: 'postgres', configMapName: 'users', secretAccess, secretReadsPerCycle: 2, kubeconfig, timeoutMs });
  return { server, source, folder };
}

/** A Secret as the API server sends it. */
export const secretAs = (name: string): string =>
  JSON.stringify({ metadata: { name, uid: 'u', resourceVersion: '1' }, data: { password: Buffer.from('pw').toString('base64') } });
