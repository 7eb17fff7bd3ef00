// How programs log in with a connection Secret that is mounted: each way gets a folder of such Secrets and says for each who it was where, or what went wrong.
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { sideBySide } from '../../src/async/side-by-side.ts';

/** By the folder of the Secret. */
export type Answers = ReadonlyMap<string, { readonly ok: boolean; readonly text: string }>;

const WHO = `SELECT current_user || ' in ' || current_database() AS who`;
const exec = promisify(execFile);

export const keyOf = (folder: string, secret: string, key: string): string => readFileSync(join(folder, secret, key), 'utf8');

async function each(folder: string, login: (secret: string) => Promise<string>): Promise<Answers> {
  const answers = new Map<string, { ok: boolean; text: string }>();
  await sideBySide(3, readdirSync(folder), async (secret) => {
    const answer = await login(secret).then(
      (text) => ({ ok: true, text }),
      (error: unknown) => ({ ok: false, text: error instanceof Error ? error.message : '' }),
    );
    answers.set(secret, answer);
  });
  return answers;
}

async function byNode(config: string | pg.ClientConfig): Promise<string> {
  const client = new pg.Client(config);
  await client.connect();
  try {
    return (await client.query<{ who: string }>(WHO)).rows[0]?.who ?? '';
  } finally {
    await client.end();
  }
}

export const nodeByUri = (folder: string): Promise<Answers> => each(folder, (secret) => byNode(keyOf(folder, secret, 'uri')));

export const nodeByKeys = (folder: string): Promise<Answers> =>
  each(folder, (secret) => {
    const [host, port, database, user, password] = ['host', 'port', 'database', 'username', 'password'].map((key) => keyOf(folder, secret, key));
    return byNode({ host, port: Number(port), database, user, password });
  });

/** One newline at the end is psql's. */
const psql = async (args: readonly string[], env: Readonly<Record<string, string>>): Promise<string> =>
  (await exec(process.env['CLIENT_PSQL'] ?? 'psql', [...args, '-AtXc', WHO], { env: { ...env, PGCONNECT_TIMEOUT: '10' } })).stdout.slice(0, -1);

export const psqlByUri = (folder: string): Promise<Answers> => each(folder, (secret) => psql([keyOf(folder, secret, 'uri')], {}));

export const psqlByEnvironment = (folder: string): Promise<Answers> =>
  each(folder, (secret) => {
    const names = readdirSync(join(folder, secret)).filter((key) => key.startsWith('PG'));
    return psql([], Object.fromEntries(names.map((key) => [key, keyOf(folder, secret, key)])));
  });

/** A program that logs in with all of them and prints a line for each and every way: Secret, way, `ok` or `error`, and text in base64. */
async function batch(command: string, args: readonly string[]): Promise<ReadonlyMap<string, Answers>> {
  const { stdout } = await exec(command, args, { env: { PATH: process.env['PATH'] ?? '' }, maxBuffer: 1 << 26 });
  const ways = new Map<string, Map<string, { ok: boolean; text: string }>>();
  for (const line of stdout.trimEnd().split('\n')) {
    const [secret = '', way = '', result, text = ''] = line.split('\t');
    const answers = ways.get(way) ?? new Map<string, { ok: boolean; text: string }>();
    ways.set(way, answers.set(secret, { ok: result === 'ok', text: Buffer.from(text, 'base64').toString() }));
  }
  return ways;
}

export const java = (folder: string): Promise<ReadonlyMap<string, Answers>> =>
  batch('java', ['-cp', process.env['CLIENT_JDBC'] ?? '', join(import.meta.dirname, 'jdbc/Login.java'), folder]);

export const go = (folder: string): Promise<ReadonlyMap<string, Answers>> => batch(process.env['CLIENT_PGX'] ?? '', [folder]);
