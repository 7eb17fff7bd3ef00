// The output of a plan that was asked for.
import { styleText } from 'node:util';
import { oneLine } from '../document/show.ts';
import { asJson } from './plan-json.ts';
import { asMarkdown } from './plan-markdown.ts';
import type { ScriptPart } from './plan-script.ts';
import { asSql } from './plan-sql.ts';
import { asText, type PlanPaint } from './plan-text.ts';
import type { PlanView } from './plan-view.ts';
import type { Given, Program } from './verb.ts';

/** A plan with everything that an output needs. */
export interface ShownPlan {
  readonly view: PlanView;
  readonly script: readonly ScriptPart[];
}

/** A file takes names as they are. To a terminal some of their characters are commands. */
const forStream = (text: string, stdout: Program['stdout']): string =>
  'isTTY' in stdout && stdout.isTTY === true ? text.split('\n').map(oneLine).join('\n') : text;

export const COLOURS = { loss: 'red', gain: 'green', warning: 'yellow', heading: 'bold' } as const;

/** What an output says of a plan. */
export function rendered({ view, script }: ShownPlan, { options }: Pick<Given, 'options'>, { stdout }: Pick<Program, 'stdout'>): string {
  const isFull = options.has('full');
  const paint: PlanPaint = (meaning, line) => styleText(COLOURS[meaning], line, { stream: stdout });
  switch (options.get('output')) {
    case 'json':
      return asJson(view);
    case 'sql':
      return forStream(asSql(view, script), stdout);
    case 'markdown':
      return asMarkdown(view, isFull);
    default:
      return asText(view, paint, isFull);
  }
}
