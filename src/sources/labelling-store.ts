// What we write has the labels by which a server's Secrets are chosen: without them we would not find it again.
import type { SecretStore } from './ports.ts';

export function labelling(store: SecretStore, labels: Readonly<Record<string, string>> | undefined): SecretStore {
  if (labels === undefined) return store;
  return {
    ...store,
    create: (place, content, signal) => store.create(place, { ...content, labels: { ...content.labels, ...labels } }, signal),
    apply: (place, content, before, signal) => store.apply(place, { ...content, labels: { ...content.labels, ...labels } }, before, signal),
  };
}
