// HTTP: what operators and kubelets ask. It shows and never acts; no answer holds a secret.
import fastify, { type FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import type { Status } from '../observe/status.ts';

/** The server, not yet listening. */
export function createServer({ registry, status }: { readonly registry: Registry; readonly status: Status }): FastifyInstance {
  const app = fastify({ logger: false, forceCloseConnections: true });
  app.get('/metrics', async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()));
  app.get('/healthz', async (_request, reply) => {
    const alive = status.isAlive();
    return reply.code(alive ? 200 : 503).send({ status: alive ? 'ok' : 'the loop has stopped moving' });
  });
  app.get('/readyz', async (_request, reply) => {
    const ready = status.isReady();
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ok' : 'no cycle has ended yet' });
  });
  app.get('/status', async (_request, reply) => reply.send(status.toJson()));
  return app;
}
