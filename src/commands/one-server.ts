// --server: a verb asks one of the servers that are declared, as the daemon would: with its login, its documents and its policy.
import type { Config, FleetSettings } from '../config.ts';
import { formatProblem } from '../document/format.ts';
import { oneLine } from '../document/show.ts';
import { suggest } from '../document/suggest.ts';
import { createFleetReader, type FleetSource } from '../fleet/fleet-source.ts';
import { documentsOf } from '../fleet/documents-of.ts';
import { serverConfig } from '../fleet/server-config.ts';
import type { Fleet, ServerEntry } from '../model/fleet.ts';
import { readAdmin } from '../steward/secret-login.ts';
import { settingsFrom } from './settings.ts';
import { createFleetSource } from './source.ts';
import { type Chosen, type Given, type Program, say, UsageError, type Verb } from './verb.ts';

/** Options by which somebody names a server without a declaration. */
const ELSEWHERE = ['host', 'port', 'user', 'database'] as const;

export interface Declared {
  readonly fleet: Fleet;
  readonly settings: FleetSettings;
  readonly source: FleetSource;
}

/** Whether a verb asks a server at all. */
const asksServer = ({ options }: Verb): boolean => ELSEWHERE.every((option) => options[option] !== undefined);

/**
 * Runs a verb on the server that is meant.
 * @param onEach does it for all of them, where the verb can.
 * @throws UsageError where none is meant, or several are.
 */
export async function onServer(verb: Verb, given: Given, self: Program, onEach: (declared: Declared) => Promise<number>): Promise<number> {
  const name = given.options.get('server');
  if (!asksServer(verb) || (name === undefined && (self.env['SERVERS_CONFIGMAP'] ?? '') === '')) return verb.run(given, self);
  const elsewhere = ELSEWHERE.filter((option) => given.options.has(option)).map((option) => `--${option}`);
  if (name === undefined && (elsewhere.length > 0 || given.options.has('snapshot'))) return verb.run(given, self);
  if (elsewhere.length > 0) throw new UsageError(`--server and ${elsewhere.join(', ')} cannot both be meant`);
  const declared = await readDeclared(settingsFrom(given, self), self);
  try {
    if (typeof name === 'string') return await verb.run(given, { ...programOf(self), chosen: await chosenOf(entryNamed(name, declared), declared) });
    if (verb.name === 'who-can') return await onEach(declared);
    throw new UsageError(`SERVERS_CONFIGMAP declares several servers, and --server says which one is meant: ${namesOf(declared.fleet)}`);
  } finally {
    await Promise.all([declared.source.ports.close(), declared.source.close()]);
  }
}

/** What a verb may know of the process; signals go on as they were. */
export const programOf = (self: Program): Program => ({
  env: self.env,
  stdin: self.stdin,
  stdout: self.stdout,
  stderr: self.stderr,
  on: self.on.bind(self),
  once: self.once.bind(self),
});

/** @throws UsageError where servers.yaml cannot be read. */
async function readDeclared(config: Config, { stderr }: Program): Promise<Declared> {
  const settings = config.fleet;
  if (settings === undefined) throw new UsageError('--server names one of several servers, and SERVERS_CONFIGMAP, which declares them, is not set');
  const source = await createFleetSource(config, settings, (message) => void say(stderr, `pgsteward: ${oneLine(message)}\n`));
  const { fleet, failure } = await createFleetReader(source.ports)(new AbortController().signal);
  if (failure === undefined) return { fleet, settings, source };
  await Promise.all([source.ports.close(), source.close()]);
  throw new UsageError(`servers.yaml cannot be read: ${oneLine(failure)}`);
}

const namesOf = ({ servers }: Fleet): string => (servers.length === 0 ? 'none is valid' : servers.map(({ name }) => name).join(', '));

/** @throws UsageError where there is none of that name that can be used. */
function entryNamed(name: string, { fleet }: Declared): ServerEntry {
  const entry = fleet.servers.find((server) => server.name === name);
  if (entry !== undefined) return entry;
  const [problem] = fleet.problems;
  if (fleet.invalid.has(name))
    throw new UsageError(`the entry of the server ${name} is wrong: ${problem === undefined ? '' : oneLine(formatProblem(problem))}`);
  const meant = suggest(
    name,
    fleet.servers.map((server) => server.name),
  );
  throw new UsageError(`there is no server of that name; ${meant === undefined ? `there are: ${namesOf(fleet)}` : `did you mean ${meant}?`}`);
}

/** A server as it is declared, with the password that its Secret has now. @throws UsageError where that cannot be read. */
export async function chosenOf(entry: ServerEntry, { fleet, settings, source }: Declared): Promise<Chosen> {
  const secrets = source.ports.ownSecrets;
  const admin = await readAdmin(entry, secrets).catch((error: unknown) => {
    throw new UsageError(`server ${entry.name}: ${oneLine(error instanceof Error ? error.message : String(error))}`);
  });
  const asDeclared = serverConfig(settings, entry, admin.identity, secrets, () => fleet.reserved);
  const config = { ...asDeclared, server: { ...asDeclared.server, password: admin.passwords[0], passwordFile: undefined } };
  return { config, documents: (warn) => documentsOf(entry, config, source, warn) };
}
