// A server of the scenario: it is killed and comes back, and one with a standby fails over to it.
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Major } from '../support/binaries.ts';
import { unprivileged } from '../support/binaries.ts';
import { freePort, type Postgres, startPostgres } from '../support/postgres.ts';
import { scratch } from '../support/scratch.ts';
import { fencedTwice } from '../support/terms.ts';
import type { Place } from './company.ts';

/** Small, and with the moment at which each statement had succeeded in the log. */
export const SMALL = {
  log_statement: 'none',
  log_min_duration_statement: '0',
  shared_buffers: '16MB',
  max_connections: '60',
  wal_keep_size: '256MB',
  max_wal_size: '256MB',
} as const;

export class Machine {
  readonly place: Place;
  isUp = true;
  adminPassword: string;
  /** Whoever writes. */
  server: Postgres;
  standby: Postgres | undefined;
  readonly ports: number[];
  /** Terms and writes of terms that were over, of servers that are gone. */
  #terms = 0;
  #violations = 0;

  constructor(place: Place, server: Postgres) {
    this.place = place;
    this.server = server;
    this.ports = [server.port];
    this.adminPassword = `the first password of the admin of ${place.name}`;
  }

  static async start(place: Place, major: Major | undefined): Promise<Machine> {
    return new Machine(place, await startPostgres({ ...(major === undefined ? {} : { major }), settings: SMALL }));
  }

  async kill(): Promise<void> {
    await this.server.kill9();
    this.isUp = false;
  }

  async start(): Promise<void> {
    await this.server.start();
    this.isUp = true;
  }

  /** A standby of whoever writes, made from a copy of it while it runs. @param port of the one that it was. */
  async addStandby(port?: number): Promise<void> {
    const chosen = port ?? (await freePort());
    const { server } = this;
    const copy = join(scratch('copy'), 'data');
    const client = await server.client();
    try {
      const [begin, end] =
        server.major < 15
          ? ["SELECT pg_start_backup('copy', true, false)", 'SELECT labelfile AS label FROM pg_stop_backup(false, false)']
          : ["SELECT pg_backup_start('copy', true)", 'SELECT labelfile AS label FROM pg_backup_stop(false)'];
      await client.query(begin);
      // A file may go while it is copied; recovery knows.
      execFileSync('sh', ['-c', `cp -a -- "$0" "$1" || true`, server.dataDir, copy], { stdio: 'ignore' });
      const { rows } = await client.query<{ label: string }>(end);
      rmSync(join(copy, 'postmaster.pid'), { force: true });
      writeFileSync(join(copy, 'backup_label'), rows[0]?.label ?? '');
      const account = unprivileged();
      if (account !== undefined) execFileSync('chown', [`${account.uid}:${account.gid}`, join(copy, 'backup_label')]);
    } finally {
      await client.end();
    }
    const conninfo = `host=127.0.0.1 port=${server.port} user=${server.user} password=${server.password} application_name=standby`;
    this.standby = await startPostgres({
      major: server.major,
      copyOf: copy,
      standby: true,
      port: chosen,
      settings: { ...SMALL, primary_conninfo: conninfo },
    });
    rmSync(copy, { recursive: true, force: true });
    if (!this.ports.includes(chosen)) this.ports.push(chosen);
    await this.replicated();
  }

  /** Until the standby has what was written until now. */
  async replicated(): Promise<void> {
    if (this.standby === undefined) return;
    const [now] = await this.server.query<{ lsn: string }>('SELECT pg_current_wal_lsn()::text AS lsn');
    for (const end = Date.now() + 60_000; ; await sleep(50)) {
      const [there] = await this.standby.query<{ there: boolean }>(`SELECT coalesce(pg_last_wal_replay_lsn() >= '${now?.lsn}', false) AS there`);
      if (there?.there === true) return;
      if (Date.now() > end) throw new Error(`the standby of ${this.place.name} does not follow`);
    }
  }

  /** The standby hears nothing any more: what is written from now on is lost with the primary. */
  async cutOff(): Promise<void> {
    await this.standby?.query("ALTER SYSTEM SET primary_conninfo = ''");
    await this.standby?.query('SELECT pg_reload_conf()');
    for (const end = Date.now() + 20_000; Date.now() < end; await sleep(20))
      if ((await this.standby?.query('SELECT FROM pg_stat_wal_receiver'))?.length === 0) return;
    throw new Error('the standby still hears its primary');
  }

  /** The primary is lost, and the standby takes its place. */
  async failOver(): Promise<void> {
    const { standby } = this;
    if (standby === undefined) throw new Error('there is no standby');
    if (this.isUp) await this.server.kill9();
    await standby.query('SELECT pg_promote()');
    const lost = this.server;
    this.server = standby;
    this.standby = undefined;
    this.isUp = true;
    this.#count(lost);
    await lost.stop();
  }

  /** The port at which nobody is. */
  freeHost(): number | undefined {
    return this.standby === undefined ? this.ports.find((port) => port !== this.server.port) : undefined;
  }

  /** Terms that wrote, and writes of a term that was over, on all servers that it was. */
  fenced(): { readonly terms: number; readonly violations: number } {
    this.#count(this.server);
    return { terms: this.#terms, violations: this.#violations };
  }

  #count(server: Postgres): void {
    const { terms, violations } = fencedTwice(server.log());
    this.#terms += terms;
    this.#violations += violations;
  }

  async stop(): Promise<void> {
    await this.standby?.stop();
    await this.server.stop();
  }
}
