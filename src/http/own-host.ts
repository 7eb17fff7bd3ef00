// By which names we are asked: a page in somebody's browser that makes its own name lead to our address must read nothing.
import { isIP } from 'node:net';

/** Ends of names that nobody can own in public. */
const PRIVATE = ['.svc', '.cluster.local', '.localhost'];

/**
 * Whether a header `Host` can be that of somebody who means us: an address, a name of one word (`localhost`, a Service), or one inside the cluster.
 * A client without the header is no browser.
 */
export function isOwnHost(header: string | undefined): boolean {
  if (header === undefined || header === '') return true;
  const url = URL.canParse(`http://${header}`) ? new URL(`http://${header}`) : undefined;
  // Anything but a name and a port would be somebody's attempt.
  if (url === undefined || url.pathname !== '/' || url.username !== '' || url.search !== '' || url.hash !== '') return false;
  const name = url.hostname.replace(/\.$/, '');
  return isIP(name.replace(/^\[|\]$/g, '')) !== 0 || !name.includes('.') || PRIVATE.some((end) => name.endsWith(end));
}
