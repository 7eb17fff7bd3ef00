// What the program says of itself.
import about from '../../package.json' with { type: 'json' };
import type { Verb, VerbOption, VerbOptions } from './verb.ts';

/** Options that stand without a verb. */
export const PROGRAM_OPTIONS: VerbOptions = {
  help: { type: 'boolean', short: 'h', summary: 'this text; behind a verb, what the verb does' },
  version: { type: 'boolean', summary: 'the version' },
};

/** Options of every verb. */
export const VERB_OPTIONS: VerbOptions = { help: { type: 'boolean', short: 'h', summary: 'this text' } };

type Row = readonly [string, string];
type Bold = (text: string) => string;

/** `pgsteward --help` */
export const helpOfProgram = (verbs: readonly Verb[], bold: Bold): string =>
  lines([
    'pgsteward keeps the users, roles, memberships and privileges of PostgreSQL as a Kubernetes ConfigMap declares them.',
    '',
    `${bold('Usage:')} pgsteward [VERB] [OPTION…]`,
    '',
    bold('Verbs:'),
    ...table(verbs.map(({ name, summary }): Row => [name, summary])),
    '',
    bold('Options:'),
    ...table(Object.entries(PROGRAM_OPTIONS).map(rowOf)),
    '',
    'pgsteward VERB --help says more. Exit code 0: done; 1: an error; some verbs have more.',
  ]);

/** `pgsteward VERB --help` */
export const helpOfVerb = ({ name, summary, operands, options, details, example }: Verb, bold: Bold): string =>
  lines([
    `pgsteward ${name}: ${summary}`,
    '',
    `${bold('Usage:')} ${['pgsteward', name, ...(Object.keys(options).length > 0 ? ['[OPTION…]'] : []), ...(operands === undefined ? [] : [operands])].join(' ')}`,
    '',
    ...details,
    '',
    bold('Options:'),
    ...table(Object.entries({ ...options, ...VERB_OPTIONS }).map(rowOf)),
    '',
    `${bold('Example:')} ${example}`,
  ]);

/** The version of this program, as package.json has it. */
export const version = (): string => about.version;

const lines = (all: readonly string[]): string => `${all.join('\n')}\n`;

const rowOf = ([name, { short, value, summary, choices }]: [string, VerbOption]): Row => [
  `${short === undefined ? '' : `-${short}, `}--${name}${value === undefined ? '' : ` ${value}`}`,
  choices === undefined ? summary : `${summary}: ${choices.join(', ')} (${choices[0]} where it is left out)`,
];

function table(rows: readonly Row[]): readonly string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}
