// What a plan is for: the documents and Secrets that options name, and where they name none, those of the configured source.
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { aside, serveNobodyElse, TooCostly } from '../async/aside.ts';
import type { Config } from '../config.ts';
import type { FoundDocuments } from '../document/found-documents.ts';
import { MANIFEST_LIMITS } from '../document/manifests.ts';
import { unreadableDocument } from '../document/parse.ts';
import { oneLine } from '../document/show.ts';
import type { ServerDocuments } from '../fleet/documents-of.ts';
import { defaultsIn } from '../model/connection-content.ts';
import { digestOf } from '../model/digest.ts';
import type { Document, Problem } from '../model/entries.ts';
import { createConnections } from '../postgres/connection.ts';
import { whyNot } from '../postgres/outage-of.ts';
import { readDirectorySecrets } from '../sources/directory.ts';
import type { Ports, SecretReader } from '../sources/ports.ts';
import { createInputs } from '../steward/inputs.ts';
import { gathered, type ManyDocuments } from '../steward/many-documents.ts';
import { createMemory } from '../steward/memory.ts';
import { createSecrets, type Secrets } from '../steward/secrets.ts';
import { serverOf } from '../steward/server.ts';
import { readInputs } from './inputs.ts';
import { createSource } from './source.ts';
import { type Given, type Program, UsageError } from './verb.ts';

type SecretPorts = Pick<Ports, 'secrets' | 'wholeSecrets' | 'secretStore'>;

export interface PlanInputs {
  /** For people. */
  readonly source: string;
  /** undefined where nothing of it can be used. */
  readonly document: Document | undefined;
  readonly problems: readonly Problem[];
  /** As of found documents. */
  readonly within: FoundDocuments['within'];
  /** A digest of the documents. */
  readonly version: string;
  /** Where they come from. */
  readonly ports: SecretPorts & Pick<Ports, 'documents'>;
  /** Where what `ports` reads is one document of several. */
  readonly many: ManyDocuments | undefined;
  readonly secrets: Secrets;
  readonly withSecrets: boolean;
  readonly close: () => Promise<void>;
}

/** Whoever asks for no Secret hears of none. */
const NO_SECRETS: SecretReader = {
  want: () => undefined,
  refresh: async () => undefined,
  valueOf: () => ({ kind: 'unreadable', detail: 'it was not read' }),
  version: () => '',
  forgetAll: () => undefined,
};

/** Reads them. @throws UsageError where they are not to be had. */
export async function readPlanInputs(
  given: Given,
  config: Config,
  { stdin, chosen }: Pick<Program, 'stdin' | 'chosen'>,
  warn: (message: string) => void,
): Promise<PlanInputs> {
  serveNobodyElse();
  const named = text(given, 'document');
  const folder = text(given, 'secrets');
  const withSecrets = !given.options.has('without-secrets');
  if (folder !== undefined && !withSecrets) throw new UsageError('--secrets and --without-secrets cannot both be meant');
  const signal = new AbortController().signal;
  const isConfigured = named === undefined || (withSecrets && folder === undefined);
  const opened = isConfigured ? await orRefused(openSource(config, chosen, warn), 'the source that SOURCE names') : undefined;
  const configured = opened?.ports;
  // The folder of a configured source is read together with its document.
  const from = withSecrets ? (folder ?? (named === undefined ? undefined : config.source.directory)) : undefined;
  const ports: SecretPorts =
    from === undefined
      ? withSecrets && configured !== undefined
        ? configured
        : { secrets: NO_SECRETS }
      : { secrets: await orRefused(readDirectorySecrets(from, config.source.namespace, signal), 'the Secrets') };
  const files = named === undefined ? undefined : await readFiles(named, stdin, config);
  const documents = files?.documents ?? (configured as Ports).documents;
  const many = files === undefined ? opened?.many : undefined;
  const secrets = createSecrets({
    ...ports,
    namespace: config.source.namespace,
    connection: defaultsIn(config.connectionSecrets, config.policy.defaultDatabase),
    sourceId: config.source.id,
  });
  const reading = (source: Ports['documents']): ReturnType<typeof readOnce> => readOnce(source, secrets, ports, config, signal);
  const read = await (many === undefined ? reading(documents) : withGathered(many, config, reading));
  return {
    ...read,
    source: named ?? descriptionOf((configured as Ports).description, many),
    within: files?.within ?? new Map(),
    ports: { ...ports, documents },
    many,
    secrets,
    withSecrets,
    close: async () => configured?.close(),
  };
}

