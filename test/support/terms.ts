// Terms of writers, as the server's log has them: whoever wrote after another one had begun to was a second writer.

/**
 * @param log with every statement that succeeded, at the moment when it had (log_min_duration_statement = 0, log_statement = none).
 * @returns how many terms wrote, and how many writes of a term succeeded after one of a later term of the same document.
 */
export function fencedTwice(log: string): { readonly terms: number; readonly violations: number } {
  const over = new Set<string>();
  /** Document → the term that wrote last. */
  const current = new Map<string, string>();
  let violations = 0;
  for (const entry of log.split(/\n(?=\d{4}-\d\d-\d\d )/)) {
    if (!entry.includes(' LOG:  duration: ') || !entry.includes('pgsteward fence ')) continue;
    const [, term, document] = /'pgsteward writer (([0-9a-f]{8})[0-9a-f]{8}) '/.exec(entry) ?? [];
    if (term === undefined || document === undefined) continue;
    const last = current.get(document);
    if (term === last) continue;
    if (over.has(term)) violations += 1;
    if (last !== undefined) over.add(last);
    current.set(document, term);
  }
  return { terms: over.size + current.size, violations };
}
