// Secrets that are none of any user's: whoever writes a document must not have the login of a server, of this or of another one, set as somebody's password or told as a connection.
import type { Ports } from './ports.ts';

const DETAIL = 'it is the login or the certificate of a server, and no document may name it';

/** @param reserved names in our namespace, asked for at each reading. */
export function withoutReserved(ports: Ports, namespace: string, reserved: () => ReadonlySet<string>): Ports {
  const { secrets, wholeSecrets } = ports;
  return {
    ...ports,
    secrets: {
      ...secrets,
      // An author's Secret of the same name is in its own namespace, and another one.
      valueOf: (ref) =>
        (ref.namespace ?? namespace) === namespace && reserved().has(ref.name) ? { kind: 'unreadable', detail: DETAIL } : secrets.valueOf(ref),
    },
    ...(wholeSecrets === undefined
      ? {}
      : {
          wholeSecrets: {
            ...wholeSecrets,
            of: (place) =>
              place.namespace === namespace && reserved().has(place.name)
                ? { kind: 'unreadable', reason: 'forbidden', detail: DETAIL }
                : wholeSecrets.of(place),
          },
        }),
  };
}
