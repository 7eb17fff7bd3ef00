// What annotations of the ConfigMap say: that somebody asks for a pause or a cycle now.

/** What somebody asks for by hand, beside the document. */
export interface Requests {
  /** Nothing is written while this is so. */
  readonly paused: boolean;
  /** Whatever `pgsteward.dev/reconcile-at` says: a new value asks for a cycle. */
  readonly reconcileAt: string | undefined;
}

/** Words that do not pause. Anything else does: a misspelt pause must not write. */
const NOT_PAUSED: ReadonlySet<string> = new Set(['', 'false', 'no', 'off', '0']);

export function requestsOf(annotations: Readonly<Record<string, unknown>>): Requests {
  const textAt = (key: string): string | undefined => {
    const value = annotations[`pgsteward.dev/${key}`];
    return typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number' ? String(value) : undefined;
  };
  // It is shown in an Event: no more of it than a time needs.
  return { paused: !NOT_PAUSED.has((textAt('paused') ?? '').trim().toLowerCase()), reconcileAt: textAt('reconcile-at')?.slice(0, 64) };
}