/** What SOURCE names, or what the server that is meant has of it. */
const openSource = async (config: Config, chosen: Program['chosen'], warn: (message: string) => void): Promise<ServerDocuments> =>
  chosen?.documents(warn) ?? { ports: await createSource(config, warn), many: undefined };

const descriptionOf = (first: string, many: ManyDocuments | undefined): string =>
  [first, ...(many?.documents.slice(1).map(({ ref }) => `ConfigMap ${ref}`) ?? []), ...(many?.authors.map(({ name }) => `author ${name}`) ?? [])].join(', ');

/** Reads all documents as one, in a session of their own: whose roles are the server knows. @throws UsageError where it cannot be asked. */
async function withGathered<T>(many: ManyDocuments, config: Config, read: (documents: Ports['documents']) => Promise<T>): Promise<T> {
  const connections = createConnections(config.server, () => undefined);
  try {
    const server = serverOf(config, connections);
    return await read(gathered(many, server, createMemory({ file: config.stateFile, server, warn: () => undefined })));
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError(oneLine(whyNot(error).message));
  } finally {
    await connections.close();
  }
}

const text = ({ options }: Given, name: string): string | undefined => {
  const value = options.get(name);
  return typeof value === 'string' ? value : undefined;
};

/** @throws UsageError in place of what a source says. */
async function orRefused<T>(reading: Promise<T>, what: string): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new UsageError(`${what} cannot be read: ${message}; --document and --secrets name files, and --without-secrets does without Secrets`);
  }
}

/** @throws UsageError where there is no document. */
async function readOnce(
  documents: Ports['documents'],
  { places }: Secrets,
  { secrets }: SecretPorts,
  { retry, policy: { defaultDatabase } }: Config,
  signal: AbortSignal,
): Promise<Pick<PlanInputs, 'document' | 'problems' | 'version'>> {
  const { document, problems, failure, followed } = await createInputs({ documents, secrets, retry, defaultDatabase, places }).read(signal);
  if (failure !== undefined) throw new UsageError(`the document cannot be read: ${failure.message}`);
  return { document, problems, version: followed?.hash ?? '' };
}

/** Files as a source of one document; they are read once, also where it is asked for again. */
async function readFiles(path: string, stdin: Program['stdin'], config: Config): Promise<Pick<Ports, 'documents'> & Pick<PlanInputs, 'within'>> {
  const files = await readInputs(await filesOf(path), stdin);
  const bytes = files.flatMap(({ read }) => (read.message === undefined ? [read.bytes] : []));
  const size = bytes.reduce((sum, { length }) => sum + length, 0);
  const { document, within } = await aside('documents', size, [files, config.policy.defaultDatabase], new AbortController().signal).catch((error: unknown) => {
    if (!(error instanceof TooCostly)) throw error;
    return { document: unreadableDocument(path, error.message), within: new Map<string, string>() };
  });
  const content = Buffer.from(digestOf(bytes.map((one) => createHash('sha256').update(one).digest('hex'))));
  const reading = { version: content.toString(), ref: path, file: path, content, requests: { paused: false, reconcileAt: undefined }, document };
  return { documents: { read: () => Promise.resolve(reading) }, within };
}

/** A file as it is named; of a folder all that may hold manifests, those below it too. */
async function filesOf(path: string): Promise<readonly string[]> {
  let entries;
  try {
    entries = await readdir(path, { recursive: true, withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR' || path === '-') return [path];
    throw new UsageError(
      `the document ${path} cannot be read: ${(error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : 'permission denied'}`,
    );
  }
  const found = entries.filter((entry) => !entry.isDirectory() && /\.(ya?ml|json)$/.test(entry.name) && !entry.name.startsWith('.'));
  if (found.length === 0) throw new UsageError(`the folder ${path} has no file in YAML or JSON`);
  if (found.length > MANIFEST_LIMITS.files) throw new UsageError(`the folder ${path} has more than ${MANIFEST_LIMITS.files} files, which is all that is read`);
  return found.map((entry) => join(entry.parentPath, entry.name)).toSorted();
}
