// What a verb of the program is, and what it is given.
import type { EventEmitter } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import type { Config } from '../config.ts';
import type { ServerDocuments } from '../fleet/documents-of.ts';

/** An option of a verb. */
export interface VerbOption {
  readonly type: 'string' | 'boolean';
  /** Its one letter. */
  readonly short?: string;
  /** What its value is called in the help. */
  readonly value?: string;
  /** What its value may be; the first is the default. */
  readonly choices?: readonly string[];
  readonly summary: string;
}

export type VerbOptions = Readonly<Record<string, VerbOption>>;

/** What stands behind a verb. */
export interface Given {
  readonly options: ReadonlyMap<string, string | true>;
  readonly operands: readonly string[];
}

/** The one server of several that is meant. */
export interface Chosen {
  readonly config: Config;
  /** Where its documents and Secrets are. */
  readonly documents: (warn: (message: string) => void) => ServerDocuments;
}

/** What a verb may know of the process; its events are signals. */
export interface Program extends Pick<EventEmitter, 'on' | 'once'> {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** undefined: the one of the environment. */
  readonly chosen?: Chosen;
}

export interface Verb {
  readonly name: string;
  /** One line. */
  readonly summary: string;
  /** What stands behind the options, as `FILE…`; undefined where nothing may. */
  readonly operands?: string;
  /** What that may be, where it is one of a few words. */
  readonly words?: readonly string[];
  readonly options: VerbOptions;
  /** What else is to be said, a line each. */
  readonly details: readonly string[];
  /** A command line that works in a checkout. */
  readonly example: string;
  /** Does it. @returns the exit code. @throws UsageError */
  readonly run: (given: Given, self: Program) => Promise<number>;
}

/** Something that was asked for in a way that means nothing: said in one line, with exit code 1. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Writes a text and waits until it is on its way; nobody may be there to read it any more. */
export async function say(stream: Writable, text: string): Promise<void> {
  stream.on('error', () => undefined);
  await new Promise<void>((done) => void stream.write(text, () => done()));
}
