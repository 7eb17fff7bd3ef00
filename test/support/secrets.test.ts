// The look for secrets finds them, so that its silence over all suites means something.
import { expect, it } from 'vitest';
import { expectNoSecrets, expectNoSecretsInServerLog, rememberPassword } from './secrets.ts';

it('finds a password that stands in a Secret, and any verifier', () => {
  rememberPassword('correct horse\n');
  expect(() => expectNoSecrets('… correct horse …', 'a text')).toThrow('a password stands in a text');
  rememberPassword(`it's "quoted" \\ 100 %`);
  for (const text of [
    'aXQncyAicXVvdGVkIiBcIDEwMCAl',
    `it's%20%22quoted%22%20%5C%20100%20%25`,
    JSON.stringify({ text: `it's "quoted" \\ 100 %` }),
    `it''s "quoted" \\ 100 %`,
  ])
    expect(() => expectNoSecrets(text, 'a text'), text).toThrow('a password stands in a text');
  expect(() => expectNoSecrets('SCRAM-SHA-256$4096:abc', 'a text')).toThrow('a verifier stands in a text');
  expect(() => expectNoSecrets('nothing', 'a text')).not.toThrow();
});

it("lets verifiers stand in the server's log where they are set, and not in its errors", () => {
  expect(() => expectNoSecretsInServerLog(`LOG:  statement: ALTER ROLE "a" PASSWORD 'SCRAM-SHA-256$4096:abc'`)).not.toThrow();
  expect(() => expectNoSecretsInServerLog(`ERROR:  PASSWORD 'SCRAM-SHA-256$4096:abc'`)).toThrow('error');
  expect(() => expectNoSecretsInServerLog('LOG:  statement: SELECT SCRAM-SHA-256$4096:abc')).toThrow('verifier');
});
