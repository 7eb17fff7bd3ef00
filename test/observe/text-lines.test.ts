// The log as text for people, and what lines of a dry run say: which changes take something away, and that there is nothing to do.
import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import type { Change } from '../../src/changes/change.ts';
import { readConfig } from '../../src/config.ts';
import { createLog } from '../../src/observe/log.ts';
import { createLogOutput } from '../../src/observe/log-output.ts';
import { createReportLog } from '../../src/observe/report-log.ts';
import { inFormat, LONGEST_LINE, type LogFormat } from '../../src/observe/text-lines.ts';
import { EMPTY } from '../../src/steward/report-parts.ts';
import type { CycleReport } from '../../src/steward/report.ts';

/** What is written of reports. A terminal knows the wish for no colours, as node's own do. */
async function logged(reports: readonly Partial<CycleReport>[], format: LogFormat, isTTY: boolean): Promise<string> {
  const stream = Object.assign(new PassThrough(), { isTTY, getColorDepth: () => (process.env['NO_COLOR'] === undefined ? 8 : 1) });
  const output = createLogOutput(stream);
  const say = createReportLog(createLog('info', inFormat(output, format, stream)), output);
  for (const report of reports) await say({ ...EMPTY, ...report });
  await output.room(1000);
  return String((stream.read() as Buffer | null) ?? '');
}
const json = (text: string): Record<string, unknown>[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

const create: Change = { kind: 'set_comment', role: 'alice', comment: 'x' };
const password: Change = { kind: 'set_password', role: 'alice', reason: 'drift' };
const sessions: Change = { kind: 'end_sessions', role: 'alice', sessions: 2 };
const drop: Change = { kind: 'drop_role', role: 'alice', entity: 'user' };
const revoke: Change = { kind: 'revoke_membership', role: 'readers', member: 'alice', grantor: 'x', adminOnly: false, cascade: false, dependents: [] };
const all = [create, password, sessions, drop, revoke];

it('lines of a dry run have the fields of those that are done, and tell what takes something away', async () => {
  const takes = [undefined, 'password', 'sessions', 'role', 'rights'];
  const dry = json(await logged([{ result: 'dry_run', planned: all, drift: [password] }], 'json', false));
  expect(dry.slice(0, 5).map((line) => [line['change'], line['takes'], line['drift'], line['outcome']])).toEqual(
    all.map(({ kind }, index) => [kind, takes[index], kind === 'set_password' ? true : undefined, 'planned']),
  );
  const done = json(await logged([{ result: 'changed', outcomes: all.map((change) => ({ change, result: 'applied' })) }], 'json', false));
  expect(done.slice(0, 5).map((line) => [line['change'], line['takes'], line['outcome']])).toEqual(
    all.map(({ kind }, index) => [kind, takes[index], 'applied']),
  );
});

it('a dry run says once that there is nothing to do, and not as if that were sure where there are errors', async () => {
  const messages = async (reports: readonly Partial<CycleReport>[]): Promise<unknown[]> =>
    json(await logged(reports, 'json', false)).flatMap(({ message }) => (String(message).includes('nothing to do') ? [message] : []));
  expect(await messages([{ result: 'dry_run' }, { result: 'dry_run' }])).toEqual(['[DRY-RUN] nothing to do']);
  expect(await messages([{ result: 'dry_run', planned: all }])).toEqual([]);
  expect(await messages([{ result: 'converged' }])).toEqual([]);
  expect(await messages([{ result: 'dry_run', notices: [{ kind: 'failed', subject: '', message: 'x' }] }])).toEqual([
    '[DRY-RUN] nothing to do, as far as the errors let anybody look',
  ]);
});

it.each<readonly [LogFormat, boolean, boolean]>([
  ['auto', true, true],
  ['auto', false, false],
  ['text', true, true],
  ['text', false, true],
  ['json', true, false],
  ['json', false, false],
])('LOG_FORMAT=%s, on a terminal: %s', async (format, isTTY, isText) => {
  const text = await logged([{ result: 'dry_run', planned: all }], format, isTTY);
  expect(text.startsWith('{')).toBe(!isText);
  if (isText) expect(text).toContain(' INFO  [DRY-RUN] Would drop user: alice change=drop_role takes=role outcome=planned');
  // Colour is for terminals, and what takes something away has one of its own.
  expect(text.includes('\u001B[')).toBe(isText && isTTY && process.env['NO_COLOR'] === undefined);
});

it('a line is no longer than somebody reads, and nothing of it is a command to a terminal', async () => {
  const trick = 'a\u001B[2J\nx\u009B1m\u202E';
  const long = 'x'.repeat(LONGEST_LINE);
  const text = await logged([{ notices: [trick, long].map((message) => ({ kind: 'failed', subject: trick, message })) }], 'text', false);
  const lines = text.trimEnd().split('\n');
  expect(lines).toHaveLength(3);
  expect(lines.join('')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  expect(lines[1]).toHaveLength(LONGEST_LINE + 1);
  expect(lines[2]).toMatch(/INFO {2}reconciliation summary result=/);
});

it('the setting has three values', () => {
  expect(readConfig({}).log.format).toBe('auto');
  expect(readConfig({ LOG_FORMAT: 'text' }).log.format).toBe('text');
  expect(() => readConfig({ LOG_FORMAT: 'colour' })).toThrow('LOG_FORMAT');
});
