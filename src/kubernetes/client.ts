// The API server, reached with one shared connection agent, a deadline on every request, and errors that never hold a body.
import { type Agent, request } from 'undici';
import { SourceError } from '../sources/source.ts';
import { failureOf, malformedAnswer, networkFailure } from './failures.ts';
import { asRecord } from './objects.ts';
import { closeSession, openSession, type Session } from './session.ts';

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

function parse(target: Target, text: string): Record<string, unknown> {
  try {
    const value = asRecord(JSON.parse(text));
    if (value !== undefined) return value;
  } catch {
    // Told below, without the text.
  }
  throw malformedAnswer(target);
}
