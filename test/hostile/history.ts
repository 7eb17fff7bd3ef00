// A history: attackers and an author act at random while pgsteward works, and after each of its cycles no canary may have been left.
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CycleReport } from '../../src/steward/report.ts';
import { QUIET } from '../privileges/quiet.ts';
import type { Major } from '../support/binaries.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { createSteward, type Steward } from '../support/steward.ts';
import { FIRST, HARVEST, newNames, nextAction } from './actions.ts';
import { asOurselves, canaries, canaryTable, LOGINS } from './canaries.ts';
import { documentFor, type Wish } from './documents.ts';
import { createRandom, ident, literal, type Random } from './random.ts';

const MAJORS: readonly Major[] = [14, 15, 16, 17, 18];
const COUNT = Number(process.env['COUNT'] ?? 500);
const SEED = Number(process.env['SEED'] ?? 20_261_127);
const ONLY = process.env['ONLY'] === undefined ? undefined : Number(process.env['ONLY']);
const VERBOSE = process.env['VERBOSE'] !== undefined;
const HOME = 'home';
const PASSWORD = 'harness harness';

type Admin = keyof typeof LOGINS;

/** The histories of one kind of admin: an equal part on each major. */
export function hostileHistories(admin: Admin): void {
  describe.each(MAJORS)(`PostgreSQL %i, as ${admin}, SEED=${SEED}`, (major) => {
    const offset = MAJORS.indexOf(major) * 2 + (admin === 'superuser' ? 0 : 1);
    const numbers = Array.from({ length: Math.ceil(COUNT / (MAJORS.length * 2)) }, (_, index) => index * MAJORS.length * 2 + offset);
    const chosen = ONLY === undefined ? numbers : numbers.filter((number) => number === ONLY);
    let server: Postgres;
    beforeAll(async () => {
      server = await startPostgres({
        major,
        settings: { ...QUIET, log_statement: 'none', log_min_messages: 'log', log_min_error_statement: 'panic', max_prepared_transactions: '5' },
      });
      await server.query(`CREATE ROLE steward LOGIN SUPERUSER PASSWORD '${PASSWORD}'; CREATE ROLE adm LOGIN CREATEROLE CREATEDB PASSWORD '${PASSWORD}'`);
      await server.query(`CREATE DATABASE ${HOME} OWNER ${LOGINS[admin]}`);
      await server.query(canaryTable(LOGINS[admin]), HOME);
    });
    afterAll(() => server.stop());

    it.runIf(chosen.length > 0)(
      `${chosen.length} histories leave no canary`,
      async () => {
        for (const number of chosen) {
          const log: string[] = [`history ${number}: SEED=${SEED} ONLY=${number}`];
          const began = performance.now();
          const found = await history(server, admin, createRandom(SEED + number * 7919), log);
          if (VERBOSE) console.log([...log, `${Math.round(performance.now() - began)} ms`].join('\n'));
          expect(found, log.join('\n')).toEqual([]);
        }
      },
      // A second each, and much more where the machine has much else to do.
      Math.max(10, chosen.length) * 60_000,
    );
  });
}

