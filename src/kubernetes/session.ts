// A session with the API server: its address, the connections to it, and how we say who we are. It is opened anew where it does not work any more.
import type { RequestOptions } from 'node:https';
import { dirname } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { Agent } from 'undici';
import { readRegularText, RefusedFile } from '../files/bounded-file.ts';
import { LIMITS } from '../model/limits.ts';
import { SourceError } from '../model/source-error.ts';

/** As many Secrets as are read side by side; further requests wait for a connection. */
export const PARALLEL = 16;

export interface Session {
  readonly server: string;
  readonly agent: Agent;
  /** Connections of their own for answers that go on: they share no fate with requests, and their bodies may be silent for long. */
  readonly watches: Agent;
  readonly headers: () => Promise<Record<string, string>>;
}

/** The one session that requests share. */
export interface Sessions {
  /** @throws SourceError where there is no usable configuration; its errors come from files of ours and can be shown. */
  open(): Promise<Session>;
  /** The next request loads the configuration again: address, CA and token as the files have them by then. */
  forget(used: Promise<Session>): void;
  close(): Promise<void>;
}

/** @param timeoutMs after which nobody sends any more with a session that is forgotten. */
export function createSessions(kubeconfig: string | undefined, timeoutMs: number): Sessions {
  let session: Promise<Session> | undefined;
  return {
    open: () => {
      session ??= openSession(kubeconfig).catch((error: unknown) => {
        session = undefined;
        throw error;
      });
      return session;
    },
    forget: (used) => {
      // Requests side by side fail together: only the first one may put away the session that they shared.
      if (session !== used) return;
      session = undefined;
      // Those that hold it may still send with it, so it is closed when their deadlines have passed.
      setTimeout(() => void used.then(closeSession).catch(() => undefined), timeoutMs).unref();
    },
    close: async () => {
      const last = await session?.catch(() => undefined);
      await Promise.all([last?.agent.destroy(), last?.watches.destroy()]);
    },
  };
}

const closeSession = ({ agent, watches }: Session): Promise<unknown> => Promise.all([agent.close(), watches.close()]);

async function openSession(kubeconfig: string | undefined): Promise<Session> {
  try {
    return await loadSession(kubeconfig);
  } catch (error) {
    if (error instanceof SourceError) throw error;
    throw new SourceError('unavailable', `the Kubernetes configuration cannot be used: ${error instanceof Error ? error.message : String(error)}`, {
      retryable: true,
    });
  }
}

async function loadFrom(path: string, config: KubeConfig): Promise<void> {
  try {
    config.loadFromString(await readRegularText(path, LIMITS.certificates));
  } catch (error) {
    throw error instanceof RefusedFile ? new Error(`${path} ${error.message}`) : error;
  }
  // As the library does with a file.
  config.makePathsAbsolute(dirname(path));
}

async function loadSession(kubeconfig: string | undefined): Promise<Session> {
  const config = new KubeConfig();
  if (kubeconfig !== undefined) await loadFrom(kubeconfig, config);
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
