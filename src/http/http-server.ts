// HTTP: what operators and kubelets ask. It shows and never acts; no answer holds a secret.
import fastify, { type FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import { isOwnHost } from './own-host.ts';
import { boundConnections, HTTP_LIMITS, NODE_OPTIONS } from './bounded.ts';
import type { Status } from '../observe/status.ts';

/** What is shown, of one server or of several. */
export interface Shown {
  readonly registry: Pick<Registry, 'contentType' | 'metrics'>;
  readonly status: Pick<Status, 'isAlive' | 'unreadiness'> & { toJson(): object };
  /** All that is known of one of several servers. */
  readonly ofServer?: (server: string) => object;
}

/** No route has a schema, and what would compile one takes longer to load than all of ours. */
function noSchemas(): never {
  throw new Error('no route has a schema');
}

/** The server, not yet listening. */
export function createHttpServer({ registry, status, ofServer }: Shown): FastifyInstance {
  const app = fastify({
    logger: false,
    forceCloseConnections: true,
    bodyLimit: HTTP_LIMITS.bodyBytes,
    maxRequestsPerSocket: HTTP_LIMITS.requests,
    requestTimeout: HTTP_LIMITS.request,
    http: NODE_OPTIONS,
    schemaController: { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } },
  });
  boundConnections(app.server);
  app.addHook('onRequest', async (request, reply) => {
    if (!isOwnHost(request.headers.host))
      await reply.code(421).send({ status: 'asked by a name that is not ours: use an address, or a name inside the cluster' });
  });
  app.get('/metrics', async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()));
  app.get('/healthz', async (_request, reply) => {
    const alive = status.isAlive();
    return reply.code(alive ? 200 : 503).send({ status: alive ? 'ok' : 'the loop has stopped moving' });
  });
  app.get('/readyz', async (_request, reply) => {
    const why = status.unreadiness();
    return reply.code(why === undefined ? 200 : 503).send({ status: why ?? 'ok' });
  });
  app.get<{ Querystring: { server?: string | string[] } }>('/status', async ({ query: { server } }, reply) =>
    reply.send(typeof server === 'string' && ofServer !== undefined ? ofServer(server) : status.toJson()),
  );
  return app;
}
