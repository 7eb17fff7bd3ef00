// A store whose answers are remembered: what we wrote is known without being read again.
import type { SecretPlace } from '../model/secret-place.ts';
import type { SecretMemory } from './secret-memory.ts';
import type { SecretObject, SecretStore } from './ports.ts';

/** The same store. After a write that failed nobody knows what the Secret holds, so that it is read again first. */
export function rememberingStore(store: SecretStore, memory: Pick<SecretMemory, 'note' | 'doubt'>): SecretStore {
  const written = async (place: SecretPlace, answer: Promise<SecretObject>): Promise<SecretObject> => {
    try {
      const object = await answer;
      memory.note(place, object);
      return object;
    } catch (error) {
      memory.doubt(place);
      throw error;
    }
  };
  return {
    create: (place, ...rest) => written(place, store.create(place, ...rest)),
    read: async (place, signal) => {
      const object = await store.read(place, signal);
      memory.note(place, object);
      return object;
    },
    apply: (place, ...rest) => written(place, store.apply(place, ...rest)),
    change: (place, ...rest) => written(place, store.change(place, ...rest)),
  };
}
