// The operator's guardrails: a file that is read once, as the process starts. One that cannot be read, or is wrong somewhere, protects nothing: then nothing starts.
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

/** The guardrails of a file. @throws GuardrailsFileError saying what is wrong with it. */
export function readGuardrailsFile(path: string): readonly Guardrail[] {
  const bytes = read(path);
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
