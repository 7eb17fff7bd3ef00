// completion: a script for bash or zsh that completes verbs, options and their values; made from the table that the program itself reads.
import { PROGRAM_OPTIONS, VERB_OPTIONS } from './help.ts';
import { type Given, type Program, say, UsageError, type Verb, type VerbOption, type VerbOptions } from './verb.ts';

/** Prints the script. @returns 0 @throws UsageError where no shell is named. */
export async function completion({ operands }: Given, { stdout }: Program, verbs: readonly Verb[]): Promise<number> {
  const [shell] = operands;
  if (operands.length !== 1 || (shell !== 'bash' && shell !== 'zsh')) throw new UsageError('completion needs the name of a shell: bash, zsh');
  await say(stdout, shell === 'bash' ? bashScript(verbs) : zshScript(verbs));
  return 0;
}

/** A text as one word of a shell. */
const word = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

const optionsOf = (verb: Verb): VerbOptions => ({ ...verb.options, ...VERB_OPTIONS });

/** As they are written: `--output`, `-o`. */
const spellings = (name: string, { short }: VerbOption): readonly string[] => [`--${name}`, ...(short === undefined ? [] : [`-${short}`])];

const allSpellings = (options: VerbOptions): readonly string[] => Object.entries(options).flatMap(([name, option]) => spellings(name, option));

/** Where no word fits, bash completes names of files. */
function bashScript(verbs: readonly Verb[]): string {
  const cases = verbs.map((verb) => {
    const options = optionsOf(verb);
    const values = Object.entries(options).flatMap(([name, option]) =>
      option.type === 'string' ? [`        ${spellings(name, option).join('|')}) words=${word((option.choices ?? []).join(' '))} ;;`] : [],
    );
    const other = `        *) if [[ $current == -* ]]; then words=${word(allSpellings(options).join(' '))}; else words=${word((verb.words ?? []).join(' '))}; fi ;;`;
    return [`    ${verb.name})`, '      case $before in', ...values, other, '      esac', '      ;;'].join('\n');
  });
  return `# pgsteward: completion for bash. source <(pgsteward completion bash)
_pgsteward() {
  local current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} words=
  # An equals sign is a word of its own.
  if [[ $current == = ]]; then current=
  elif [[ $before == = ]]; then before=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    words=${word([...verbs.map(({ name }) => name), ...allSpellings(PROGRAM_OPTIONS)].join(' '))}
  else
    case \${COMP_WORDS[1]} in
${cases.join('\n')}
    esac
  fi
  local IFS=$' \\n'
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _pgsteward pgsteward
`;
}

/** What ends a part of what zsh is told of an option. */
const escaped = (text: string): string => text.replaceAll(/[\\:[\]]/g, (one) => `\\${one}`);

function zshOption(name: string, option: VerbOption): string {
  const value =
    option.type === 'string' ? `:${escaped(option.value ?? 'VALUE')}:${option.choices === undefined ? '_files' : `(${option.choices.join(' ')})`}` : '';
  const all = spellings(name, option);
  return all
    .map((spelling) => word(`(${all.join(' ')})${spelling}${value === '' || spelling.length === 2 ? '' : '='}[${escaped(option.summary)}]${value}`))
    .join(' ');
}

function zshScript(verbs: readonly Verb[]): string {
  const cases = verbs.map((verb) => {
    const { words = [] } = verb;
    const operands = verb.operands === undefined ? [] : [word(`*:${escaped(verb.operands)}:${words.length === 0 ? '_files' : `(${words.join(' ')})`}`)];
    const specs = [...Object.entries(optionsOf(verb)).map(([name, option]) => zshOption(name, option)), ...operands];
    return `    ${verb.name}) _arguments ${specs.join(' ')} ;;`;
  });
  return `#compdef pgsteward
# pgsteward: completion for zsh. source <(pgsteward completion zsh), or as the file _pgsteward in a folder of fpath
_pgsteward() {
  local -a verbs
  verbs=(${verbs.map(({ name, summary }) => word(`${name}:${escaped(summary)}`)).join(' ')})
  if ((CURRENT == 2)); then
    _describe -t verbs verb verbs
    _arguments ${Object.entries(PROGRAM_OPTIONS)
      .map(([name, option]) => zshOption(name, option))
      .join(' ')}
    return
  fi
  local verb=$words[2]
  shift words
  ((CURRENT -= 1))
  case $verb in
${cases.join('\n')}
  esac
}
if [[ $funcstack[1] == _pgsteward ]]; then _pgsteward "$@"; else compdef _pgsteward pgsteward; fi
`;
}
