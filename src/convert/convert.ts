// Files of another tool → a document, and what it could not say.
import { parseDocument } from '../document/parse.ts';
import { yamlOf } from '../document/write-yaml.ts';
import { fromCloudNativePg } from './cloudnativepg.ts';
import { createDraft, type Draft, type Remark } from './draft.ts';
import { fromLdap2pg } from './ldap2pg.ts';
import { fromMovetokube } from './movetokube.ts';
import { fromPgbedrock } from './pgbedrock.ts';
import { fromPgroles } from './pgroles.ts';
import { fromProviderSql } from './provider-sql.ts';
import { fromTerraform } from './terraform.ts';
import type { Context } from './tools.ts';
import { fromZalando } from './zalando.ts';

/** Each tool by its name: reads values of its files into the draft. @returns how much of its own was there. */
const TOOLS: Readonly<Record<string, (values: readonly unknown[], draft: Draft, context: Context) => number>> = {
  cloudnativepg: fromCloudNativePg,
  ldap2pg: fromLdap2pg,
  movetokube: fromMovetokube,
  pgbedrock: fromPgbedrock,
  pgroles: fromPgroles,
  'provider-sql': fromProviderSql,
  terraform: fromTerraform,
  zalando: fromZalando,
};

export const TOOL_NAMES: readonly string[] = Object.keys(TOOLS);

export interface Converted {
  readonly text: string;
  readonly remarks: readonly Remark[];
  /** What our own reader says of the text. */
  readonly problems: readonly string[];
}

/**
 * @param tool one of `TOOL_NAMES`.
 * @param values what the documents of the files say, as plain data.
 * @returns undefined where nothing of that tool stands there.
 */
export function convert(tool: string, values: readonly unknown[], context: Context): Converted | undefined {
  const draft = createDraft();
  if (TOOLS[tool]?.(values, draft, context) === 0) return undefined;
  const { document, remarks } = draft.written();
  const text = yamlOf(document);
  const { problems } = parseDocument(Buffer.from(text), 'users.yaml', context.database);
  return { text, remarks, problems: problems.map(({ position, message }) => `users.yaml:${position.line}:${position.column}: ${message}`) };
}
