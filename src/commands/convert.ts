// convert: files of another tool → a document on standard output; what it could not say, on standard error.
import { convert as convertFrom, TOOL_NAMES } from '../convert/convert.ts';
import { oneLine } from '../document/show.ts';
import { MANIFEST_LIMITS } from '../document/manifests.ts';
import { valuesOf } from '../convert/values.ts';
import { TooMuch } from '../convert/grants.ts';
import { readInputs } from './inputs.ts';
import { type Given, type Program, say, UsageError } from './verb.ts';

/** Prints the document. @returns 0; 2 where something could not be said. @throws UsageError for files that cannot be read or have nothing of the tool. */
export async function convert({ options, operands }: Given, { stdin, stdout, stderr }: Program): Promise<number> {
  const tool = options.get('from');
  if (typeof tool !== 'string' || !TOOL_NAMES.includes(tool)) throw new UsageError(`convert needs --from TOOL, which is one of ${TOOL_NAMES.join(', ')}`);
  if (operands.length === 0) throw new UsageError('convert needs a file, or - for standard input; pgsteward convert --help says more');
  if (operands.length > MANIFEST_LIMITS.files) throw new UsageError(`convert takes ${MANIFEST_LIMITS.files} files at most`);
  const files = await readInputs([...new Set(operands)], stdin);
  const values = files.flatMap(({ path, read }) => {
    const found = read.message === undefined ? valuesOf(read.bytes) : { error: read.message };
    if (found.error !== undefined) throw new UsageError(oneLine(`${path}: ${found.error}`));
    return found.values;
  });
  const database = options.get('database');
  const converted = converting(() => convertFrom(tool, values, { database: typeof database === 'string' ? database : undefined }));
  if (converted === undefined) throw new UsageError(`nothing of ${tool} stands in ${operands.length === 1 ? 'this file' : 'these files'}`);
  await say(stdout, converted.text);
  const lines = [
    ...converted.remarks.map(({ subject, message }) => `${subject}: ${message}`),
    ...converted.problems.map((problem) => `to be mended by hand: ${problem}`),
  ];
  await say(stderr, lines.map((line) => `${oneLine(line)}\n`).join(''));
  return lines.length === 0 ? 0 : 2;
}

function converting<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof TooMuch ? new UsageError(error.message) : error;
  }
}
