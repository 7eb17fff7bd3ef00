// SOURCE=kubernetes: the ConfigMap and the Secrets of one namespace, read through the API server.
import { createKubeClient } from '../kubernetes/client.ts';
import { createEventSink } from '../kubernetes/events.ts';
import { bytesAt, type KubeObject, readObject, UNREAD, versionOf } from '../kubernetes/objects.ts';
import { createStatusConfigMap } from '../kubernetes/status-configmap.ts';
import { runWatch } from '../kubernetes/watch.ts';
import { requestsOf } from './annotations.ts';
import { createSecretReader, type SecretReaderOptions } from './kubernetes-secrets.ts';
import { createSecretStore } from './kubernetes-secret-store.ts';
import { type Source, SourceError } from './source.ts';

export interface KubernetesSourceOptions extends SecretReaderOptions {
  readonly namespace: string;
  readonly configMapName: string;
  readonly kubeconfig: string | undefined;
  /** For one request, in milliseconds. */
  readonly timeoutMs?: number;
  /** Hears once of each right that is missing for what may be left out. */
  readonly warn?: (message: string) => void;
}

export function createKubernetesSource(options: KubernetesSourceOptions): Source {
  const { namespace, configMapName } = options;
  const client = createKubeClient({ kubeconfig: options.kubeconfig, timeoutMs: options.timeoutMs ?? 10_000 });
  const warn = options.warn ?? (() => undefined);
  const events = createEventSink(client, { namespace, configMapName, warn });
  const ref = `${namespace}/${configMapName}`;
  const status = createStatusConfigMap(client, { namespace, configMapName, warn });
  const secrets = createSecretReader(client, namespace, options);
  let documentVersion: string | undefined = UNREAD;
  /** Whether the API server answered when it was last asked for the document: what it does not hear needs no waiting for. */
  let answers = false;

  return {
    description: `kubernetes ConfigMap ${ref}`,
    readDocument: async (signal) => {
      const object = await readConfigMap(signal);
      documentVersion = versionOf(object);
      events.setConfigMap(object);
      const requests = requestsOf(object.annotations);
      const text = object.data['users.yaml'];
      if (text !== undefined && typeof text !== 'string') throw new SourceError('malformed', `the key users.yaml of ConfigMap ${ref} is no text`, { requests });
      const content = typeof text === 'string' ? Buffer.from(text) : bytesAt(object.binaryData, 'users.yaml');
      if (content === null) throw new SourceError('malformed', `the key users.yaml of ConfigMap ${ref} is no base64`, { requests });
      if (content === undefined) throw new SourceError('not_found', `the ConfigMap ${ref} has no key users.yaml`, { requests });
      return { version: versionOf(object), ref, file: 'users.yaml', content, requests };
    },
    readSecrets: secrets.read,
    secretStore: createSecretStore(client),
    announce: async (announcements, signal) => (answers ? events.emit(announcements, signal) : undefined),
    publish: async (conditions, signal) => (answers ? status.publish(conditions, signal) : undefined),
    watch: async (observer, signal) => {
      const document = runWatch(
        client,
        {
          what: 'document',
          resource: 'configmaps',
          namespace,
          name: configMapName,
          names: () => [configMapName],
          isNews: (name, version) => name === configMapName && version !== documentVersion,
        },
        observer,
        signal,
      );
      // Who may watch may list: the next cycle does.
      const heard = (what: 'document' | 'secret'): void => {
        secrets.mayList();
        observer.heard(what);
      };
      const watched = { ...secrets, what: 'secret', resource: 'secrets', namespace } as const;
      await Promise.all([document, options.secretAccess === 'get' ? undefined : runWatch(client, watched, { ...observer, heard }, signal)]);
    },
    close: () => client.close(),
  };

  async function readConfigMap(signal: AbortSignal): Promise<KubeObject> {
    try {
      answers = true;
      return readObject(await client.send({ verb: 'get', resource: 'configmaps', namespace, name: configMapName }, { signal }), `ConfigMap ${ref}`);
    } catch (error) {
      answers = error instanceof SourceError && !['timeout', 'unavailable', 'unauthorized'].includes(error.reason);
      if (error instanceof SourceError && error.reason === 'not_found') documentVersion = undefined;
      throw error;
    }
  }
}
