// Documents of authors through the API server: ConfigMaps of a namespace, listed by their labels and read where their version changed.
import type { KubeClient } from '../kubernetes/client.ts';
import { listVersions } from '../kubernetes/list-versions.ts';
import { readObject, versionOf } from '../kubernetes/objects.ts';
import { PARALLEL } from '../kubernetes/session.ts';
import { runWatch, type Watched } from '../kubernetes/watch.ts';
import { sideBySide } from '../async/side-by-side.ts';
import { bytesAt } from '../model/base64.ts';
import { LIMITS } from '../model/limits.ts';
import { provenanceOf } from '../model/provenance.ts';
import { SourceError } from '../model/source-error.ts';
import type { DocumentFinder, FoundDocument, LabelledIn } from './ports.ts';

/** One for the life of the process. */
export function createDocumentFinder(client: KubeClient): DocumentFinder {
  const known = new Map<string, FoundDocument>();
  /** The versions that were last seen of all that are there. */
  const seen = new Map<string, string>();
  return {
    watch: async (from, observer, signal) => {
      const prefix = prefixOf(from);
      const watched: Watched = {
        what: 'document',
        resource: 'configmaps',
        namespace: from.namespace,
        labelSelector: selectorOf(from),
        names: (versions) => new Set([...versions.keys(), ...[...seen.keys()].flatMap((key) => (key.startsWith(prefix) ? [key.slice(prefix.length)] : []))]),
        isNews: (name, version) => seen.get(prefix + name) !== version,
      };
      await runWatch(client, watched, observer, signal);
    },
    find: async (from, signal, patience) => {
      const { namespace } = from;
      const selector = { labelSelector: selectorOf(from) };
      const all = { verb: 'list', resource: 'configmaps', namespace } as const;
      const { versions } = await listVersions(client, all, selector, signal, undefined, LIMITS.authorDocuments).catch((error: unknown) => {
        throw error instanceof SourceError && error.reason === 'forbidden'
          ? new SourceError('forbidden', `${error.message}; it is given by \`kubectl apply -n ${namespace} -k manifests/author\``)
          : error;
      });
      const tooMany = (what: string, most: number): SourceError =>
        new SourceError('malformed', `${what} of the namespace ${namespace} have the labels, and at most ${most.toLocaleString('en-US')} are read`);
      if (versions.size > LIMITS.authorDocuments) throw tooMany(`${versions.size} ConfigMaps or more`, LIMITS.authorDocuments);
      const prefix = prefixOf(from);
      const found: FoundDocument[] = [];
      let bytes = 0;
      await sideBySide(
        PARALLEL,
        [...versions].toSorted(([one], [other]) => (one < other ? -1 : 1)),
        async ([name, version]) => {
          const before = known.get(prefix + name);
          const document = before?.version === version ? before : await read(client, namespace, name, version, signal, patience);
          bytes += 'content' in document.said ? document.said.content.length : 0;
          if (bytes > LIMITS.authorBytes) throw tooMany('ConfigMaps with more bytes', LIMITS.authorBytes);
          found.push(document);
        },
      );
      for (const key of seen.keys())
        if (key.startsWith(prefix) && !versions.has(key.slice(prefix.length))) {
          known.delete(key);
          seen.delete(key);
        }
      for (const one of found) {
        const key = prefix + one.ref.slice(namespace.length + 1);
        if ('content' in one.said) known.set(key, one);
        seen.set(key, 'content' in one.said ? one.version : (versions.get(one.ref.slice(namespace.length + 1)) ?? ''));
      }
      return found.toSorted((one, other) => (one.ref < other.ref ? -1 : 1));
    },
  };
}

/** Of two authors in one namespace each has its own. */
const prefixOf = (from: LabelledIn): string => `${from.namespace}\0${selectorOf(from)}\0`;

const selectorOf = ({ matchLabels }: LabelledIn): string =>
  Object.entries(matchLabels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');

/** Who may list and not get one of them is told so by that one's own document. */
async function read(
  client: KubeClient,
  namespace: string,
  name: string,
  version: string,
  signal: AbortSignal,
  patience: AbortSignal | undefined,
): Promise<FoundDocument> {
  const ref = `${namespace}/${name}`;
  try {
    const object = readObject(await client.send({ verb: 'get', resource: 'configmaps', namespace, name }, { signal, patience }), `ConfigMap ${ref}`);
    const text = object.data['users.yaml'];
    const content = typeof text === 'string' ? Buffer.from(text) : bytesAt(object.binaryData, 'users.yaml');
    if (content === undefined || content === null) return { ref, version: versionOf(object), said: { failure: `the ConfigMap ${ref} has no key users.yaml` } };
    return { ref, version: versionOf(object), said: { content }, provenance: provenanceOf(object.annotations, object.managedFields, 'users.yaml') };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof SourceError)) throw error;
    return { ref, version: `${version} ${error.message}`, said: { failure: error.message } };
  }
}
