// snapshot: everything that a plan needs of the server, in one file. Nothing is written on the server.
import { oneLine } from '../document/show.ts';
import { createConnections } from '../postgres/connection.ts';
import { whyNot } from '../postgres/outage-of.ts';
import { SnapshotError } from '../snapshot/format.ts';
import { writeOwnFile } from '../state/own-file.ts';
import { createMemory } from '../steward/memory.ts';
import { serverOf } from '../steward/server.ts';
import { type Taken, takeSnapshot } from '../steward/take-snapshot.ts';
import type { Config } from '../config.ts';
import { version } from './help.ts';
import { refuseOddFile, whyNotWritten } from './out-file.ts';
import { withProgress } from './progress.ts';
import { settingsFrom } from './settings.ts';
import { type Given, type Program, say, UsageError } from './verb.ts';

/** Takes one. @returns the exit code. @throws UsageError */
export async function snapshot(given: Given, self: Program): Promise<number> {
  const config = settingsFrom(given, self);
  const [file, ...rest] = given.operands.filter((operand) => operand !== '-');
  if (rest.length > 0) throw new UsageError('a snapshot goes to one FILE, or to standard output');
  const warn = (message: string): Promise<void> => say(self.stderr, `pgsteward: ${oneLine(message)}\n`);
  if (file !== undefined) await refuseOddFile(file, 'without FILE a snapshot goes to standard output');
  const taken = await withProgress(self.stderr, 'reading the server', () => take(config, warn));
  for (const [database, reason] of taken.lacking)
    await warn(`database ${database} is not in the snapshot as a whole, and a plan that needs the rest says so: ${reason}`);
  if (file === undefined) await say(self.stdout, taken.text);
  else await write(file, taken.text);
  await warn(`a snapshot with ${taken.roles} role(s) and ${taken.databases} database(s), ${(taken.text.length / 1_048_576).toFixed(1)} MiB`);
  return 0;
}

async function take(config: Config, warn: (message: string) => Promise<void>): Promise<Taken> {
  const connections = createConnections(config.server, () => undefined);
  try {
    const server = serverOf(config, connections);
    const memory = createMemory({ file: config.stateFile, server, warn: (message) => void warn(message) });
    const { host, port } = config.server;
    return await takeSnapshot(server, memory, { takenBy: version(), host, port });
  } catch (error) {
    throw new UsageError(oneLine(error instanceof SnapshotError ? `there is no snapshot: ${error.message}` : whyNot(error).message));
  } finally {
    await connections.close();
  }
}

/** For our account alone: names, privileges and what is ours are nobody else's. */
async function write(file: string, text: string): Promise<void> {
  try {
    await writeOwnFile(file, text);
  } catch (error) {
    throw new UsageError(`${oneLine(file)} cannot be written: ${whyNotWritten(error)}`);
  }
}