async function history(server: Postgres, admin: Admin, random: Random, log: string[]): Promise<readonly string[]> {
  const names = newNames(random);
  const steward = await createSteward(server, {
    DB_USER: LOGINS[admin],
    DB_PASS: PASSWORD,
    DB_NAME: HOME,
    RETRY_BACKOFF_BASE: '1',
    MAX_RETRIES: '0',
    DB_LOCK_TIMEOUT: '1',
    MAX_DELETIONS: '100',
    ...(random.oneIn(4) ? { EVENT_TRIGGERS: 'off' } : {}),
  });
  server.mark();
  let wish: Wish = { users: ['m', 'trudy'], owner: random.pick(['m', 'm', 'team', undefined]), extension: random.oneIn(6) };
  const withoutM: Wish = { ...wish, users: ['trudy'], owner: wish.owner === 'm' ? undefined : wish.owner };
  const sessions = new Map<string, pg.Client>();
  const declare = (): void => steward.manifests.users(documentFor(wish, names, random));
  try {
    for (const user of wish.users) steward.manifests.secret(user, `${user} ${PASSWORD}`);
    declare();
    const first = await steward.cycle();
    log.push(`cycle: ${first.result}, ${JSON.stringify([first.problems.map(({ message }) => message), first.error])}`);
    // What a plain admin cannot make, or a document says wrongly, somebody else made.
    for (const role of ['m', 'trudy', 'team']) await server.query(`CREATE ROLE ${role} LOGIN PASSWORD '${role} ${PASSWORD}'`).catch(() => undefined);
    await server.query(`CREATE DATABASE shop OWNER ${wish.owner ?? LOGINS[admin]}`).catch(() => undefined);
    await server.query(canaryTable(LOGINS[admin]), 'shop');
    await server.query('GRANT CREATE ON DATABASE shop TO m');
    // Below 16 whoever makes a role is no member of it, and could grant nothing of theirs.
    if (admin === 'plain admin' && server.major < 16) await server.query('GRANT m, trudy, team TO adm');
    await act(server, sessions, 'm', FIRST);
    const rounds = 2 + random.below(2);
    for (let round = 0; round <= rounds; round += 1) {
      for (let step = 1 + random.below(4); step > 0; step -= 1) {
        const who = random.oneIn(4) ? 'trudy' : 'm';
        const { what, statements } = nextAction({ random, names });
        log.push(`${who}: ${what}`);
        await act(server, sessions, who, statements);
      }
      if (round === rounds) wish = withoutM;
      if (round === rounds || random.oneIn(3)) declare();
      for (let cycles = 1 + random.below(2); cycles > 0; cycles -= 1) {
        const began = performance.now();
        const report = await steward.cycle();
        log.push(
          `cycle: ${report.result}, ${report.outcomes.length} changes, ${Math.round(performance.now() - began)} ms${report.error === undefined ? '' : `, ${report.error.message}`}${VERBOSE ? failures(report) : ''}`,
        );
      }
      await act(server, sessions, 'trudy', HARVEST);
      await asOurselves(server, 'ANALYZE', 'shop').catch(() => undefined);
      const found = await canaries(server, ['shop', HOME]);
      if (found.length > 0) return found;
    }
    return [];
  } finally {
    for (const client of sessions.values()) await client.end().catch(() => undefined);
    await close(server, steward);
  }
}

/** What pgsteward did not do, for whoever wants to know what a history tried. */
const failures = (report: CycleReport): string =>
  report.outcomes.map((one) => (one.result === 'applied' ? '' : `\n    ${one.result} ${one.change.kind}: ${one.message}`)).join('') +
  report.notices.map(({ kind, message }) => `\n    ${kind}: ${message}`).join('');

/** Statements of somebody's own, who logs in again where the session is gone; each for itself, as much of it fails, as it should. */
async function act(server: Postgres, sessions: Map<string, pg.Client>, who: string, statements: readonly string[]): Promise<void> {
  const block = statements.map((statement) => `BEGIN EXECUTE ${literal(statement)}; EXCEPTION WHEN OTHERS THEN NULL; END;`).join('\n');
  // Transactions are begun and prepared outside of any block.
  const texts = statements.some((statement) => statement.startsWith('BEGIN')) ? statements : [`DO ${literal(`BEGIN ${block} END`)}`];
  try {
    let session = sessions.get(who);
    if (session === undefined) {
      session = await server.client('shop', { user: who, password: `${who} ${PASSWORD}` });
      session.on('error', () => sessions.delete(who));
      sessions.set(who, session);
      await session.query(`SET statement_timeout = '30s'; SET lock_timeout = '1s'`);
    }
    for (const text of texts) await session.query(text);
  } catch {
    await sessions
      .get(who)
      ?.query('ROLLBACK')
      .catch(() => sessions.delete(who));
  }
}

/** Everything as it was before; what is prepared would keep it. */
async function close(server: Postgres, steward: Steward): Promise<void> {
  await steward.close();
  const prepared = await server.query<{ gid: string; database: string }>('SELECT gid, database FROM pg_prepared_xacts');
  for (const { gid, database } of prepared) await server.query(`ROLLBACK PREPARED '${gid}'`, database);
  const databases = await server.query<{ datname: string }>(
    `SELECT datname FROM pg_database WHERE datname NOT IN ('postgres', 'template0', 'template1', '${HOME}')`,
  );
  for (const { datname } of databases) await server.query(`DROP DATABASE ${ident(datname)} WITH (FORCE)`);
  await server.query('DROP SCHEMA IF EXISTS pgsteward CASCADE; TRUNCATE canary.r', HOME);
  const roles = (
    await server.query<{ rolname: string }>(`SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' AND rolname NOT IN ('postgres', 'steward', 'adm')`)
  ).map(({ rolname }) => ident(rolname));
  if (roles.length === 0) return;
  for (const database of [HOME, 'postgres']) await server.query(`DROP OWNED BY ${roles.join(', ')} CASCADE`, database);
  await server.query(`DROP ROLE ${roles.join(', ')}`);
}
