// The API server, reached with one shared connection agent, a deadline on every request, and errors that never hold a body.
import type { RequestOptions } from 'node:https';
import { KubeConfig } from '@kubernetes/client-node';
import { Agent, request } from 'undici';
import { type SourceFailure, SourceError } from '../sources/source.ts';

/** What a request is about, for messages and for the right that is missing. */
export interface Target {
  readonly verb: 'get' | 'list' | 'watch' | 'create' | 'patch';
  readonly resource: 'configmaps' | 'secrets' | 'events';
  readonly namespace: string;
  readonly name?: string;
}

export interface KubeClient {
  /** The answer's JSON object. @throws SourceError for everything else. */
  send(target: Target, options: SendOptions): Promise<Record<string, unknown>>;
  /**
   * The chunks of an answer that goes on for minutes; whoever reads them has to end it where nothing comes any more.
   * @throws SourceError where it does not begin.
   */
  stream(target: Target, options: SendOptions & { readonly signal: AbortSignal }): Promise<AsyncIterable<Uint8Array>>;
  close(): Promise<void>;
}

interface SendOptions {
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: object;
  /** What the body is, where it is not plain JSON: the kinds of PATCH. */
  readonly contentType?: 'application/json' | 'application/merge-patch+json' | 'application/apply-patch+yaml';
  /** Another form of the same objects. */
  readonly accept?: string;
  readonly signal?: AbortSignal;
}

const METHODS = { get: 'GET', list: 'GET', watch: 'GET', create: 'POST', patch: 'PATCH' } as const;

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
    setTimeout(() => void used.then(closeSession).catch(() => undefined), timeoutMs).unref();
  };

  const begin = async (target: Target, options: SendOptions, { server, headers }: Session, dispatcher: Agent, signal: AbortSignal) => {
    const { verb, namespace, resource, name } = target;
    const url = new URL(
      `${server}${PATHS[resource]}/namespaces/${encodeURIComponent(namespace)}/${resource}${name === undefined ? '' : `/${encodeURIComponent(name)}`}`,
    );
    for (const [key, value] of Object.entries(options.query ?? {})) url.searchParams.set(key, value);
    return request(url, {
      dispatcher,
      method: METHODS[verb],
      headers: {
        ...(await headers()),
        accept: options.accept ?? 'application/json',
        'user-agent': 'pgsteward',
        ...(options.body === undefined ? {} : { 'content-type': options.contentType ?? 'application/json' }),
      },
      body: options.body === undefined ? null : JSON.stringify(options.body),
      signal,
    });
  };
  const once = async (target: Target, options: SendOptions, current: Session) => {
    const deadline = AbortSignal.timeout(timeoutMs);
    const signal = options.signal === undefined ? deadline : AbortSignal.any([options.signal, deadline]);
    const response = await begin(target, options, current, current.agent, signal);
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
    stream: async (target, options) => {
      const used = open();
      try {
        const current = await used;
        const response = await begin(target, options, current, current.watches, options.signal);
        if (response.statusCode === 200) return response.body as AsyncIterable<Uint8Array>;
        // Whoever asks again does so with a fresh session, which reads the token again.
        if (response.statusCode === 401) forget(used);
        await response.body.dump();
        throw failureOf(target, response.statusCode, response.headers['retry-after']);
      } catch (error) {
        options.signal.throwIfAborted();
        if (error instanceof SourceError) throw error;
        forget(used);
        throw networkFailure(target, error, timeoutMs);
      }
    },
    close: async () => {
      const last = await session?.catch(() => undefined);
      await Promise.all([last?.agent.destroy(), last?.watches.destroy()]);
    },
  };
}

interface Session {
  readonly server: string;
  readonly agent: Agent;
  /** Connections of their own for answers that go on: they share no fate with requests, and their bodies may be silent for long. */
  readonly watches: Agent;
  readonly headers: () => Promise<Record<string, string>>;
}

const closeSession = ({ agent, watches }: Session): Promise<unknown> => Promise.all([agent.close(), watches.close()]);

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
