// Inputs: the document of this cycle, with the last good one where today's cannot be used, and the Secrets that it names asked for.
import type { SecretPlace } from '../model/secret-place.ts';
import pRetry from 'p-retry';
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { databaseKey, type Entity } from '../changes/change.ts';
import { withConsent } from '../document/consent.ts';
import { startOf } from '../document/lines.ts';
import { type Document, hasPassword, type Problem, type SecretRef } from '../model/entries.ts';
import type { Origin } from '../model/provenance.ts';
import type { Requests } from '../model/requests.ts';
import { QUIET_MS } from '../async/patience.ts';
import { createDocumentParser } from './document-parser.ts';
import { SourceError, type SourceFailure } from '../model/source-error.ts';
import { type DocumentReading, type DocumentSource, secretKey, type SecretReader, type SecretsWanted } from '../sources/ports.ts';
import type { RetryOptions } from './retry.ts';

export interface Inputs {
  /** What is in force; undefined until a first usable document was read. */
  readonly document: Document | undefined;
  /** Problems of the document as it is now, also of one that is not in force. */
  readonly problems: readonly Problem[];
  /** `namespace/name@version` of what is in force; empty until there is anything. */
  readonly why: string;
  /** The same for entries of an earlier document, which stay as they were because they are wrong by now; databases by databaseKey. */
  readonly kept: ReadonlyMap<string, string>;
  /** Why the source could not be read this time. */
  readonly failure: SourceError | undefined;
  /** What was asked for by hand; undefined until the ConfigMap could be read. */
  readonly requests: Requests | undefined;
  /** Which document it is whose entries are followed: its version, and the SHA-256 of its content. */
  readonly followed: { readonly version: string; readonly hash: string } | undefined;
  /** Where the documents in force are from, by the file names of their entries. */
  readonly origins: ReadonlyMap<string, Origin>;
  /** Users and roles that the document in force declares. */
  readonly declared: ReadonlyMap<string, Entity>;
  /** Equal for two cycles whose document is the same, and what was said as it was read. */
  readonly version: string;
  /** The same for the document alone. */
  readonly documentVersion: string;
}

export interface InputReader {
  read(signal: AbortSignal): Promise<Inputs>;
  /** The document alone, for what is said while nothing can be done: Secrets are as they were known. */
  readDocument(signal: AbortSignal): Promise<Inputs>;
  /** Nothing that was read before is in force any longer: another instance may have followed a newer document in between. */
  forget(): void;
}

/** Who answers so for the document is not asked for anything else. */
const ABSENT: ReadonlySet<SourceFailure> = new Set(['timeout', 'unavailable']);
const NO_SECRETS: SecretsWanted = { refs: [], whole: [] };

export interface InputOptions {
  readonly documents: DocumentSource;
  readonly secrets: SecretReader;
  readonly retry: RetryOptions;
  readonly defaultDatabase: string;
  /** The Secrets that are wanted as a whole. */
  readonly places: (document: Document) => readonly SecretPlace[];
  /** For tests: a document that was edited is read as a whole as well. */
  readonly proves?: boolean | undefined;
}

/** A reader that remembers the last good document; one for the life of the process. */
export function createInputs({ documents, secrets, retry, defaultDatabase, places, proves }: InputOptions): InputReader {
  const parse = createDocumentParser(defaultDatabase, proves);
  let inForce: Document | undefined;
  let inForceVersion = '';
  let parsed: { readonly version: string; readonly file: string; readonly document: Document } | undefined;
  let why = '';
  let kept: Inputs['kept'] = new Map();
  let requests: Requests | undefined;
  let followed: Inputs['followed'];
  let origins: Inputs['origins'] = new Map();
  let declared: Inputs['declared'] = new Map();
  let wanted = NO_SECRETS;

  const read = async (signal: AbortSignal, withSecrets: boolean): Promise<Inputs> => {
    // What is in force goes on: the databases do not wait for an API server that does not answer.
    const reading = await readDocument(documents, retry, signal, followed === undefined ? undefined : AbortSignal.timeout(QUIET_MS));
    const failure = reading instanceof SourceError ? reading : undefined;
    requests = reading.requests ?? requests;
    if (!(reading instanceof SourceError)) {
      const latest = parsed?.version === reading.version ? parsed.document : (reading.document ?? (await parse(reading, signal)));
      if (parsed?.document !== latest) {
        parsed = { version: reading.version, file: reading.file, document: latest };
        if (parsed.document.usable) {
          kept = new Map([...(reading.whys ?? []), ...keptFrom(parsed.document, inForce, (key) => kept.get(key) ?? why)]);
          why = `${reading.ref}@${reading.version}`;
          origins = reading.origins ?? new Map([[reading.file, { ref: reading.ref, version: reading.version, ...reading.provenance }]]);
        }
        inForce = merge(parsed.document, inForce);
        wanted = { refs: refsIn(inForce), whole: inForce === undefined ? [] : places(inForce) };
        inForceVersion = reading.version;
        if (parsed.document.usable) followed = { version: reading.version, hash: createHash('sha256').update(reading.content).digest('hex') };
        declared = declaredIn(inForce);
      }
    }
    // What authors agree on shows only in what is in force.
    const problems = (inForce?.sources === undefined ? parsed?.document.problems : inForce.problems) ?? [];
    if (wanted.refs.length > 0) {
      secrets.want(wanted);
      if (withSecrets && (failure === undefined || !ABSENT.has(failure.reason))) await secrets.refresh(signal);
    }
    // A source that cannot be read says nothing about who is gone.
    const document =
      failure === undefined || inForce === undefined || parsed === undefined
        ? inForce
        : { ...inForce, problems: [...inForce.problems, unreadable(failure, parsed.file)] };
    const version = `${inForceVersion}\n${failure?.message ?? ''}`;
    return { document, problems, why, kept, failure, requests, followed, origins, declared, version, documentVersion: inForceVersion };
  };

  return {
    read: (signal) => read(signal, true),
    readDocument: (signal) => read(signal, false),
    forget: () => {
      documents.forget?.();
      [inForce, parsed, inForceVersion, why, kept, wanted] = [undefined, undefined, '', '', new Map(), NO_SECRETS];
    },
  };
}

