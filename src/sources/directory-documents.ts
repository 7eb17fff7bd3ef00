// Documents of authors in a folder: ConfigMaps of a namespace, found by their labels as the API server would.
import { createHash } from 'node:crypto';
import { decodeBase64 } from '../model/base64.ts';
import { provenanceOf } from '../model/provenance.ts';
import { SourceError } from '../model/source-error.ts';
import type { File } from './manifest-files.ts';
import type { DocumentFinder, FoundDocument, LabelledIn } from './ports.ts';

type Manifest = File['manifests'][number];

/** @param look at the folder as it is now. */
export const folderFinder = (look: (signal: AbortSignal) => Promise<ReadonlyMap<string, File>>): DocumentFinder => ({
  find: async ({ namespace, matchLabels }, signal) => {
    const files = [...(await look(signal)).values()];
    // Any of its ConfigMaps may be in a file that cannot be read.
    const broken = files.find((file) => file.error !== undefined);
    if (broken !== undefined) throw new SourceError('malformed', `${broken.path}: ${broken.error}`);
    const found = files.flatMap(({ manifests }) => manifests.filter((manifest) => isMeant(manifest, { namespace, matchLabels })));
    const byName = Map.groupBy(found, ({ name }) => name);
    return [...byName].map(([name, [first, second]]): FoundDocument => {
      const ref = `${namespace}/${name}`;
      if (second !== undefined || first === undefined) return { ref, version: 'twice', said: { failure: `the ConfigMap ${ref} is there twice; keep one` } };
      const content = contentOf(first);
      if (content === undefined) return { ref, version: 'none', said: { failure: `the ConfigMap ${ref} has no key users.yaml` } };
      return {
        ref,
        version: createHash('sha256').update(content).digest('hex').slice(0, 16),
        said: { content },
        provenance: provenanceOf(first.annotations, undefined, 'users.yaml'),
      };
    });
  },
});

const isMeant = (manifest: Manifest, { namespace, matchLabels }: LabelledIn): boolean =>
  manifest.kind === 'ConfigMap' && manifest.namespace === namespace && Object.entries(matchLabels).every(([key, value]) => manifest.labels[key] === value);

function contentOf({ data, binaryData }: Manifest): Uint8Array | undefined {
  const [text, binary] = [data.get('users.yaml'), binaryData.get('users.yaml')];
  if (text !== undefined) return Buffer.from(text);
  return binary === undefined ? undefined : decodeBase64(binary);
}
