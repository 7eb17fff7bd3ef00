// The reconciler in the test's own process, on a real server and a folder of manifests: one call is one cycle.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Config, readConfig } from '../../src/config.ts';
import { sentenceOf } from '../../src/changes/change.ts';
import { removeSql } from '../../src/sql/trigger-sql.ts';
import type { Woken } from '../../src/model/wake.ts';
import type { CycleReport } from '../../src/steward/report.ts';
import type { Author } from '../../src/model/fleet.ts';
import { createConnections } from '../../src/postgres/connection.ts';
import { createResidents } from '../../src/postgres/residents.ts';
import type { DriftLooker } from '../../src/steward/drift-watch.ts';
import { createReconciler } from '../../src/steward/reconcile.ts';
import { createDirectorySource } from '../../src/sources/directory.ts';
import { ACCELERATORS, Manifests } from './daemon.ts';
import type { MemorySecrets } from './memory-secrets.ts';
import { expectNoSecretsInLedger } from './ledger-secrets.ts';
import type { Postgres } from './postgres.ts';
import { expectNoSecrets } from './secrets.ts';
import { scratch } from './scratch.ts';

export interface Steward {
  readonly manifests: Manifests;
  readonly config: Config;
  readonly warnings: string[];
  /** Runs one cycle; a dry run where DRY_RUN is set. @param fence another one than before: somebody else may have been the writer in between. */
  cycle(fence?: string, woken?: Woken): Promise<CycleReport>;
  /** What it does between cycles. */
  readonly looker: DriftLooker;
  /** What a new process would be: the same folder and state file, nothing in memory. */
  restart(env?: Readonly<Record<string, string>>): Promise<Steward>;
  close(): Promise<void>;
}

/**
 * A steward for this server; `env` is on top of the connection's settings.
 * @param secrets where it writes Secrets to; without them it writes none.
 * @param provesKept whether whatever is kept is proved to be as it is.
 * @param authors whose documents are found in the folder as well.
 */
export async function createSteward(
  server: Postgres,
  env: Readonly<Record<string, string>> = {},
  manifests = new Manifests(),
  stateDir = scratch('state'),
  secrets?: Pick<MemorySecrets, 'beside'>,
  provesKept = true,
  authors?: readonly Author[],
): Promise<Steward> {
  const all = {
    SOURCE: `dir:${manifests.folder}`,
    DB_HOST: server.host,
    DB_PORT: String(server.port),
    DB_USER: server.user,
    DB_PASS: server.password,
    STATE_FILE: join(stateDir, 'state.json'),
    MAX_RETRIES: '2',
    RETRY_BACKOFF_BASE: '1.2',
    ...ACCELERATORS,
    ...env,
  };
  const config = readConfig(all);
  const connections = createConnections(config.server, () => undefined);
  const directory = createDirectorySource(manifests.folder, { namespace: config.source.namespace, configMapName: config.source.configMapName });
  const ports = secrets?.beside(directory, config.source.namespace) ?? directory;
  const warnings: string[] = [];
  const residents = createResidents({ connections, max: 0, onHeard: () => undefined });
  const reconciler = createReconciler({
    config,
    ports,
    many: authors && { authors, finder: ports.finder, documents: [{ ref: config.source.id, read: (signal) => ports.documents.read(signal) }] },
    connections,
    residents,
    provesKept,
    log: { warn: (message) => void warnings.push(message) },
    onProgress: () => undefined,
  });
  const stop = new AbortController();
  return {
    manifests,
    config,
    warnings,
    looker: reconciler,
    cycle: async (fence = 'SELECT 1', woken) => {
      const report = await reconciler.cycle(config.dryRun ? undefined : fence, stop.signal, woken);
      const { notices, problems, planned, outcomes, error, sourceFailure } = report;
      expectNoSecrets(JSON.stringify([notices, problems, planned.map(sentenceOf), outcomes, error, sourceFailure]), 'a report');
      return report;
    },
    restart: async (more = {}) => {
      await connections.close();
      return createSteward(server, { ...env, ...more }, manifests, stateDir, secrets, provesKept, authors);
    },
    close: async () => {
      await connections.close();
      if (existsSync(config.stateFile)) expectNoSecrets(readFileSync(config.stateFile, 'utf8'), 'the state file');
      const rows = await server.query<{ text: string }>(LEDGER).catch(() => []);
      expectNoSecrets(rows.map((row) => row.text).join('\n'), 'the ledger');
      expectNoSecrets(warnings.join('\n'), 'a warning');
      manifests.remove();
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}

const LEDGER = 'SELECT a::text AS text FROM pgsteward.audit_log a UNION ALL SELECT m::text FROM pgsteward.managed_role m';

/** Drops every role and database that a test left behind, and the ledger. */
export async function resetServer(server: Postgres): Promise<void> {
  const databases = await server.query<{ name: string }>(
    `SELECT quote_ident(datname) AS name FROM pg_database WHERE datname NOT IN ('postgres', 'template0', 'template1')`,
  );
  await expectNoSecretsInLedger(server);
  for (const { name } of databases) await server.query(`DROP DATABASE ${name} WITH (FORCE)`);
  for (const sql of [...removeSql('trigger'), ...removeSql('rules')]) await server.query(sql);
  await server.query(`DROP SCHEMA IF EXISTS pgsteward CASCADE`);
  const roles = await server.query<{ name: string }>(`SELECT quote_ident(rolname) AS name FROM pg_roles WHERE rolname !~ '^pg_' AND rolname <> 'postgres'`);
  for (const { name } of roles) await server.query(`REASSIGN OWNED BY ${name} TO postgres; DROP OWNED BY ${name} CASCADE`);
  for (const { name } of roles) await server.query(`DROP ROLE ${name}`);
}

/** The statements of the server's log since its mark that change anything. */
export const ddlOf = (log: string): string[] =>
  log
    .split('\n')
    .filter((line) => /statement: |execute /.test(line))
    .filter((line) => /\b(CREATE|ALTER|DROP|GRANT|REVOKE|COMMENT|INSERT|UPDATE|DELETE|REASSIGN|TRUNCATE)\b/.test(line));