const unreadable = ({ message }: SourceError, file: string): Problem => ({ severity: 'error', position: startOf(file), path: '', message });

/** What is valid of the new document, and for entries that are not, what they were; for one of no use, the last good one whole. */
function merge(document: Document, before: Document | undefined): Document | undefined {
  if (!document.usable) return before === undefined ? undefined : { ...before, problems: document.problems };
  const isKept = keptIn(document);
  // What another source said of a name is nothing that its new one keeps.
  const isIts = (name: string, { source }: { readonly source?: string | undefined }): boolean => document.sources?.claims.get(name) === source;
  const kept = (before?.users ?? []).filter((user) => isKept(user.username) && isIts(user.username, user));
  const roles = (before?.roles ?? []).filter((role) => isKept(role.name) && isIts(role.name, role));
  const databases = (before?.databases ?? []).filter((entry) => isKeptDatabase(document)(entry.name));
  const all = {
    ...document,
    users: withKept(document.users, kept),
    roles: withKept(document.roles, roles),
    databases: withKept(document.databases, databases),
  };
  return withConsent(all);
}

/** The very same list where nothing is kept: whoever compares it sees that. */
const withKept = <T>(list: readonly T[], kept: readonly T[]): readonly T[] => (kept.length === 0 ? list : [...list, ...kept]);

const isKeptDatabase =
  ({ invalidDatabases, sources }: Document) =>
  (name: string): boolean =>
    invalidDatabases.has(name) || sources?.keptDatabases.has(name) === true;

/** Whether an entry of before stays in force: that of the same name, and that of the name that a role had, are wrong now. */
function keptIn({ invalid, invalidRenames = new Map() }: Document): (name: string) => boolean {
  const former = new Set(invalidRenames.values());
  return (name) => invalid.has(name) || former.has(name);
}

/** The entries that such a merge keeps, each with the document that it is from. */
function keptFrom(document: Document, before: Document | undefined, origin: (key: string) => string): Inputs['kept'] {
  const keys = [
    ...[...(before?.users ?? []).map(({ username }) => username), ...(before?.roles ?? []).map(({ name }) => name)].filter(keptIn(document)),
    ...(before?.databases ?? []).flatMap(({ name }) => (isKeptDatabase(document)(name) ? [databaseKey(name)] : [])),
  ];
  return new Map(keys.map((key) => [key, origin(key)]));
}

const declaredIn = (document: Document | undefined): Inputs['declared'] =>
  new Map([
    ...(document?.users ?? []).map(({ username }): [string, Entity] => [username, 'user']),
    ...(document?.roles ?? []).map(({ name }): [string, Entity] => [name, 'role']),
  ]);

function refsIn(document: Document | undefined): SecretRef[] {
  const refs = new Map<string, SecretRef>();
  for (const user of document?.users ?? []) if (hasPassword(user)) refs.set(secretKey(user.secret), user.secret);
  return [...refs.values()];
}

/** Retried where the same request may succeed, until the patience is over; a server's own Retry-After is waited for first. */
async function readDocument(
  documents: DocumentSource,
  retry: RetryOptions,
  signal: AbortSignal,
  patience: AbortSignal | undefined,
): Promise<DocumentReading | SourceError> {
  const either = patience === undefined ? signal : AbortSignal.any([signal, patience]);
  let last: SourceError | undefined;
  try {
    return await pRetry(() => documents.read(signal, patience), {
      retries: retry.retries,
      factor: retry.base,
      minTimeout: 250,
      maxTimeout: 10_000,
      randomize: true,
      signal: either,
      shouldRetry: ({ error }) => error instanceof SourceError && error.retryable && !either.aborted,
      onFailedAttempt: async ({ error }) => {
        if (!(error instanceof SourceError)) return;
        last = error;
        if (error.retryAfterMs !== undefined) await sleep(Math.min(error.retryAfterMs, 30_000), undefined, { signal: either });
      },
    });
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof SourceError) return error;
    if (patience?.aborted !== true) throw error;
    return (
      last ?? new SourceError('timeout', `the document was not to be had within ${QUIET_MS / 1000} s; what was read before stays in force`, { retryable: true })
    );
  }
}
