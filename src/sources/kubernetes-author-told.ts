// What authors are told where their ConfigMaps are: Events on the first of them, and a key in the status ConfigMap of their namespace.
import { authorStatus } from '../kubernetes/author-status.ts';
import type { KubeClient } from '../kubernetes/client.ts';
import { createEventSink, type EventSink } from '../kubernetes/events.ts';
import { createStatusConfigMap } from '../kubernetes/status-configmap.ts';
import type { DocumentFinder, FoundDocument, LabelledIn, Ports } from './ports.ts';

/** Of the status ConfigMap, before `-status`: one that a Role can name. */
const NAME = 'pgsteward';

/** @param warn hears once of each right that is missing. */
export function tellingAuthors(client: KubeClient, finder: DocumentFinder, warn: (message: string) => void): Required<Pick<Ports, 'finder' | 'forAuthor'>> {
  /** Those that were found last; none of whom it is not known. */
  const found = new Map<string, readonly FoundDocument[]>();
  return {
    finder: {
      ...finder,
      find: async (from, signal, patience) => {
        found.delete(keyOf(from));
        const all = await finder.find(from, signal, patience);
        found.set(keyOf(from), all);
        return all;
      },
    },
    forAuthor: (server, author) => {
      const { from } = author;
      const { namespace } = from;
      const toldHow = (message: string): void => warn(`author ${author.name}: ${message}; the Role of manifests/author gives it`);
      const status = createStatusConfigMap(client, { namespace, configMapName: NAME, warn: toldHow, part: authorStatus(server, author) });
      let last: { readonly name: string; readonly events: EventSink } | undefined;
      const eventsOn = (document: FoundDocument): EventSink => {
        const name = document.ref.slice(namespace.length + 1);
        if (last?.name !== name) last = { name, events: createEventSink(client, { namespace, configMapName: name, warn: toldHow }) };
        const [, uid = '', resourceVersion = ''] = /^([^/]*)\/(\S*)/.exec(document.version) ?? [];
        last.events.setConfigMap({ uid, resourceVersion });
        return last.events;
      };
      return {
        announcer: {
          announce: async (announcements, signal) => {
            const [first] = found.get(keyOf(from)) ?? [];
            if (first !== undefined) await eventsOn(first).emit(announcements, signal);
          },
        },
        statusPublisher: { publish: async (conditions, signal) => (found.has(keyOf(from)) ? status.publish(conditions, signal) : undefined) },
      };
    },
  };
}

const keyOf = ({ namespace, matchLabels }: LabelledIn): string => JSON.stringify([namespace, matchLabels]);
