// A session with the primary among several hosts.
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import type { HostPort } from '../model/fleet.ts';
import { Outage } from '../model/outage.ts';
import { isWrongPassword } from './admin-password.ts';
import { notOpened } from './failures.ts';
import { type Hosts, isBefore, type Timeline } from './hosts.ts';
import { query } from './query.ts';
import { IDENTIFIER } from './system-identifier.ts';

type Asked =
  | { readonly host: HostPort; readonly client: pg.Client; readonly timeline: Timeline }
  /** Of a standby, or of one that does not answer. */
  | { readonly host: HostPort; readonly failure: unknown };

/**
 * Once all were asked the one that is the primary is asked alone, until it does not answer. Where several take themselves for it, it is the one that was
 * promoted last.
 * @throws what keeps us from it; of several reasons that of a password first, as another one may be right.
 */
export async function atPrimary(hosts: Hosts, login: (host: HostPort) => Promise<pg.Client>): Promise<pg.Client> {
  const [current, ...others] = hosts.inOrder();
  const first = hosts.isSettled && current !== undefined ? [await ask(current, login)] : [];
  const [known] = first;
  if (known !== undefined && 'client' in known && !hosts.isFormer(known.timeline)) return taken(known, hosts);
  hosts.unsettle();
  const rest = first.length === 0 ? hosts.inOrder() : others;
  const all = [...first, ...(await askAll(rest, login))];
  const open = all.filter((one) => 'client' in one);
  const best = open.reduce<(typeof open)[number] | undefined>(
    (one, other) => (one === undefined || isBefore(one.timeline, other.timeline) ? other : one),
    undefined,
  );
  for (const one of open) if (one !== best || hosts.isFormer(one.timeline)) one.client.end().catch(() => undefined);
  if (best !== undefined && !hosts.isFormer(best.timeline)) return taken(best, hosts);
  const failures = all.map((one) => ('client' in one ? former(one.host) : one.failure));
  throw failures.find(isWrongPassword) ?? failures.find((error) => error instanceof Outage) ?? failures[0];
}

/** So long the others may take once one that takes itself for the primary has answered: a host that is gone answers never. */
const OTHERS_MS = 1500;

/** In the order of the hosts; who answers too late is not waited for. */
async function askAll(hosts: readonly HostPort[], login: (host: HostPort) => Promise<pg.Client>): Promise<readonly Asked[]> {
  const answers = new Map<HostPort, Asked>();
  const found = Promise.withResolvers<void>();
  let isOver = false;
  const everybody = Promise.all(
    hosts.map(async (host) => {
      const answer = await ask(host, login);
      if (!isOver) answers.set(host, answer);
      else if ('client' in answer) answer.client.end().catch(() => undefined);
      if ('client' in answer) found.resolve();
    }),
  );
  await Promise.race([everybody, found.promise.then(() => sleep(OTHERS_MS, undefined, { ref: false }))]);
  isOver = true;
  return hosts.flatMap((host) => answers.get(host) ?? []);
}

function taken({ host, client, timeline }: Extract<Asked, { readonly client: pg.Client }>, hosts: Hosts): pg.Client {
  hosts.primary(host, timeline);
  return client;
}

const former = ({ host, port }: HostPort): Outage =>
  new Outage('standby', `${host}:${port} is a former primary: another host of this server was promoted after it, and does not answer now`);

async function ask(host: HostPort, login: (host: HostPort) => Promise<pg.Client>): Promise<Asked> {
  try {
    const client = await login(host);
    const timeline = await timelineOf(client);
    if (timeline !== undefined) return { host, client, timeline };
    client.end().catch(() => undefined);
    return { host, failure: new Outage('standby', `${host.host}:${host.port} is a standby, and read-only, and so is every host of this server that answers`) };
  } catch (failure) {
    return { host, failure };
  }
}

const IN_RECOVERY = 'pg_catalog.pg_is_in_recovery()';
const mayCall = (signature: string): string => `pg_catalog.has_function_privilege('pg_catalog.${signature}', 'EXECUTE')`;
/** The name of a file of the WAL begins with the timeline. */
const WAL_FILE = `CASE WHEN NOT ${IN_RECOVERY} AND ${mayCall('pg_walfile_name(pg_catalog.pg_lsn)')} AND ${mayCall('pg_current_wal_lsn()')}
  THEN pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()) END`;

/** undefined of a standby. A platform that does not tell of its WAL may answer with an error. */
async function timelineOf(client: pg.Client): Promise<Timeline | undefined> {
  const read = async (...more: readonly string[]): Promise<readonly unknown[]> =>
    (await query(client, `SELECT ${[IN_RECOVERY, ...more].join(', ')}`))[0]?.[0] ?? [];
  try {
    const [inRecovery, file, system] = await read(WAL_FILE, IDENTIFIER).catch(() => read());
    if (inRecovery !== false) return undefined;
    return typeof file === 'string' && typeof system === 'string' ? { system, number: Number.parseInt(file.slice(0, 8), 16) } : { system: null, number: 0 };
  } catch (error) {
    client.end().catch(() => undefined);
    throw notOpened(error);
  }
}
