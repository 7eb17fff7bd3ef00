// What work on a server costs beside time: the processor of both sides, statements and sessions. None of it depends on what else the machine does.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Daemon } from '../support/daemon.ts';
import type { Postgres } from '../support/postgres.ts';
import { cpuOf } from './load.ts';
import { postmaster } from './support.ts';

/** So that statements are counted. */
export const COUNTING = { shared_preload_libraries: 'pg_stat_statements', 'pg_stat_statements.max': '10000', compute_query_id: 'on' } as const;

/** Seconds of the processor that a server has used until now, with all of its sessions. */
export const serverCpu = (server: Postgres): number => cpuOf(postmaster(server));

/** The same of a daemon, from the start of its process. */
export const daemonCpu = (daemon: Daemon): number => cpuOf(daemon.process.pid ?? 0);

export interface Counts {
  readonly statements: number;
  readonly sessions: number;
}

/** What a counting server was asked until now, and by how many sessions that have told of themselves. */
export async function countsOf(server: Postgres): Promise<Counts> {
  // What ended just now tells of itself as it goes.
  await sleep(200);
  await server.query('CREATE EXTENSION IF NOT EXISTS pg_stat_statements');
  const [row] = await server.query<{ statements: number; sessions: number }>(
    `SELECT (SELECT sum(calls) FROM pg_stat_statements)::float8 AS statements, (SELECT sum(sessions) FROM pg_stat_database)::float8 AS sessions`,
  );
  return row ?? { statements: 0, sessions: 0 };
}
