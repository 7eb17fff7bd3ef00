// status: what the running daemon says of itself, for people.
import { isIPv6 } from 'node:net';
import { styleText } from 'node:util';
import { oneLine } from '../document/show.ts';
import { settingsFrom } from './settings.ts';
import { readAnswer, verdictOf } from './status-answer.ts';
import { type FleetAnswer, fleetText, fleetVerdicts, readFleetAnswer, refusalIn } from './status-fleet.ts';
import { type StatusPaint, statusText } from './status-text.ts';
import { type Given, type Program, say, UsageError } from './verb.ts';

/** How long the daemon may take, and how much it may say: what `/status` holds is bounded, and less than that. */
const [PATIENCE_MS, MOST_BYTES] = [10_000, 16 * 1024 * 1024];

const COLOURS = { good: 'green', warning: 'yellow', bad: 'red' } as const;

/** Asks the daemon. @returns 0 where the server is as declared, 2 where it differs or is behind, 1 where something is wrong. @throws UsageError */
export async function status(given: Given, self: Program): Promise<number> {
  const url = addressOf(given, self);
  const body = await ask(url);
  const fleet = typeof body === 'string' ? undefined : readFleetAnswer(body.json);
  if (typeof body !== 'string' && fleet !== undefined) return sayFleet(fleet, body.json, given, self);
  const unknown = typeof body === 'string' ? undefined : refusalIn(body.json);
  if (unknown !== undefined) throw new UsageError(oneLine(unknown));
  const answer = typeof body === 'string' ? undefined : readAnswer(body.json);
  if (answer === undefined) {
    const why = typeof body === 'string' ? body : 'what answers there is no pgsteward, or one of another version';
    await say(self.stderr, `pgsteward: ${oneLine(url.href)} cannot be asked: ${oneLine(why)}\n`);
    return 1;
  }
  const verdict = verdictOf(answer);
  const paint: StatusPaint = (as, text) => styleText(COLOURS[as], text, { stream: self.stdout });
  await say(self.stdout, given.options.get('output') === 'json' ? asJson(typeof body === 'string' ? {} : body.json) : statusText(answer, verdict, paint));
  return verdict.code;
}

/** Of all servers the worst decides. */
async function sayFleet(fleet: FleetAnswer, json: unknown, given: Given, self: Program): Promise<number> {
  const verdicts = fleetVerdicts(fleet);
  const paint: StatusPaint = (as, text) => styleText(COLOURS[as], text, { stream: self.stdout });
  await say(self.stdout, given.options.get('output') === 'json' ? asJson(json) : fleetText(fleet, verdicts, paint));
  const codes = verdicts.map(({ code }) => code);
  return codes.includes(1) ? 1 : Math.max(0, ...codes);
}

/** @throws UsageError where it is no address. */
function addressOf(given: Given, self: Program): URL {
  const url = daemonOf(given, self);
  const server = given.options.get('server');
  if (typeof server === 'string') url.searchParams.set('server', server);
  return url;
}

function daemonOf(given: Given, self: Program): URL {
  const url = given.options.get('url');
  if (typeof url === 'string') {
    const parsed = URL.canParse(url) ? new URL(url) : undefined;
    if (parsed === undefined || !/^https?:$/.test(parsed.protocol) || parsed.username !== '' || parsed.password !== '')
      throw new UsageError('--url is no address of the daemon, as http://localhost:8080');
    return new URL('/status', parsed);
  }
  const { host, port } = settingsFrom(given, self).http;
  if (port === 0) throw new UsageError('HTTP_PORT is 0, so that nobody knows the port; --url says where the daemon is');
  // Who listens on all addresses is asked on our own.
  const name = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return new URL(`http://${isIPv6(name) ? `[${name}]` : name}:${port}/status`);
}

/** What was answered, or why nothing was. */
async function ask(url: URL): Promise<{ readonly json: unknown } | string> {
  try {
    const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(PATIENCE_MS) });
    const text = await textOf(response);
    if (text === undefined) return `it answers more than ${MOST_BYTES} bytes`;
    return response.ok ? { json: JSON.parse(text) as unknown } : `it answers ${response.status}`;
  } catch (error) {
    if (error instanceof SyntaxError) return 'it does not answer in JSON';
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const code = (cause as NodeJS.ErrnoException).code;
    return `${cause instanceof Error ? cause.message : String(cause)}${code === 'ECONNREFUSED' ? '; is the daemon running, and does HTTP_PORT or --url name its port?' : ''}`;
  }
}

async function textOf(response: Response): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > MOST_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** As it was answered, without a character that a terminal would obey. */
const asJson = (json: unknown): string =>
  `${JSON.stringify(json, undefined, 2).replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (one) => (one === '\n' ? one : [...Array(one.length).keys()].map((at) => `\\u${one.charCodeAt(at).toString(16).padStart(4, '0')}`).join('')))}\n`;
