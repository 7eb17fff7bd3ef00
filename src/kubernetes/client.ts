// The API server, reached with one shared connection agent, a deadline on every request, and errors that never hold a body.
import { type Agent, request } from 'undici';
import { SourceError } from '../model/source-error.ts';
import { failureOf, malformedAnswer, networkFailure, tooLong } from './request-failures.ts';
import { asRecord } from '../model/as-record.ts';
import { createSessions, type Session } from './session.ts';
import type { ResourceAttributes } from './resource-attributes.ts';

export interface KubeClient {
  /** The answer's JSON object. @throws SourceError for everything else. */
  send(target: ResourceAttributes, options: SendOptions): Promise<Record<string, unknown>>;
  /**
   * The chunks of an answer that goes on for minutes; whoever reads them has to end it where nothing comes any more.
   * @throws SourceError where it does not begin.
   */
  stream(target: ResourceAttributes, options: SendOptions & { readonly signal: AbortSignal }): Promise<AsyncIterable<Uint8Array>>;
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
  /** When it is aborted, who has not answered counts as not answering. */
  readonly patience?: AbortSignal | undefined;
}

/** The API server stores 1 MiB of data in an object and less beside it; in base64 that is less than this. */
const LONGEST_OBJECT = 2 * 1024 * 1024;
/** A page of a list. */
const LONGEST_LIST = 8 * 1024 * 1024;

const METHODS = { get: 'GET', list: 'GET', watch: 'GET', create: 'POST', patch: 'PATCH', delete: 'DELETE' } as const;

const PATHS: Readonly<Record<ResourceAttributes['resource'], string>> = {
  configmaps: '/api/v1',
  secrets: '/api/v1',
  events: '/apis/events.k8s.io/v1',
  leases: '/apis/coordination.k8s.io/v1',
};

/** @param kubeconfig a file; undefined looks for a pod's service account first, then for the default kubeconfig. */
export function createKubeClient({ kubeconfig, timeoutMs }: { readonly kubeconfig: string | undefined; readonly timeoutMs: number }): KubeClient {
  const sessions = createSessions(kubeconfig, timeoutMs);
  return {
    send: async (target, options) => {
      let used = sessions.open();
      const began = performance.now();
      try {
        let answer = await ask(target, options, await used, timeoutMs);
        if (answer.status === 401) {
          // A fresh session reads the token again, which its cache would do only after a minute.
          sessions.forget(used);
          used = sessions.open();
          answer = await ask(target, options, await used, timeoutMs);
        }
        if (answer.status < 200 || answer.status > 299) throw failureOf(target, answer.status, answer.retryAfter);
        return parse(target, answer.text);
      } catch (error) {
        options.signal?.throwIfAborted();
        if (error instanceof SourceError) throw error;
        sessions.forget(used);
        throw networkFailure(target, error, options.patience?.aborted === true ? Math.round(performance.now() - began) : timeoutMs);
      }
    },
    stream: async (target, options) => {
      const used = sessions.open();
      try {
        const session = await used;
        const response = await begin(target, options, session, session.watches, options.signal);
        if (response.statusCode === 200) return response.body as AsyncIterable<Uint8Array>;
        // Whoever asks again does so with a fresh session, which reads the token again.
        if (response.statusCode === 401) sessions.forget(used);
        await response.body.dump();
        throw failureOf(target, response.statusCode, response.headers['retry-after']);
      } catch (error) {
        options.signal.throwIfAborted();
        if (error instanceof SourceError) throw error;
        sessions.forget(used);
        throw networkFailure(target, error, timeoutMs);
      }
    },
    close: () => sessions.close(),
  };
}

/** One request, with all of its answer. */
async function ask(target: ResourceAttributes, options: SendOptions, session: Session, timeoutMs: number) {
  const ends = [AbortSignal.timeout(timeoutMs), options.signal, options.patience].filter((signal) => signal !== undefined);
  const response = await begin(target, options, session, session.agent, AbortSignal.any(ends));
  return { status: response.statusCode, retryAfter: response.headers['retry-after'], text: await textOf(target, response.body) };
}

async function begin(target: ResourceAttributes, options: SendOptions, { server, headers }: Session, dispatcher: Agent, signal: AbortSignal) {
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
}

/** @throws SourceError where it is longer than anything that we ask for. */
async function textOf(target: ResourceAttributes, body: AsyncIterable<Uint8Array>): Promise<string> {
  const most = target.verb === 'list' ? LONGEST_LIST : LONGEST_OBJECT;
  const chunks: Uint8Array[] = [];
  let size = 0;
  // Whoever leaves the loop closes the connection.
  for await (const chunk of body) {
    size += chunk.length;
    if (size > most) throw tooLong(target, most);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function parse(target: ResourceAttributes, text: string): Record<string, unknown> {
  try {
    const value = asRecord(JSON.parse(text));
    if (value !== undefined) return value;
  } catch {
    // Told below, without the text.
  }
  throw malformedAnswer(target);
}
