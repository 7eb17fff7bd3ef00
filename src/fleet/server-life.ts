// The life of one declared server: a steward of its own, begun anew where its entry changes or its Secret means another login, until it is let go.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config, FleetSettings } from '../config.ts';
import type { ServerEntry } from '../model/fleet.ts';
import type { Log } from '../observe/log.ts';
import type { LogOutput } from '../observe/log-output.ts';
import { describeFailure } from '../postgres/failures.ts';
import { createWake, type Wake } from '../steward/loop.ts';
import { createSecretLogin, identityNow } from '../steward/secret-login.ts';
import { goingFirst } from '../async/in-turns.ts';
import type { Lanes } from '../async/lanes.ts';
import type { Replicas } from '../steward/replicas.ts';
import { documentsOf } from './documents-of.ts';
import type { FleetSource } from './fleet-source.ts';
import type { KeptTogether } from './kept-together.ts';
import { serverConfig } from './server-config.ts';
import { createSteward } from './steward.ts';
import { createView, type View } from './view.ts';

/** What is not done by then when a steward ends is left to the server, which rolls it back. */
const END_MS = 8000;
/** Between the end of a steward and the next one, also where one fails at once. */
const PAUSE_MS = 1000;
const FAILED_MS = 15_000;

export interface ServerLife {
  readonly view: View;
  readonly wake: Wake;
  readonly entry: ServerEntry;
  /** Its entry says something else now. */
  change(entry: ServerEntry): void;
  /** Lets it go: its lock is released, and nothing on it is changed. */
  end(): Promise<void>;
}

export interface ServerLifeOptions {
  readonly config: Config;
  readonly fleet: FleetSettings;
  readonly source: FleetSource;
  readonly log: Log;
  readonly output: LogOutput;
  readonly lanes: Lanes;
  /** For servers with much in them, of which few are worked on at once. */
  readonly largeLanes: Lanes;
  readonly kept: KeptTogether;
  readonly replicas: Replicas | undefined;
  /** Secrets of all servers, which no document may name. */
  readonly reserved: () => ReadonlySet<string>;
}

export function startServer(first: ServerEntry, options: ServerLifeOptions): ServerLife {
  const ended = new AbortController();
  const wake = createWake();
  const log = options.log.child({ server: first.name });
  let entry = first;
  let round = new AbortController();
  const view = createView(
    {
      get source() {
        return entry.documents.map(({ name }) => name).join(', ');
      },
      get dryRun() {
        return entry.policy.dryRun ?? options.config.dryRun;
      },
      get interval() {
        return entry.policy.syncInterval ?? options.config.interval;
      },
      log,
    },
    () => options.replicas?.live().length ?? 1,
  );

  const live = async (): Promise<void> => {
    while (!ended.signal.aborted) {
      round = new AbortController();
      const stop = AbortSignal.any([ended.signal, round.signal]);
      let pause = PAUSE_MS;
      try {
        await term(entry, view, wake, options, stop, () => round.abort());
      } catch (error) {
        if (!stop.aborted) {
          pause = FAILED_MS;
          log.error(`the server is begun anew: ${describeFailure(error)}`);
        }
      }
      await sleep(pause, undefined, { signal: ended.signal }).catch(() => undefined);
    }
  };
  const life = live();
  return {
    view,
    wake,
    get entry() {
      return entry;
    },
    change: (next) => {
      entry = next;
      round.abort();
    },
    end: async () => {
      ended.abort();
      await life;
    },
  };
}

/** One steward, until the signal aborts and it has ended. @throws what keeps it from going on. */
async function term(
  entry: ServerEntry,
  view: View,
  wake: Wake,
  { fleet, source, output, lanes, largeLanes, kept, replicas, reserved }: ServerLifeOptions,
  stop: AbortSignal,
  onOther: () => void,
): Promise<void> {
  const secrets = source.ports.ownSecrets;
  const identity = await identityNow(entry, secrets);
  if (stop.aborted) return;
  const config = serverConfig(fleet, entry, identity, secrets, reserved);
  if (config.adminRotation.isOn && source.ports.secretStore === undefined)
    view.log.error('`adminRotation: on` in its policy needs SOURCE=kubernetes: nothing else can be written to, and the password of the admin stays as it is');
  const { ports, many } = documentsOf(entry, config, source, (message) => view.log.warn(message));
  const login = createSecretLogin(entry, identity, secrets, onOther);
  const steward = createSteward({
    name: entry.name,
    config,
    ports,
    many,
    view,
    output,
    wake,
    login,
    precedence: replicas?.of(entry.name),
    onKept: (rows, release) => kept.note(entry.name, rows, release),
    inTurn: (work, signal) =>
      kept.isLarge(entry.name) ? largeLanes.inTurn(() => lanes.inTurn(work, signal), signal) : lanes.inTurn(() => goingFirst(work), signal),
  });
  const deadline = new Promise<void>((resolve) => stop.addEventListener('abort', () => setTimeout(resolve, END_MS).unref(), { once: true }));
  try {
    await Promise.race([steward.run(stop), deadline]);
  } finally {
    view.status.setRole('starting');
    view.metrics.setWriter(false);
    kept.gone(entry.name);
    await Promise.race([steward.close(), sleep(1000, undefined, { ref: false })]);
  }
}
