// The API server, reached with one shared connection agent, a deadline on every request, and errors that never hold a body.
import type { RequestOptions } from 'node:https';
import { KubeConfig } from '@kubernetes/client-node';
import { Agent, request } from 'undici';
import { type SourceFailure, SourceError } from '../sources/source.ts';

/** What a request is about, for messages and for the right that is missing. */
export interface Target {
  readonly verb: 'get' | 'list' | 'create';
  readonly resource: 'configmaps' | 'secrets' | 'events';
  readonly namespace: string;
  readonly name?: string;
}

export interface KubeClient {
  /** The answer's JSON object. @throws SourceError for everything else. */
  send(
    target: Target,
    options: { readonly query?: Readonly<Record<string, string>>; readonly body?: object; readonly signal?: AbortSignal },
  ): Promise<Record<string, unknown>>;
  close(): Promise<void>;
}

const PATHS: Readonly<Record<Target['resource'], string>> = { configmaps: '/api/v1', secrets: '/api/v1', events: '/apis/events.k8s.io/v1' };
/** As many Secrets as are read side by side; further requests wait for a connection. */
export const PARALLEL = 16;

/** @param kubeconfig a file; undefined looks for a pod's service account first, then for the default kubeconfig. */
export function createKubeClient({ kubeconfig, timeoutMs }: { readonly kubeconfig: string | undefined; readonly timeoutMs: number }): KubeClient {
  let session: Promise<Session> | undefined;
  const open = (): Promise<Session> => {
    session ??= openSession(kubeconfig).catch((error: unknown) => {
      session = undefined;
      throw error;
    });
    return session;
  };
  /** The next request loads the configuration again: address, CA and token as the files have them by then. */
  const forget = (used: Promise<Session>): void => {
    // Requests side by side fail together: only the first one may put away the session that they shared.
    if (session !== used) return;
    session = undefined;
    // Those that hold it may still send with it, so it is closed when their deadlines have passed.
    setTimeout(() => void used.then(({ agent }) => agent.close()).catch(() => undefined), timeoutMs).unref();
  };

  const once = async (target: Target, options: Parameters<KubeClient['send']>[1], current: Session) => {
    const { namespace, resource, name } = target;
    const url = new URL(
      `${current.server}${PATHS[resource]}/namespaces/${encodeURIComponent(namespace)}/${resource}${name === undefined ? '' : `/${encodeURIComponent(name)}`}`,
    );
    for (const [key, value] of Object.entries(options.query ?? {})) url.searchParams.set(key, value);
    const deadline = AbortSignal.timeout(timeoutMs);
    const response = await request(url, {
      dispatcher: current.agent,
      method: options.body === undefined ? 'GET' : 'POST',
      headers: {
        ...(await current.headers()),
        accept: 'application/json',
        'user-agent': 'pgsteward',
        ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      body: options.body === undefined ? null : JSON.stringify(options.body),
      signal: options.signal === undefined ? deadline : AbortSignal.any([options.signal, deadline]),
    });
    return { status: response.statusCode, retryAfter: response.headers['retry-after'], text: await response.body.text() };
  };

  return {
    send: async (target, options) => {
      let used = open();
      try {
        let answer = await once(target, options, await used);
        if (answer.status === 401) {
          // A fresh session reads the token again, which its cache would do only after a minute.
          forget(used);
          used = open();
          answer = await once(target, options, await used);
        }
        if (answer.status < 200 || answer.status > 299) throw failureOf(target, answer.status, answer.retryAfter);
        return parse(target, answer.text);
      } catch (error) {
        options.signal?.throwIfAborted();
        if (error instanceof SourceError) throw error;
        forget(used);
        throw networkFailure(target, error, timeoutMs);
      }
    },
    close: async () => {
      const last = await session?.catch(() => undefined);
      await last?.agent.destroy();
    },
  };
}

interface Session {
  readonly server: string;
  readonly agent: Agent;
  readonly headers: () => Promise<Record<string, string>>;
}

/** @throws SourceError where there is no usable configuration; its errors come from files of ours and can be shown. */
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

const describe = ({ resource, name, namespace }: Target): string => `${resource}${name === undefined ? '' : ` ${name}`} in namespace ${namespace}`;

/** What each status means for us; the body is never looked at, as it can echo what was sent. */
function failureOf(target: Target, status: number, retryAfter: string | string[] | undefined): SourceError {
  const what = describe(target);
  const fail = (reason: SourceFailure, message: string, retryable: boolean): SourceError =>
    new SourceError(reason, message, { retryable, retryAfterMs: retryAfterMs(retryAfter) });
  switch (status) {
    case 401:
      return fail('unauthorized', `the API server does not accept our token for ${what}; check the service account and its mount`, false);
    case 403:
      return fail('forbidden', `we may not ${target.verb} ${what}; the Role needs the verb ${target.verb} on ${target.resource}`, false);
    case 404:
      return fail('not_found', `there is no ${what}`, false);
    case 409:
      return fail('conflict', `somebody else changed ${what} at the same time`, true);
    case 410:
      return fail('expired', `the API server no longer has the version of ${what} that was asked for`, true);
    case 429:
      return fail('throttled', `the API server asks us to slow down (${what})`, true);
    default:
      return fail('unavailable', `the API server answered ${status} for ${what}`, status >= 500);
  }
}

/** Retry-After in seconds or as a date. */
function retryAfterMs(header: string | string[] | undefined): number | undefined {
  const value = Array.isArray(header) ? header[0] : header;
  if (value === undefined) return undefined;
  const wait = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(wait) ? Math.max(0, wait) : undefined;
}

function networkFailure(target: Target, error: unknown, timeoutMs: number): SourceError {
  const name = error instanceof Error ? error.name : '';
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : name;
  if (name === 'TimeoutError' || name === 'AbortError' || code === 'UND_ERR_CONNECT_TIMEOUT')
    return new SourceError('timeout', `the API server did not answer within ${timeoutMs / 1000} s for ${describe(target)}`, { retryable: true });
  return new SourceError('unavailable', `the API server cannot be reached for ${describe(target)} (${code || 'unknown error'})`, { retryable: true });
}

function parse(target: Target, text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Told below, without the text.
  }
  throw new SourceError('malformed', `the API server's answer for ${describe(target)} is no JSON object`, { retryable: true });
}
