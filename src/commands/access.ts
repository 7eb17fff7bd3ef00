// What the verbs about access have in common: their operands, a session in the right database, and how an answer is said.
import type pg from 'pg';
import { oneLine } from '../document/show.ts';
import { ObjectNameError, type ObjectReference, readObjectName, readRoleName } from '../explain/object-name.ts';
import type { Realm } from '../explain/securable.ts';
import { KINDS, kindWords, type ObjectKind, privilegeName, privilegesOf } from '../model/kinds.ts';
import { PUBLIC } from '../model/contents.ts';
import { type Connections, createConnections } from '../postgres/connection.ts';
import { whyNot } from '../postgres/outage-of.ts';
import { inRealm } from '../postgres/read-realm.ts';
import { harmless } from './harmless.ts';
import { withProgress } from './progress.ts';
import { settingsFrom } from './settings.ts';
import { type Given, type Program, say, UsageError } from './verb.ts';

/** How an answer is said. */
export interface Answer {
  readonly code: number;
  readonly lines: readonly string[];
  readonly data: object;
}

/** What is read as an error of whoever asks, and not of ours. */
function asUsage<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw usage(error);
  }
}

const usage = (error: unknown): unknown => (error instanceof ObjectNameError ? new UsageError(oneLine(error.message)) : error);

/** A privilege of two words may be two operands. @returns it, and what stands behind it. */
export function readPrivilege(words: readonly string[]): readonly [privilege: string, rest: readonly string[]] {
  const [first = '', second = '', ...rest] = words;
  const isTwo = first.toUpperCase() === 'ALTER' && second.toUpperCase() === 'SYSTEM';
  return isTwo ? ['ALTER SYSTEM', rest] : [privilegeName(first), words.slice(1)];
}

/** @throws UsageError where the kind knows no such privilege on this server. */
export function checkPrivilege(privilege: string, kind: ObjectKind, major: number): void {
  const known = privilegesOf(kind, major);
  if (known.includes(privilege)) return;
  const since = KINDS[kind].privileges[privilege];
  const why = since === undefined ? '' : `, which PostgreSQL has from ${since} on`;
  throw new UsageError(`${oneLine(privilege.slice(0, 100))} is no privilege on a ${kindWords(kind)}${why}; there are ${known.join(', ')}`);
}

/** @throws UsageError */
export const readObjectWords = (words: readonly string[]): ObjectReference => asUsage(() => readObjectName(words));

/** The name of a role; PUBLIC is everybody. @throws UsageError */
export const readRole = (text: string): string => asUsage(() => readRoleName(text));

/** @throws UsageError where there is no such role. */
export function checkRole(realm: Realm, role: string): void {
  if (role === PUBLIC || realm.roles.has(role)) return;
  const meant = [...realm.roles.keys()].find((name) => name.toLowerCase() === role.toLowerCase());
  throw new UsageError(
    `there is no role ${oneLine(role.slice(0, 100))}${meant === undefined ? '' : `; did you mean '"${oneLine(meant)}"', in double quotes?`}`,
  );
}

/** A session in the object's database and its realm; what is in no database is asked of in the admin database, and so is a database that lets nobody in. */
export type Ask = <T>(asked: Pick<ObjectReference, 'kind' | 'database'>, work: (client: pg.Client, realm: Realm) => Promise<T>) => Promise<T>;

/**
 * Asks the server that the settings name, and says the answer. Nothing is written there.
 * @throws UsageError with what is wrong, also with the settings or the server.
 */
export async function answer(given: Given, self: Program, work: (ask: Ask) => Promise<Answer>): Promise<number> {
  const { server } = settingsFrom(given, self);
  const connections = createConnections(server, () => undefined);
  try {
    const { code, lines, data } = await withProgress(self.stderr, 'reading the server', () =>
      work(async ({ kind, database }, asked) => {
        const inside = (name: string): ReturnType<typeof asked> => inDatabase(connections, name, server.timeouts, asked);
        try {
          return await inside(database ?? server.adminDatabase);
        } catch (error) {
          if (kind === 'database' && codeOf(error) === CLOSED) return inside(server.adminDatabase);
          if (database !== undefined && codeOf(error) === MISSING)
            throw new ObjectNameError(`there is no database ${database}; capital letters need double quotes`);
          throw error;
        }
      }),
    );
    return await sayAnswer(given, self, { code, lines, data });
  } catch (error) {
    throw refusalOf(error);
  } finally {
    await connections.close();
  }
}

/** Prints it. @returns its exit code. */
export async function sayAnswer({ options }: Given, { stdout }: Program, { code, lines, data }: Answer): Promise<number> {
  await say(stdout, options.get('output') === 'json' ? `${harmless(JSON.stringify(data, undefined, 2))}\n` : `${lines.map(oneLine).join('\n')}\n`);
  return code;
}

/** What is thrown of an error: what is wrong with what was asked, or with the server. */
export function refusalOf(error: unknown): UsageError {
  const wrong = usage(error);
  return wrong instanceof UsageError ? wrong : new UsageError(oneLine(whyNot(wrong).message));
}

/** A database that lets nobody in, and one that is not there. */
const [CLOSED, MISSING] = ['55000', '3D000'];
const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined);

async function inDatabase<T>(
  connections: Connections,
  database: string,
  timeouts: Parameters<typeof inRealm>[1],
  work: (client: pg.Client, realm: Realm) => Promise<T>,
): Promise<T> {
  const client = await connections.open(database);
  try {
    return await inRealm(client, timeouts, (realm) => work(client, realm));
  } finally {
    await client.end().catch(() => undefined);
  }
}
