// Inputs: the document and the Secrets of this cycle, with the last good document where today's cannot be used.
import pRetry from 'p-retry';
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Entity } from '../core/change.ts';
import { parseDocument } from '../core/document/parse.ts';
import { type Document, hasPassword, type Problem, type SecretRef } from '../core/document/types.ts';
import type { Requests } from '../sources/annotations.ts';
import { type DocumentReading, type SecretReading, type Source, SourceError, secretKey } from '../sources/source.ts';

export interface RetryOptions {
  readonly retries: number;
  /** Seconds grow by this factor. */
  readonly base: number;
}

export interface Inputs {
  /** What is in force; undefined until a first usable document was read. */
  readonly document: Document | undefined;
  /** Problems of the document as it is now, also of one that is not in force. */
  readonly problems: readonly Problem[];
  /** `namespace/name@version` of what is in force. */
  readonly why: string;
  readonly secrets: ReadonlyMap<string, SecretReading>;
  /** Why the source could not be read this time. */
  readonly failure: SourceError | undefined;
  /** What was asked for by hand; undefined until the ConfigMap could be read. */
  readonly requests: Requests | undefined;
  /** Which document it is whose entries are followed: its version, and the SHA-256 of its content. */
  readonly followed: { readonly version: string; readonly hash: string } | undefined;
  /** Users and roles that the document in force declares. */
  readonly declared: ReadonlyMap<string, Entity>;
  /** Equal for two cycles whose inputs are the same. */
  readonly version: string;
  /** The same for the document alone. */
  readonly documentVersion: string;
}

export interface InputReader {
  read(signal: AbortSignal): Promise<Inputs>;
  /** The same inputs with the Secrets as they are now. */
  readSecretsAgain(inputs: Inputs, signal: AbortSignal): Promise<Inputs>;
}

const NO_SECRETS: ReadonlyMap<string, SecretReading> = new Map();

/** A reader that remembers the last good document; one for the life of the process. */
export function createInputs(source: Source, retry: RetryOptions, defaultDatabase: string): InputReader {
  let inForce: Document | undefined;
  let inForceVersion = '';
  let parsed: { readonly version: string; readonly document: Document } | undefined;
  let why = '';
  let requests: Requests | undefined;
  let followed: Inputs['followed'];
  let declared: Inputs['declared'] = new Map();
  let refs: readonly SecretRef[] = [];
  let secretsVersion: { readonly of: ReadonlyMap<string, SecretReading>; readonly version: string } = { of: new Map(), version: '' };

  const read = async (signal: AbortSignal): Promise<Inputs> => {
    const reading = await readDocument(source, retry, signal);
    const failure = reading instanceof SourceError ? reading : undefined;
    requests = reading.requests ?? requests;
    if (!(reading instanceof SourceError)) {
      if (parsed?.version !== reading.version) {
        parsed = { version: reading.version, document: parseDocument(reading.content, reading.file, defaultDatabase) };
        inForce = merge(parsed.document, inForce);
        refs = wantedSecrets(inForce);
        inForceVersion = reading.version;
        why = `${reading.ref}@${reading.version}`;
        if (parsed.document.usable) followed = { version: reading.version, hash: createHash('sha256').update(reading.content).digest('hex') };
        declared = declaredIn(inForce);
      }
    }
    const problems = parsed?.document.problems ?? [];
    const secrets = await readSecrets(signal);
    // A source that cannot be read says nothing about who is gone.
    const document = failure === undefined || inForce === undefined ? inForce : { ...inForce, problems: [...inForce.problems, unreadable(failure)] };
    return { document, problems, why, secrets, failure, requests, followed, declared, version: versionNow(failure), documentVersion: inForceVersion };
  };

  return {
    read,
    readSecretsAgain: async (inputs, signal) => {
      const secrets = await readSecrets(signal);
      return { ...inputs, secrets, version: versionNow(inputs.failure) };
    },
  };

  async function readSecrets(signal: AbortSignal): Promise<ReadonlyMap<string, SecretReading>> {
    const secrets = refs.length === 0 ? NO_SECRETS : await source.readSecrets(refs, signal);
    // A source that answers with the same map says that no Secret changed.
    if (secretsVersion.of !== secrets) secretsVersion = { of: secrets, version: versionOf(secrets) };
    return secrets;
  }

  function versionNow(failure: SourceError | undefined): string {
    return [inForceVersion, failure?.message ?? '', secretsVersion.version].join('\n');
  }
}

const unreadable = (failure: SourceError): Problem => ({
  severity: 'error',
  file: 'users.yaml',
  position: { line: 1, column: 1 },
  path: '',
  message: failure.message,
});

/** What is valid of the new document, and for entries that are not, what they were; for one of no use, the last good one whole. */
function merge(document: Document, before: Document | undefined): Document | undefined {
  if (!document.usable) return before === undefined ? undefined : { ...before, problems: document.problems };
  const kept = (before?.users ?? []).filter((user) => document.invalid.has(user.username));
  const roles = (before?.roles ?? []).filter((role) => document.invalid.has(role.name));
  const databases = (before?.databases ?? []).filter((entry) => document.invalidDatabases.has(entry.name));
  return { ...document, users: [...document.users, ...kept], roles: [...document.roles, ...roles], databases: [...document.databases, ...databases] };
}

const declaredIn = (document: Document | undefined): Inputs['declared'] =>
  new Map([
    ...(document?.users ?? []).map(({ username }): [string, Entity] => [username, 'user']),
    ...(document?.roles ?? []).map(({ name }): [string, Entity] => [name, 'role']),
  ]);

function wantedSecrets(document: Document | undefined): SecretRef[] {
  const refs = new Map<string, SecretRef>();
  for (const user of document?.users ?? []) if (hasPassword(user)) refs.set(secretKey(user.secret), user.secret);
  return [...refs.values()];
}

/** Retried where the same request may succeed; a server's own Retry-After is waited for first. */
async function readDocument(source: Source, retry: RetryOptions, signal: AbortSignal): Promise<DocumentReading | SourceError> {
  try {
    return await pRetry(() => source.readDocument(signal), {
      retries: retry.retries,
      factor: retry.base,
      minTimeout: 250,
      maxTimeout: 10_000,
      randomize: true,
      signal,
      shouldRetry: ({ error }) => error instanceof SourceError && error.retryable,
      onFailedAttempt: async ({ error }) => {
        if (error instanceof SourceError && error.retryAfterMs !== undefined) await sleep(Math.min(error.retryAfterMs, 30_000), undefined, { signal });
      },
    });
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof SourceError) return error;
    throw error;
  }
}

const versionOf = (secrets: ReadonlyMap<string, SecretReading>): string =>
  [...secrets].map(([key, reading]) => `${key} ${reading.kind === 'value' ? reading.version : reading.detail}`).join('\n');
