// Arguments → what is asked for. What is not known is refused, with a suggestion. Values are not repeated, as one may be a secret.
import { parseArgs } from 'node:util';
import { oneLine } from '../document/show.ts';
import { suggest } from '../document/suggest.ts';
import { PROGRAM_OPTIONS, VERB_OPTIONS } from './help.ts';
import { type Given, UsageError, type Verb, type VerbOption, type VerbOptions } from './verb.ts';

/** A verb to be run, or a text to be shown: of a verb or, where none is named, of the program. */
export type Asked =
  | { readonly kind: 'run'; readonly verb: Verb; readonly given: Given }
  | { readonly kind: 'help'; readonly verb: Verb | undefined }
  | { readonly kind: 'version' };

/**
 * @param byDefault what no verb means.
 * @throws UsageError naming what is not known: somebody who writes `--dry-run` must not get a daemon that writes.
 */
export function readArguments(args: readonly string[], verbs: readonly Verb[], byDefault: Verb): Asked {
  const [first, ...rest] = args;
  if (first === undefined || first.startsWith('-')) return withoutVerb(args, byDefault);
  const verb = verbs.find(({ name }) => name === first);
  if (verb === undefined) throw new UsageError(unknownVerb(first, verbs));
  const given = read(rest, verb, { ...verb.options, ...VERB_OPTIONS });
  return given.options.has('help') ? { kind: 'help', verb } : { kind: 'run', verb, given };
}

function withoutVerb(args: readonly string[], byDefault: Verb): Asked {
  const given = read(args, byDefault, PROGRAM_OPTIONS);
  if (given.options.has('help')) return { kind: 'help', verb: undefined };
  return given.options.has('version') ? { kind: 'version' } : { kind: 'run', verb: byDefault, given };
}

/** Only a word that is nearly a verb is repeated: another one may be anything. */
function unknownVerb(word: string, verbs: readonly Verb[]): string {
  const names = verbs.map(({ name }) => name);
  const meant = suggest(word, [...names, '--help', '--version']);
  return meant === undefined
    ? `the first argument is no verb; there are ${names.join(', ')}, and pgsteward --help says more`
    : `there is no verb ${oneLine(word)}; did you mean ${meant}?`;
}

/** Options and operands of a verb. */
function read(args: readonly string[], verb: Verb, options: VerbOptions): Given {
  const { tokens } = parseArgs({ args: [...args], options: optionsFor(options), strict: false, allowPositionals: true, tokens: true });
  const unknown = tokens.filter((token) => token.kind === 'option' && options[token.name] === undefined);
  const operands = tokens.flatMap((token) => (token.kind === 'positional' ? [token.value] : []));
  const tooMany = verb.operands === undefined ? operands.length : 0;
  if (unknown.length > 0 || tooMany > 0) {
    // Letters that stand together are one argument: those behind the first may be its value.
    const first = unknown.filter(({ index }, at) => unknown[at - 1]?.index !== index);
    throw new UsageError(
      unknownArguments(
        verb,
        options,
        first.map((token) => (token.kind === 'option' ? token.rawName : '')),
        tooMany,
      ),
    );
  }
  const given = new Map<string, string | true>();
  for (const token of tokens) if (token.kind === 'option') given.set(token.name, valueOf(token.rawName, token.value, options[token.name]));
  return { options: given, operands };
}

const optionsFor = (options: VerbOptions): Record<string, { readonly type: VerbOption['type']; readonly short?: string }> =>
  Object.fromEntries(Object.entries(options).map(([name, { type, short }]) => [name, short === undefined ? { type } : { type, short }]));

/** @throws UsageError where the value is none of those that there are. */
function valueOf(rawName: string, value: string | undefined, option: VerbOption | undefined): string | true {
  if (option?.type !== 'string') {
    if (value !== undefined) throw new UsageError(`${rawName} takes no value`);
    return true;
  }
  const { choices } = option;
  if (value === undefined || choices?.includes(value) === false)
    throw new UsageError(`${rawName} needs a value${choices === undefined ? '' : `: ${choices.join(', ')}`}`);
  return value;
}

/** So many are named, each with so many characters. */
const [NAMED, LONGEST] = [10, 100];

function unknownArguments(verb: Verb, options: VerbOptions, rawNames: readonly string[], words: number): string {
  const named = rawNames.slice(0, NAMED).map((name) => oneLine(name.slice(0, LONGEST)));
  const what = [...(named.length === 0 ? [] : [named.join(' ')]), ...(words === 0 ? [] : [`${words} word(s) that are no option`])].join(' and ');
  const known = Object.keys(options).map((name) => `--${name}`);
  const meant = rawNames.flatMap((name) => (name.startsWith('--') ? (suggest(name, known) ?? []) : []));
  const advice =
    verb.name === 'run' ? 'every setting is a variable of the environment, as DRY_RUN=true for a dry run' : `pgsteward ${verb.name} --help says what there is`;
  return `unknown argument(s): ${what}; ${meant.length > 0 ? `did you mean ${[...new Set(meant)].join(', ')}? ` : ''}${advice}`;
}
