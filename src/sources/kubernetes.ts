// SOURCE=kubernetes: the ConfigMap and the Secrets of one namespace, read through the API server.
import { createKubeClient, type KubeClient } from '../kubernetes/client.ts';
import { createEventSink } from '../kubernetes/events.ts';
import { type KubeObject, readObject, versionOf } from '../kubernetes/objects.ts';
import { createStatusConfigMap, type StatusConfigMap } from '../kubernetes/status-configmap.ts';
import { runWatch, type Watched } from '../kubernetes/watch.ts';
import { bytesAt } from '../model/base64.ts';
import { provenanceOf } from '../model/provenance.ts';
import { requestsOf } from '../model/requests.ts';
import { tellingAuthors } from './kubernetes-author-told.ts';
import { watchingAuthors } from './kubernetes-author-watch.ts';
import { createDocumentFinder } from './kubernetes-documents.ts';
import { createSecretSweeps, type SecretSweepOptions, selectorOf } from './kubernetes-secrets.ts';
import { createOwnSecrets } from './kubernetes-own-secrets.ts';
import { createSecretStore } from './kubernetes-secret-store.ts';
import { labelling } from './labelling-store.ts';
import { rememberingStore } from './remembering-store.ts';
import { createSecretMemory } from './secret-memory.ts';
import { SourceError } from '../model/source-error.ts';
import type { DocumentSource, Ports, StatusPublisher, Watcher } from './ports.ts';

export interface KubernetesSourceOptions extends SecretSweepOptions {
  readonly namespace: string;
  readonly configMapName: string;
  /** The key of the ConfigMap. */
  readonly key?: string;
  readonly kubeconfig: string | undefined;
  /** For one request, in milliseconds. */
  readonly timeoutMs?: number;
  /** Hears once of each right that is missing for what may be left out. */
  readonly warn?: (message: string) => void;
}

/** The way to the API server, which several documents share. */
export const createWire = ({ kubeconfig, timeoutMs = 10_000 }: Pick<KubernetesSourceOptions, 'kubeconfig' | 'timeoutMs'>): KubeClient =>
  createKubeClient({ kubeconfig, timeoutMs });

/** @param shared is closed by whoever made it. */
export function createKubernetesSource(options: KubernetesSourceOptions, shared?: KubeClient): Ports {
  const { namespace, configMapName, key = 'users.yaml' } = options;
  const client = shared ?? createWire(options);
  const warn = options.warn ?? (() => undefined);
  const events = createEventSink(client, { namespace, configMapName, warn });
  const ref = `${namespace}/${configMapName}`;
  const status = createStatusConfigMap(client, { namespace, configMapName, warn });
  const memory = createSecretMemory(namespace);
  const sweeps = createSecretSweeps(client, namespace, options, memory);
  let documentVersion: string | undefined = 'unread';
  /** Whether the API server answered when it was last asked for the document: what it does not hear needs no waiting for. */
  let answers = false;

  const readDocument: DocumentSource['read'] = async (signal, patience) => {
    const object = await readConfigMap(signal, patience);
    documentVersion = versionOf(object);
    events.setConfigMap(object);
    const requests = requestsOf(object.annotations);
    const text = object.data[key];
    if (text !== undefined && typeof text !== 'string') throw new SourceError('malformed', `the key ${key} of ConfigMap ${ref} is no text`, { requests });
    const content = typeof text === 'string' ? Buffer.from(text) : bytesAt(object.binaryData, key);
    if (content === null) throw new SourceError('malformed', `the key ${key} of ConfigMap ${ref} is no base64`, { requests });
    if (content === undefined) throw new SourceError('not_found', `the ConfigMap ${ref} has no key ${key}`, { requests });
    const provenance = provenanceOf(object.annotations, object.managedFields, key);
    return { version: versionOf(object), ref, file: key, content, requests, provenance };
  };

  const watch: Watcher['watch'] = async (observer, signal) => {
    const document: Watched = {
      what: 'document',
      resource: 'configmaps',
      namespace,
      name: configMapName,
      names: () => [configMapName],
      isNews: (name, version) => name === configMapName && version !== documentVersion,
    };
    const secrets: Watched = {
      what: 'secret',
      resource: 'secrets',
      namespace,
      ...selectorOf(options.secretsSelector),
      names: memory.names,
      isNews: memory.isNews,
    };
    // Who may watch may list: the next cycle does.
    const heard = (what: 'document' | 'secret'): void => {
      sweeps.mayList();
      observer.heard(what);
    };
    await Promise.all([
      runWatch(client, document, observer, signal),
      options.secretAccess === 'get' ? undefined : runWatch(client, secrets, { ...observer, heard }, signal),
    ]);
  };

  return {
    description: `kubernetes ConfigMap ${ref}`,
    documents: { read: readDocument },
    ...tellingAuthors(client, watchingAuthors(client, createDocumentFinder(client), options.secretAccess === 'get' ? undefined : memory), warn),
    secrets: { ...memory, refresh: sweeps.refresh },
    wholeSecrets: memory,
    secretStore: rememberingStore(labelling(createSecretStore(client), options.secretsSelector), memory),
    ownSecrets: createOwnSecrets(client, namespace),
    announcer: { announce: async (announcements, signal) => (answers ? events.emit(announcements, signal) : undefined) },
    statusPublisher: whileAnswering(status, () => answers),
    watcher: { watch },
    close: async () => (shared === undefined ? client.close() : undefined),
  };

  async function readConfigMap(signal: AbortSignal, patience: AbortSignal | undefined): Promise<KubeObject> {
    try {
      answers = true;
      return readObject(await client.send({ verb: 'get', resource: 'configmaps', namespace, name: configMapName }, { signal, patience }), `ConfigMap ${ref}`);
    } catch (error) {
      answers = error instanceof SourceError && !['timeout', 'unavailable', 'unauthorized'].includes(error.reason);
      if (error instanceof SourceError && error.reason === 'not_found') documentVersion = undefined;
      throw error;
    }
  }
}

/** Nothing is written where the API server does not answer; whoever asks for what is there hears of that. */
const whileAnswering = (status: StatusConfigMap, answers: () => boolean): StatusPublisher => ({
  publish: async (conditions, signal) => (answers() ? status.publish(conditions, signal) : undefined),
  published: (signal) => status.published(signal),
});
