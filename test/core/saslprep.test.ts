// Passwords are prepared as the server prepares them: its own verifier of a password and ours are the same, whatever is in it.
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { saslprep } from '../../src/model/saslprep.ts';
import { verifierMatches } from '../../src/model/scram.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';

let server: Postgres;
beforeAll(async () => {
  // One iteration, so that there is time for many passwords.
  server = await startPostgres({ settings: { log_statement: 'none', scram_iterations: '1' } });
  await server.query(`CREATE ROLE somebody;
    CREATE FUNCTION verifiers(passwords text[]) RETURNS text[] LANGUAGE plpgsql AS $$
    DECLARE made text[] := '{}'; password text;
    BEGIN
      FOREACH password IN ARRAY passwords LOOP
        EXECUTE format('ALTER ROLE somebody PASSWORD %L', password);
        made := made || (SELECT rolpassword FROM pg_authid WHERE rolname = 'somebody');
      END LOOP;
      RETURN made;
    END $$`);
});
afterAll(() => server.stop());

/** Those for which the server's verifier is not ours. */
async function others(passwords: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  const client = await server.client();
  for (let at = 0; at < passwords.length; at += 500) {
    const some = passwords.slice(at, at + 500);
    const made = (await client.query<{ made: string[] }>('SELECT verifiers($1) AS made', [some])).rows[0]?.made ?? [];
    for (const [index, password] of some.entries()) if (!(await verifierMatches(made[index] ?? '', password, 1e6))) found.push(password);
  }
  await client.end();
  return found.map((password) => [...password].map((char) => char.codePointAt(0)?.toString(16)).join(' '));
}
/** SASLPREP=all tries all of Unicode in every company, which takes half an hour. */
const ALL = process.env['SASLPREP'] === 'all';
const characters = Array.from({ length: ALL ? 0x10_ff_ff : 0x2_ff_ff }, (_, index) => index + 1)
  .filter((code) => code < 0xd8_00 || code > 0xdf_ff)
  .map((code) => String.fromCodePoint(code));
const inCompany = (char: string): string[] => [char, `a${char}b`, `א${char}ב`, `\u00A0${char}`];

it('for every character that has another normal form, in company', { timeout: 3_600_000 }, async () => {
  const some = ALL ? characters : characters.filter((char) => char.normalize('NFKC') !== char || saslprep(char) !== char);
  expect(some.length).toBeGreaterThan(4000);
  expect(await others(some.flatMap((char, index) => (ALL ? inCompany(char) : (inCompany(char)[index % 4] ?? []))))).toEqual([]);
});

it('for a character of every neighbourhood, and the ends of every plane', async () => {
  const ends = Array.from({ length: 17 }, (_, plane) => [0xff_fd, 0xff_fe, 0xff_ff].map((last) => String.fromCodePoint(plane * 0x1_00_00 + last))).flat();
  const some = [...characters.filter((_, index) => index < 0x3_00 || index % 97 === 0), ...ends];
  expect(await others(some.map((char) => `ﬁ${char}`))).toEqual([]);
});

it('for any text', async () => {
  const letters = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 8 }),
    fc.string({ unit: 'grapheme', maxLength: 5 }),
    fc.constantFrom('\u00AD', '\u00A0', '\u200B', '\uFE0F', 'ﬁ', 'a', 'א', 'ب', '1', '\u0301', '\u0340', '\u03F9', '\u0001', '₹'),
  );
  const texts = fc.sample(
    fc.array(letters, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('')),
    { seed: 20_261_121, numRuns: 2000 },
  );
  expect(await others(texts.filter((text) => text !== '' && !text.includes('\0') && text.isWellFormed() && !/^(?:md5|SCRAM)/.test(text)))).toEqual([]);
});
