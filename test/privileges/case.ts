// A folder of test/corpus/cases on a real server: its setup.sql as psql would run it, its documents, Secrets for its users, and their sessions.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { expect } from 'vitest';
import { parse, stringify } from 'yaml';
import { ROOT } from '../support/daemon.ts';
import type { Postgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';
import { writesDuring } from './quiet.ts';

interface User {
  readonly username: string;
  readonly database?: string;
  readonly passwordSecretRef?: { readonly name: string; readonly key: string };
}

export const read = (folder: string, file: string): string => readFileSync(join(ROOT, 'test/corpus/cases', folder, file), 'utf8');

/** Runs a file as psql does: one database after the other, CREATE DATABASE outside of any transaction. */
async function runFile(server: Postgres, sql: string): Promise<void> {
  let database = 'postgres';
  for (const part of sql.split(/^(?=\\connect )/m)) {
    const [, connect] = /^\\connect (\S+)/.exec(part) ?? [];
    database = connect ?? database;
    const lines = part.replace(/^\\connect .*/, '').split('\n');
    const alone = lines.filter((line) => line.startsWith('CREATE DATABASE'));
    await server.query(lines.filter((line) => !alone.includes(line)).join('\n'), database);
    for (const line of alone) await server.query(line, database);
  }
}

export const passwordOf = (user: string): string => `pw ${user}`;

/** Puts a document in force, with a password in the Secret of each user. */
export function declare(steward: Steward, document: string): void {
  steward.manifests.users(document);
  const { users } = parse(document) as { users: readonly User[] };
  const secrets = users.map(({ username, passwordSecretRef }) => ({
    username,
    ...(passwordSecretRef ?? { name: `user-${username.replaceAll(/[^a-z0-9.-]/g, '-')}-secret`, key: 'password' }),
  }));
  const names = [...new Set(secrets.map(({ name }) => name))];
  const items = names.map((name) => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: 'postgres' },
    stringData: Object.fromEntries(secrets.filter((secret) => secret.name === name).map(({ key, username }) => [key, passwordOf(username)])),
  }));
  writeFileSync(join(steward.manifests.folder, 'passwords.yaml'), items.map((item) => stringify(item)).join('---\n'));
}

export interface Case {
  /** The steward of the moment. */
  steward(): Steward;
  /** Goes on with other settings, as a new process. */
  restart(env: Readonly<Record<string, string>>): Promise<void>;
  /** A session of this user; closed with the case. */
  login(user: string, database: string): Promise<pg.Client>;
  /** One cycle that has to end well, and one more that has to write nothing. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

/** Sets a case up: its server's contents, and a steward that follows its users.yaml. */
export async function openCase(
  server: Postgres,
  folder: string,
  options: { readonly env?: Readonly<Record<string, string>>; readonly empty?: boolean } = {},
): Promise<Case> {
  if (options.empty !== true) await runFile(server, read(folder, 'setup.sql'));
  let steward = await createSteward(server, { RETRY_BACKOFF_BASE: '1', ...options.env });
  declare(steward, read(folder, 'users.yaml'));
  const sessions: pg.Client[] = [];
  return {
    steward: () => steward,
    restart: async (env) => {
      steward = await steward.restart(env);
    },
    login: async (user, database) => {
      const session = await server.client(database, { user, password: passwordOf(user) });
      sessions.push(session);
      return session;
    },
    settle: async () => {
      const report = await steward.cycle();
      expect(['changed', 'converged'], JSON.stringify([report.problems, report.notices, report.error])).toContain(report.result);
      expect(await writesDuring(server, () => steward.cycle())).toEqual([]);
    },
    close: async () => {
      for (const session of sessions) await session.end();
      await steward.close();
    },
  };
}

/** Each statement works. */
export async function can(session: pg.Client, ...statements: readonly string[]): Promise<void> {
  for (const sql of statements)
    await session.query(sql).catch((error: unknown) => {
      throw new Error(`${sql}: ${String(error)}`, { cause: error });
    });
}

/** Each statement is refused for want of a right, and for no other reason. */
export async function cannot(session: pg.Client, ...statements: readonly string[]): Promise<void> {
  for (const sql of statements)
    await expect(
      session.query(sql).then(() => 'it worked'),
      sql,
    ).rejects.toThrow(/permission denied|must be owner|must be able to SET ROLE|must be member of role/);
}
