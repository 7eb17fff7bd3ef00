// The Secrets that users name, read through the API server: those whose version changed where the Role allows a LIST, else not all in every cycle.
import type { SecretPlace } from '../model/secret-place.ts';
import type { KubeClient } from '../kubernetes/client.ts';
import { listVersions } from '../kubernetes/list-versions.ts';
import { PARALLEL } from '../kubernetes/session.ts';
import { sideBySide } from '../async/side-by-side.ts';
import { getSecret } from './kubernetes-secret-store.ts';
import { createPatience, type Patience, QUIET_MS } from '../async/patience.ts';
import type { SecretMemory } from './secret-memory.ts';
import { SourceError, type SourceFailure } from '../model/source-error.ts';
import type { SecretObject, SecretReader } from './ports.ts';

export interface SecretSweepOptions {
  /** `list` asks for the versions of all Secrets of the namespace at once, `get` for each by its name, `auto` lists where the Role allows it. */
  readonly secretAccess: 'auto' | 'get' | 'list';
  /** How many Secrets one cycle may read again by name. */
  readonly secretReadsPerCycle: number;
  /** Labels that users' Secrets have; undefined: all of the namespace are listed and watched. One without them is none of theirs. */
  readonly secretsSelector?: Labels | undefined;
}

type Labels = Readonly<Record<string, string>>;

/** As the API server takes it. */
export const selectorOf = (labels: Labels | undefined): { readonly labelSelector?: string } =>
  labels === undefined
    ? {}
    : {
        labelSelector: Object.entries(labels)
          .map(([key, value]) => `${key}=${value}`)
          .join(','),
      };

const fits = ({ labels }: SecretObject, selector: Labels): boolean => Object.entries(selector).every(([key, value]) => labels[key] === value);

export interface SecretSweeps extends Pick<SecretReader, 'refresh'> {
  /** Lets the next read try a LIST again, whatever it was told before. */
  mayList(): void;
}

/** What keeps us from a LIST, and not from asking for each by its name. */
const BY_NAME: ReadonlySet<SourceFailure> = new Set(['forbidden', 'malformed', 'expired']);
/** Whoever answers so for all of them may answer for each: where one Secret cannot be decrypted, or there are very many. The next cycle asks. */
const BY_NAME_NEXT: ReadonlySet<SourceFailure> = new Set(['timeout', 'unavailable']);
/** It is then tried again: the right may have been given since. */
const LIST_AGAIN_MS = 60_000;
/** Longer than this no Retry-After keeps us from asking. */
const MAX_WAIT_MS = 300_000;
/** What the databases wait for, at most: Secrets that are not read by then are read by the cycles that follow. */
const PATIENCE = { quiet: QUIET_MS, total: 10_000 };

/** Reads into the memory. One for the life of the process. */
export function createSecretSweeps(client: KubeClient, namespace: string, options: SecretSweepOptions, memory: SecretMemory): SecretSweeps {
  let listFrom = 0;
  let askFrom = 0;

  const waitAsAsked = (error: SourceError): void => void (askFrom = performance.now() + Math.min(error.retryAfterMs ?? 0, MAX_WAIT_MS));

  /** undefined where they are to be read by name. @throws SourceError where nothing is to be asked now. */
  const versionsNow = async (patience: Patience, signal: AbortSignal): Promise<ReadonlyMap<string, string> | undefined> => {
    if (options.secretAccess === 'get' || performance.now() < listFrom) return undefined;
    try {
      const { versions } = await listVersions(client, { verb: 'list', resource: 'secrets', namespace }, selectorOf(options.secretsSelector), signal, patience);
      return versions;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof SourceError) || options.secretAccess !== 'auto') throw error;
      const isNow = BY_NAME.has(error.reason);
      if (isNow || BY_NAME_NEXT.has(error.reason)) listFrom = performance.now() + LIST_AGAIN_MS;
      if (!isNow) throw error;
      return undefined;
    }
  };

  const readAll = async (places: readonly SecretPlace[], patience: Patience, signal: AbortSignal): Promise<void> => {
    let stopped = false;
    let hung = 0;
    await sideBySide(PARALLEL, places, async (place) => {
      if (stopped || patience.signal.aborted) return;
      try {
        const object = await getSecret(client, place, signal, patience.signal);
        const isTheirs = object === undefined || place.namespace !== namespace || fits(object, options.secretsSelector ?? {});
        memory.note(place, isTheirs ? object : undefined);
        patience.heard();
        hung = 0;
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof SourceError)) throw error;
        memory.fail(place, error);
        if (error.reason === 'throttled') waitAsAsked(error);
        if (error.reason === 'throttled' || error.reason === 'unauthorized') stopped = true;
        // One Secret may hang; a whole row of them means that the server does, and waiting for each would hold up the cycle for minutes.
        hung = error.reason === 'timeout' ? hung + 1 : 0;
        if (hung >= PARALLEL) stopped = true;
        if (error.reason !== 'timeout') patience.heard();
      }
    });
  };

  const sweep = async (signal: AbortSignal): Promise<void> => {
    const patience = createPatience(PATIENCE);
    try {
      const versions = await versionsNow(patience, signal);
      await readAll(memory.choose(options.secretReadsPerCycle, versions), patience, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof SourceError)) throw error;
      if (error.reason === 'throttled') waitAsAsked(error);
      memory.failAll(error);
    } finally {
      patience.end();
    }
  };

  return {
    refresh: async (signal) => {
      if (performance.now() >= askFrom) await sweep(signal);
    },
    mayList: () => {
      listFrom = 0;
    },
  };
}
