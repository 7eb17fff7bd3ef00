// No secret anywhere: every password that a test writes into a Secret is looked for in all that pgsteward and the server say, over all suites.

/** As it is, and in every other form that a text could have it in. */
const forms = new Set<string>();

/** Shorter ones would be found in words that have nothing to do with them. */
const SHORTEST = 6;

/** Takes note of a password that stands in a Secret. */
export function rememberPassword(password: string): void {
  const value = password.replace(/\n$/, '');
  if (value.length < SHORTEST || value.startsWith('SCRAM-SHA-256$') || forms.has(value)) return;
  for (const form of [value, Buffer.from(value).toString('base64'), encodeURIComponent(value), JSON.stringify(value).slice(1, -1), value.replaceAll("'", "''")])
    forms.add(form);
}

const VERIFIER = /SCRAM-SHA-256\$\d+:/;

/**
 * Looks through a text of ours: no password, and no verifier.
 * @throws naming the place, never the password.
 */
export function expectNoSecrets(text: string, where: string): void {
  for (const form of forms) if (text.includes(form)) throw new Error(`a password stands in ${where}: …${around(text, text.indexOf(form))}…`);
  const at = text.search(VERIFIER);
  if (at !== -1) throw new Error(`a verifier stands in ${where}: …${around(text, at)}…`);
}

/** The same for the server's log, where verifiers may stand in the DDL that sets them, and only there. */
export function expectNoSecretsInServerLog(log: string): void {
  for (const line of log.split('\n'))
    if (VERIFIER.test(line) && /ERROR|FATAL|PANIC/.test(line)) throw new Error(`a verifier stands in an error of the server's log`);
  expectNoSecrets(log.replaceAll(/PASSWORD '[^']*'/g, ''), "the server's log");
}

/** What stands before it: enough to find the place. */
const around = (text: string, at: number): string => text.slice(Math.max(0, at - 120), at).replaceAll('\n', ' ');
