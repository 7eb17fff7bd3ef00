// Terms of writers, as the server's log has them: whoever wrote after another one had begun to was a second writer.

/**
 * @param log with every statement that succeeded, at the moment when it had (log_min_duration_statement = 0, log_statement = none).
 * @returns how many terms wrote, and how many writes of a term succeeded after one of a later term.
 */
export function fencedTwice(log: string): { readonly terms: number; readonly violations: number } {
  const over = new Set<string>();
  let current: string | undefined;
  let violations = 0;
  for (const entry of log.split(/\n(?=\d{4}-\d\d-\d\d )/)) {
    if (!entry.includes(' LOG:  duration: ') || !entry.includes('pgsteward fence ')) continue;
    const [, token] = /'pgsteward writer ([0-9a-f]{16}) '/.exec(entry) ?? [];
    if (token === undefined || token === current) continue;
    if (over.has(token)) violations += 1;
    if (current !== undefined) over.add(current);
    current = token;
  }
  return { terms: over.size + (current === undefined ? 0 : 1), violations };
}
