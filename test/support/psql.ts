// SQL as somebody pastes it into psql: the program itself where it is installed, otherwise statement by statement, as psql sends them.
import { execFile, spawnSync } from 'node:child_process';
import { loadModule, parseSync } from 'libpg-query';
import type { Postgres } from './postgres.ts';

const IS_INSTALLED = spawnSync('psql', ['--version']).status === 0;

/**
 * Pastes it as the superuser, into a session without any settings of its own, but that notices are left out.
 * @returns what it printed: rows without a heading, one a line.
 * @throws where a statement failed or was warned of, or one was left without its semicolon.
 */
export async function paste(server: Postgres, sql: string, database = 'postgres'): Promise<string> {
  return IS_INSTALLED ? pasteReally(server, sql, database) : pasteLike(server, sql, database);
}

/** A statement of its own, unless one before it was not ended. */
const END = 'all of it was run';

async function pasteReally(server: Postgres, sql: string, database: string): Promise<string> {
  const { stdout, stderr } = await new Promise<{ stdout: string; stderr: string }>((resolve, reject) => {
    const child = execFile(
      'psql',
      ['-X', '-q', '-A', '-t', '-h', server.host, '-p', String(server.port), '-U', server.user, '-d', database],
      { env: { ...process.env, PGPASSWORD: server.password, PGOPTIONS: '-c client_min_messages=warning', LC_ALL: 'C' } },
      (error, out, err) => (error === null ? resolve({ stdout: out, stderr: err }) : reject(new Error(err, { cause: error }))),
    );
    child.stdin?.end(`${sql}\nSELECT '${END}';\n`);
  });
  const troubles = stderr.split('\n').filter((line) => line !== '');
  if (troubles.length > 0) throw new Error(`${troubles.join('\n')}\nin: ${sql}`);
  if (!stdout.endsWith(`${END}\n`)) throw new Error(`psql waits for the rest of: ${sql}`);
  return stdout.slice(0, -END.length - 1).trimEnd();
}

async function pasteLike(server: Postgres, sql: string, database: string): Promise<string> {
  await loadModule();
  const { stmts } = parseSync(sql) as { stmts: readonly { stmt_location?: number; stmt_len?: number }[] };
  const text = Buffer.from(sql);
  const client = await server.client(database);
  const troubles: string[] = [];
  client.on('notice', ({ severity, message }) => {
    if (severity === 'WARNING') troubles.push(String(message));
  });
  const lines: string[] = [];
  try {
    for (const { stmt_location: start = 0, stmt_len: length } of stmts) {
      if (length === undefined) throw new Error(`psql waits for the rest of: ${sql}`);
      const { rows } = await client.query<(string | null)[]>({ text: text.subarray(start, start + length).toString(), rowMode: 'array' });
      for (const row of rows) lines.push(row.map((cell) => cell ?? '').join('|'));
    }
  } finally {
    await client.end();
  }
  if (troubles.length > 0) throw new Error(`${troubles.join('\n')}\nin: ${sql}`);
  return lines.join('\n');
}
