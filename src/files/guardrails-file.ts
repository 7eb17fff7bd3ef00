// The operator's guardrails: a file that is looked at again and again. One that cannot be read, or is wrong somewhere, protects nothing: as the process starts, nothing starts with
// it; later, what was read last stays in force.
import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { formatProblem } from '../document/format.ts';
import { readGuardrails } from '../document/guardrails.ts';
import { mismatch } from '../document/issues.ts';
import { repeatedKeys, unknownKeys } from '../document/keys.ts';
import { linesOf } from '../document/lines.ts';
import { load } from '../document/load.ts';
import { ProblemReport } from '../document/problem-report.ts';
import { oneLine } from '../document/show.ts';
import { decode } from '../document/text.ts';
import { valueOf } from '../document/tree.ts';
import type { Guardrail } from '../model/guardrails.ts';
import { LIMITS } from '../model/limits.ts';
import { readOpen } from './bounded-file.ts';

/** So many problems are said. */
const SHOWN = 10;

/** Why the file is not used. */
export class GuardrailsFileError extends Error {
  override readonly name = 'GuardrailsFileError';
}

/** What is in force. */
export interface GuardrailsReading {
  readonly guardrails: readonly Guardrail[];
  /** Equal while the file says the same. */
  readonly version: string;
  /** Why the file is not used as it is by now. */
  readonly problem: string | undefined;
}

/** The file over the life of the process, for all who go by it. */
export interface GuardrailsFile {
  readonly last: GuardrailsReading;
  /** Reads it where it is another one. */
  look(): GuardrailsReading;
}

/** @param path undefined for none. @throws GuardrailsFileError saying what is wrong with it. */
export function createGuardrailsFile(path: string | undefined): GuardrailsFile {
  if (path === undefined) {
    const none = { guardrails: [], version: '', problem: undefined };
    return { last: none, look: () => none };
  }
  const first = read(path);
  let last: GuardrailsReading = { guardrails: guardrailsOf(first, path), version: digestOf(first), problem: undefined };
  let seen = last.version;
  return {
    get last() {
      return last;
    },
    look: () => {
      const { guardrails } = last;
      try {
        const bytes = read(path);
        const digest = digestOf(bytes);
        if (digest !== seen || last.problem !== undefined) last = { guardrails: guardrailsOf(bytes, path), version: digest, problem: undefined };
        seen = digest;
      } catch (error) {
        if (!(error instanceof GuardrailsFileError)) throw error;
        seen = '';
        last = { guardrails, version: `not used: ${error.message}`, problem: error.message };
      }
      return last;
    },
  };
}

const digestOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** The guardrails of a file. @throws GuardrailsFileError saying what is wrong with it. */
export const readGuardrailsFile = (path: string): readonly Guardrail[] => guardrailsOf(read(path), path);

function guardrailsOf(bytes: Buffer, path: string): readonly Guardrail[] {
  const { text, message } = decode(bytes);
  if (message !== undefined) throw new GuardrailsFileError(message.replace('the document', 'it'));
  const report = new ProblemReport(linesOf(text, path));
  const { root, faults = [] } = load(text);
  if (root === undefined) for (const fault of faults) report.add({ ...fault, path: [] });
  else if (root.kind !== 'mapping' || valueOf(root, 'guardrails') === undefined)
    report.add({ offset: root.offset, path: [], message: mismatch('a mapping with a list `guardrails`', root) });
  else {
    for (const problem of [
      ...unknownKeys(root, [], ['guardrails']),
      ...repeatedKeys({ ...root, pairs: root.pairs.map((pair) => ({ ...pair, value: NOTHING })) }, []),
    ])
      report.add(problem);
    const guardrails = readGuardrails(valueOf(root, 'guardrails'), 'operator', report);
    if (guardrails !== undefined && report.sorted().length === 0) return guardrails;
  }
  const problems = report.sorted().map((problem) => oneLine(formatProblem(problem)));
  throw new GuardrailsFileError([...problems.slice(0, SHOWN), ...(problems.length > SHOWN ? [`and ${problems.length - SHOWN} more`] : [])].join('; '));
}

const NOTHING = { kind: 'scalar', value: null, source: '', plain: true, offset: 0 } as const;

function read(path: string): Buffer {
  try {
    const file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0));
    try {
      if (!fstatSync(file).isFile()) throw new GuardrailsFileError('it is no regular file');
      return readOpen(file, LIMITS.documentBytes);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    if (error instanceof GuardrailsFileError) throw error;
    throw new GuardrailsFileError(`it cannot be read: ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}`);
  }
}
