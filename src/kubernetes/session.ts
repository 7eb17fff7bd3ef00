// A session with the API server: its address, the connections to it, and how we say who we are. It is opened anew where it does not work any more.
import type { RequestOptions } from 'node:https';
import { KubeConfig } from '@kubernetes/client-node';
import { Agent } from 'undici';
import { SourceError } from '../sources/source.ts';

/** As many Secrets as are read side by side; further requests wait for a connection. */
export const PARALLEL = 16;

export interface Session {
  readonly server: string;
  readonly agent: Agent;
  /** Connections of their own for answers that go on: they share no fate with requests, and their bodies may be silent for long. */
  readonly watches: Agent;
  readonly headers: () => Promise<Record<string, string>>;
}

export const closeSession = ({ agent, watches }: Session): Promise<unknown> => Promise.all([agent.close(), watches.close()]);

/** @throws SourceError where there is no usable configuration; its errors come from files of ours and can be shown. */
export async function openSession(kubeconfig: string | undefined): Promise<Session> {
  try {
    return await loadSession(kubeconfig);
  } catch (error) {
    if (error instanceof SourceError) throw error;
    throw new SourceError('unavailable', `the Kubernetes configuration cannot be used: ${error instanceof Error ? error.message : String(error)}`, {
      retryable: true,
    });
  }
}

async function loadSession(kubeconfig: string | undefined): Promise<Session> {
  const config = new KubeConfig();
  if (kubeconfig !== undefined) config.loadFromFile(kubeconfig);
  else if (process.env['KUBERNETES_SERVICE_HOST'] === undefined) config.loadFromDefault();
  else config.loadFromCluster();
  const server = config.getCurrentCluster()?.server.replace(/\/+$/, '');
  if (server === undefined)
    throw new SourceError('unavailable', 'there is no Kubernetes cluster to talk to: set KUBECONFIG, run in a pod, or use SOURCE=dir:PATH');
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  const { ca, cert, key, rejectUnauthorized } = options;
  const tls = Object.fromEntries(Object.entries({ ca, cert, key, rejectUnauthorized }).filter(([, value]) => value !== undefined));
  return {
    server,
    agent: new Agent({ connect: { ...tls, timeout: 5000 }, connections: PARALLEL, allowH2: false }),
    watches: new Agent({ connect: { ...tls, timeout: 5000 }, allowH2: false, bodyTimeout: 0 }),
    headers: async () => {
      const fresh: RequestOptions = {};
      await config.applyToHTTPSOptions(fresh);
      const basic: Record<string, string> = typeof fresh.auth === 'string' ? { authorization: `Basic ${Buffer.from(fresh.auth).toString('base64')}` } : {};
      const headers = { ...basic, ...(fresh.headers as Record<string, string> | undefined) };
      // A token file may end in a newline. undici refuses the header, and its pool never frees a connection that refused one.
      return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.trim()]));
    },
  };
}
