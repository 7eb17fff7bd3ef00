// discover: entries of servers.yaml for what Secrets lead to, for people to commit. Nothing is connected to, and nothing is kept that nobody declared.
import { oneLine } from '../document/show.ts';
import { yamlOf } from '../document/write-yaml.ts';
import { SourceError } from '../model/source-error.ts';
import { discoveredIn } from '../plan/secrets/discovered.ts';
import { settingsFrom } from './settings.ts';
import { createSource } from './source.ts';
import { type Given, type Program, say, UsageError } from './verb.ts';

/** Prints them. @returns 0; 2 where there are none. @throws UsageError where the Secrets cannot be read. */
export async function discover(given: Given, self: Program): Promise<number> {
  const config = settingsFrom(given, self);
  const warn = (message: string): Promise<void> => say(self.stderr, `pgsteward: ${oneLine(message)}\n`);
  const ports = await createSource(config, (message) => void warn(message));
  try {
    const found = discoveredIn(await ports.ownSecrets.logins(AbortSignal.timeout(60_000)), config.source.namespace);
    await say(self.stdout, found.length === 0 ? 'servers: []\n' : yamlOf(new Map([['servers', found.map(({ entry }) => entry)]])));
    for (const remark of found.flatMap(({ remarks }) => remarks)) await warn(remark);
    if (found.length === 0) await warn(`no Secret of namespace ${config.source.namespace} that leads to a server was found`);
    return found.length === 0 ? 2 : 0;
  } catch (error) {
    throw error instanceof SourceError ? new UsageError(`the Secrets cannot be read: ${oneLine(error.message)}`) : error;
  } finally {
    await ports.close();
  }
}
