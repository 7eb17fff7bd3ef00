// Secrets that we need ourselves, read through the API server: logins of servers, certificates, and what looks like a login for whoever declares servers.
import type { KubeClient } from '../kubernetes/client.ts';
import { listVersions } from '../kubernetes/list-versions.ts';
import { bytesAt } from '../model/base64.ts';
import { SELECTORS } from '../plan/secrets/discovered.ts';
import { getSecret } from './kubernetes-secret-store.ts';
import type { OwnSecrets, SecretObject } from './ports.ts';

/** So many are looked at: whoever has more servers in one namespace names them. */
const MOST = 500;

export const createOwnSecrets = (client: KubeClient, namespace: string): OwnSecrets => ({
  read: async (name, signal) => {
    const secret = await getSecret(client, { namespace, name }, signal);
    return secret && valuesOf(secret);
  },
  logins: async (signal) => {
    const names = new Set<string>();
    for (const selector of SELECTORS) {
      const { versions } = await listVersions(client, { verb: 'list', resource: 'secrets', namespace }, selector, signal);
      for (const name of versions.keys()) if (names.size < MOST) names.add(name);
    }
    const found: { name: string; labels: SecretObject['labels']; values: ReadonlyMap<string, Uint8Array> }[] = [];
    for (const name of names) {
      const secret = await getSecret(client, { namespace, name }, signal);
      if (secret !== undefined) found.push({ name, labels: secret.labels, values: valuesOf(secret) });
    }
    return found;
  },
});

/** What is no base64 is none. */
const valuesOf = ({ data }: SecretObject): ReadonlyMap<string, Uint8Array> =>
  new Map(
    Object.keys(data).flatMap((key): [string, Uint8Array][] => {
      const value = bytesAt(data, key);
      return value === undefined || value === null ? [] : [[key, value]];
    }),
  );
