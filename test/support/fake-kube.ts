// An API server that is only pretended: one ConfigMap and Secrets in memory, and whatever faults a test asks for.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createKubernetesSource } from '../../src/sources/kubernetes.ts';
import type { Ports } from '../../src/sources/ports.ts';
import type { Postgres } from './postgres.ts';
import { rememberPassword } from './secrets.ts';
import { createSteward, type Steward } from './steward.ts';
import { scratch } from './scratch.ts';

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Milliseconds that it takes. */
  readonly after?: number;
}

export interface FakeKube {
  /** A steward of a real server, with this as its source. */
  steward(server: Postgres, env?: Readonly<Record<string, string>>): Promise<Steward>;
  /** What a request is answered instead; undefined: as it should be. `lost`: it is done, and the connection breaks before the answer; `hang`: nothing ever comes. */
  fault: (verb: string, name: string) => Answer | 'lost' | 'hang' | undefined;
  /** Every value that the key `password` of a Secret ever had. */
  readonly history: (name: string) => readonly string[];
  document(users: readonly object[]): void;
  annotate(name: string, annotations: Readonly<Record<string, string>>): void;
  /** As somebody else would; undefined deletes it. */
  put(name: string, password: string | undefined): void;
  /** From now on nobody listens there: connections are refused. */
  stop(): Promise<void>;
  close(): Promise<void>;
}

interface Stored {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly type: string;
  readonly data: Readonly<Record<string, string>>;
}

/** A merge patch as RFC 7386 has it: what is null goes. */
function merged(before: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result = new Map(Object.entries(typeof before === 'object' && before !== null && !Array.isArray(before) ? before : {}));
  for (const [key, value] of Object.entries(patch))
    if (value === null) result.delete(key);
    else result.set(key, merged(result.get(key), value));
  return Object.fromEntries(result);
}

export async function startFakeKube({ namespace = 'postgres', configMap = 'postgres-users-config' } = {}): Promise<FakeKube> {
  const secrets = new Map<string, Stored>();
  const past = new Map<string, string[]>();
  let version = 0;
  let users: readonly object[] = [];
  const next = (): string => String((version += 1));
  let documentVersion = next();
  const keep = (name: string, secret: Stored): Stored => {
    secrets.set(name, secret);
    const value = Buffer.from(secret.data['password'] ?? '', 'base64').toString();
    rememberPassword(value);
    past.set(name, [...(past.get(name) ?? []), value]);
    return secret;
  };
  const metadataOf = (name: string, given: unknown, uid: string): Stored['metadata'] => ({
    ...(given as object),
    name,
    namespace,
    uid,
    resourceVersion: next(),
    creationTimestamp: new Date().toISOString(),
  });
  const json = (status: number, body: unknown): Answer => ({ status, body: JSON.stringify(body) });

  const answer = (verb: string, name: string, body: Record<string, unknown>, query: URLSearchParams): Answer => {
    if (name === configMap) {
      const metadata = { name, namespace, uid: 'document', resourceVersion: documentVersion };
      return json(200, { metadata, data: { 'users.yaml': JSON.stringify({ users }) } });
    }
    const before = secrets.get(name);
    const given = body['metadata'] as Record<string, unknown> | undefined;
    const data = body['data'] as Stored['data'];
    if (verb === 'GET') return before === undefined ? json(404, {}) : json(200, before);
    if (verb === 'POST') {
      const made = given?.['name'] as string;
      if (secrets.has(made)) return json(409, {});
      return json(201, keep(made, { metadata: metadataOf(made, given, `uid ${next()}`), type: 'Opaque', data }));
    }
    if (before !== undefined && query.get('force') === 'false') return json(409, {});
    if (before !== undefined && given?.['resourceVersion'] !== undefined && given['resourceVersion'] !== before.metadata['resourceVersion'])
      return json(409, {});
    const { labels, annotations } = before?.metadata ?? {};
    const metadata = metadataOf(name, merged({ labels, annotations }, given ?? {}), (before?.metadata['uid'] as string | undefined) ?? `uid ${next()}`);
    return json(200, keep(name, { metadata, type: before?.type ?? (body['type'] as string), data: merged(before?.data, data ?? {}) as Stored['data'] }));
  };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const verb = request.method ?? 'GET';
    const url = new URL(request.url ?? '/', 'http://x');
    const path = url.pathname.split('/').slice(6);
    const text = Buffer.concat(chunks).toString();
    const body = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
    const name = decodeURIComponent(path[0] ?? (body['metadata'] as { name?: string } | undefined)?.name ?? '');
    const instead = kube.fault(verb, name);
    const { status, headers = {}, body: sent = '{}' } = typeof instead === 'object' ? instead : answer(verb, name, body, url.searchParams);
    if (instead === 'hang') return;
    if (typeof instead === 'object' && instead.after !== undefined) await sleep(instead.after);
    if (instead === 'lost') request.socket.destroy();
    else response.writeHead(status, headers).end(sent);
  };
  const server = createServer((request, response) => void serve(request, response).catch(() => request.socket.destroy()));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const folder = scratch('fake-kube');
  const kubeconfig = join(folder, 'config');
  writeFileSync(
    kubeconfig,
    JSON.stringify({
      clusters: [
        {
          name: 'c',
          cluster: { server: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`, 'insecure-skip-tls-verify': true },
        },
      ],
      users: [{ name: 'u', user: { token: 't' } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    }),
  );
  const sources: Ports[] = [];
  const kube: FakeKube = {
    steward: (server, env = {}) => {
      const source = createKubernetesSource({
        namespace,
        configMapName: configMap,
        secretAccess: 'get',
        secretReadsPerCycle: 600,
        kubeconfig,
        timeoutMs: 10_000,
      });
      sources.push(source);
      return createSteward(server, env, undefined, undefined, { beside: () => source });
    },
    fault: () => undefined,
    history: (name) => past.get(name) ?? [],
    document: (declared) => {
      users = declared;
      documentVersion = next();
    },
    annotate: (name, annotations) => {
      const before = secrets.get(name);
      if (before === undefined) throw new Error(`there is no Secret ${name}`);
      const metadata = { ...before.metadata, annotations: { ...(before.metadata['annotations'] as object), ...annotations }, resourceVersion: next() };
      secrets.set(name, { ...before, metadata });
    },
    put: (name, password) => {
      if (password === undefined) secrets.delete(name);
      else keep(name, { metadata: metadataOf(name, {}, `uid ${next()}`), type: 'Opaque', data: { password: Buffer.from(password).toString('base64') } });
    },
    stop: () => {
      server.closeAllConnections();
      return new Promise<void>((resolve) => server.close(() => resolve()));
    },
    close: async () => {
      await Promise.all(sources.map((source) => source.close()));
      server.closeAllConnections();
      server.close();
      rmSync(folder, { recursive: true });
    },
  };
  return kube;
}
