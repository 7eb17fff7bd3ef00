// validate: everything that can be said of documents without a server.
import { styleText } from 'node:util';
import { aside, TooCostly } from '../async/aside.ts';
import { ConfigError, operatorGuardrails } from '../config.ts';
import { contradictionsOf } from '../guard/contradictions.ts';
import type { Problem } from '../model/entries.ts';
import type { Guardrail } from '../model/guardrails.ts';
import type { FoundDocuments, InputFile } from '../document/found-documents.ts';
import { MANIFEST_LIMITS } from '../document/manifests.ts';
import { unreadableDocument } from '../document/parse.ts';
import { readInputs } from './inputs.ts';
import { type Given, type Program, say, UsageError } from './verb.ts';
import { asGithub, asJson, asText, isRefused, type Paint } from './verdict.ts';

const COLOURS = { error: 'red', warning: 'yellow' } as const;

/** Says what is wrong with the files. @returns 1 where anything is, but for warnings, and 3 where that is only what guardrails forbid. @throws UsageError without a file. */
export async function validate({ options, operands }: Given, { stdin, stdout, env }: Program): Promise<number> {
  const paths = [...new Set(operands)];
  if (paths.length === 0) throw new UsageError('validate needs a file, or - for standard input; pgsteward validate --help says more');
  if (paths.length > MANIFEST_LIMITS.files) throw new UsageError(`validate takes ${MANIFEST_LIMITS.files} files at most`);
  const operator = guardrailsOf(env);
  const document = await found(await readInputs(paths, stdin));
  const apart = document.apart ?? [{ document: document.document, guardrails: [] }];
  const contradictions = apart.flatMap((one) => contradictionsOf(one.document, [...one.guardrails, ...operator], env['DB_NAME'] || undefined));
  const verdict = withProblems(document, contradictions);
  await say(
    stdout,
    render(verdict, options.get('output'), (severity, line) => styleText(COLOURS[severity], line, { stream: stdout })),
  );
  if (isRefused(document)) return 1;
  return contradictions.some(({ severity }) => severity === 'error') ? 3 : 0;
}

/** @throws UsageError where the operator's file cannot be used. */
function guardrailsOf(env: Program['env']): readonly Guardrail[] {
  try {
    return operatorGuardrails(env['GUARDRAILS_FILE']);
  } catch (error) {
    throw error instanceof ConfigError ? new UsageError(error.message) : error;
  }
}

const withProblems = (found: FoundDocuments, more: readonly Problem[]): FoundDocuments =>
  more.length === 0 ? found : { ...found, document: { ...found.document, problems: [...found.document.problems, ...more] } };

/** In a thread of its own where there is much: in a pod the daemon needs the memory, and nothing that others wrote may take it. */
async function found(files: readonly InputFile[]): Promise<FoundDocuments> {
  const bytes = files.reduce((sum, { read }) => sum + (read.message === undefined ? read.bytes.length : 0), 0);
  try {
    return await aside('documents', bytes, [files], new AbortController().signal);
  } catch (error) {
    if (!(error instanceof TooCostly)) throw error;
    const message = files.length === 1 ? error.message : `all files together: ${error.message}`;
    return { document: unreadableDocument(files[0]?.path ?? '', message), count: 0, within: new Map() };
  }
}

function render(verdict: FoundDocuments, format: string | true | undefined, paint: Paint): string {
  if (format === 'json') return asJson(verdict);
  return format === 'github' ? asGithub(verdict) : asText(verdict, paint);
}
