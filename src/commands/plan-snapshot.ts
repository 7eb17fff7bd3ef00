// A plan against a snapshot: the file, its age, and the settings that go with it. Nothing is connected to.
import type { Config } from '../config.ts';
import { oneLine } from '../document/show.ts';
import { DAY_MS, durationMs } from '../model/duration.ts';
import { LIMITS } from '../model/limits.ts';
import { accessInSnapshot } from '../snapshot/access.ts';
import { readSnapshot, SnapshotError } from '../snapshot/format.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { snapshotPlace } from '../steward/snapshot-reader.ts';
import { readInput } from './inputs.ts';
import { SERVER_OPTIONS } from './options.ts';
import { ageWords } from './plan-words.ts';
import { type Given, type Program, UsageError } from './verb.ts';

/** A server is rarely as it was a day ago. */
const STALE_MS = DAY_MS;

/** The place to plan for that `--snapshot` names, with what is asked for and the settings as they then are; undefined where it names none. @throws UsageError */
export async function openSnapshot(given: Given, config: Config, { stdin }: Pick<Program, 'stdin'>, warn: (message: string) => void) {
  const file = given.options.get('snapshot');
  if (typeof file !== 'string') {
    if (given.options.has('snapshot-max-age')) throw new UsageError('--snapshot-max-age says how old a snapshot may be, and there is no --snapshot');
    return undefined;
  }
  refuseOthers(given, file);
  const snapshot = await readFile(file, stdin);
  const age = Date.now() - snapshot.catalog.server.now;
  const isStale = age > STALE_MS || age < -STALE_MS;
  refuseOld(given.options.get('snapshot-max-age'), age);
  if (isStale)
    warn(
      `the snapshot is of ${new Date(snapshot.catalog.server.now).toISOString()}, ${ageWords(age)}: much may be otherwise by now; take another one with pgsteward snapshot`,
    );
  if (!given.options.has('without-secrets')) warn('a snapshot has no passwords to compare Secrets with: they are left out, as with --without-secrets');
  const { host, port, adminDatabase } = snapshot;
  const settings = settingsOf(config, snapshot);
  return {
    given: { ...given, options: new Map([...given.options, ['without-secrets', true as const]]) },
    config: settings,
    open: {
      place: snapshotPlace(snapshot, settings.policy),
      access: () => Promise.resolve(accessInSnapshot(snapshot)),
      address: { host, port, adminDatabase, snapshot: { ageSeconds: Math.round(age / 1000), isStale } },
      close: async (): Promise<void> => undefined,
    },
    /** The document that each role of the ledger is of. */
    sources: new Map([...snapshot.catalog.managed].map(([name, { source }]) => [name, source])),
    /** What is thrown where no plan can be made of it: a name that no server has cannot be quoted, and what the error says of it is somebody's text. */
    refused: (error: unknown): unknown =>
      error instanceof RangeError || error instanceof SyntaxError
        ? unusable(file, 'it is broken, or somebody changed it: something in it has a name that no server gives')
        : error,
  };
}

/** Options that mean a server or Secrets to compare it with. */
function refuseOthers({ options }: Pick<Given, 'options'>, file: string): void {
  const others = [...Object.keys(SERVER_OPTIONS), 'secrets'].filter((name) => options.has(name)).map((name) => `--${name}`);
  if (others.length > 0)
    throw new UsageError(`--snapshot and ${others.join(', ')} cannot both be meant: a snapshot says which server it is of, and has no passwords`);
  if (options.has('out'))
    throw new UsageError('--snapshot and --out cannot both be meant: what is saved is for the server itself, and anybody may have written a snapshot');
  if (file === '-' && options.get('document') === '-') throw new UsageError('standard input cannot be both the snapshot and the document');
}

/** @throws UsageError where it is older than it may be. */
function refuseOld(most: string | true | undefined, age: number): void {
  if (typeof most !== 'string') return;
  const mostMs = durationMs(most);
  if (mostMs === undefined) throw new UsageError('--snapshot-max-age needs a duration, as 12h or 3d');
  if (age > mostMs) throw new UsageError(`the snapshot is ${ageWords(age)}, and --snapshot-max-age allows ${most}; take another one with pgsteward snapshot`);
}

const unusable = (file: string, why: string): UsageError => new UsageError(`the snapshot ${oneLine(file)} cannot be used: ${why}`);

async function readFile(file: string, stdin: Program['stdin']): Promise<Snapshot> {
  const read = await readInput(file, stdin, LIMITS.snapshotBytes);
  if (read.message !== undefined) throw unusable(file, read.message);
  try {
    return readSnapshot(read.bytes);
  } catch (error) {
    throw error instanceof SnapshotError ? unusable(file, error.message) : error;
  }
}

/** The settings of the environment, with what the snapshot knows better: whose server it is, and as whom it was read. */
function settingsOf(config: Config, { source, adminDatabase, defaultDatabase, host, port, catalog }: Snapshot): Config {
  const { law, removal } = config.policy;
  return {
    ...config,
    source: { ...config.source, id: source },
    server: { ...config.server, host, port, adminDatabase, user: catalog.server.admin },
    policy: { ...config.policy, defaultDatabase, law: { ...law, source, adminLogin: catalog.server.admin }, removal: { ...removal, source } },
  };
}
