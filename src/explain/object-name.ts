// `function shop.public.f(int)` → what is meant, in one pass: names as SQL writes them, with a kind before them where it is no table.
import { kindWords, type ObjectKind } from '../model/kinds.ts';

/** An object as somebody names it. What does not apply to its kind is undefined. */
export interface ObjectReference {
  readonly kind: ObjectKind;
  readonly database: string | undefined;
  readonly schema?: string;
  /** A column's table. */
  readonly name: string;
  readonly column?: string;
  /** Types of a function's arguments, as they were written; undefined where none were. */
  readonly arguments?: readonly string[];
}

/** A name that means nothing: the message says what is wrong and what is expected. */
export class ObjectNameError extends Error {
  override readonly name = 'ObjectNameError';
}

/** Characters that are read; no name with three quoted parts and a hundred arguments is longer. */
const LONGEST = 16_384;

/** As it would have to be written, also where no name can be that long. */
export const written = (name: string): string => (/^[a-z_][a-z0-9_$]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`);

/** How each kind is written, and which parts its name has. */
interface Form {
  readonly kind: ObjectKind;
  readonly parts: readonly ('database' | 'schema' | 'name' | 'column')[];
  readonly example: string;
}

const form = (kind: ObjectKind, parts: Form['parts'], example: string): Form => ({ kind, parts, example });
const IN_SCHEMA = ['database', 'schema', 'name'] as const;
const TABLE = form('table', IN_SCHEMA, 'shop.public.payroll');
const ROUTINE = form('function', IN_SCHEMA, 'function shop.public.f(int)');
const TYPE = form('type', IN_SCHEMA, 'type shop.public.mood');

/** Every way to say a kind; longer ones first, so that none hides another. */
const FORMS: readonly (readonly [words: string, form: Form])[] = [
  ['foreign data wrapper', form('foreign_data_wrapper', ['database', 'name'], 'foreign data wrapper shop.postgres_fdw')],
  ['materialized view', TABLE],
  ['foreign server', form('foreign_server', ['database', 'name'], 'foreign server shop.other')],
  ['foreign table', TABLE],
  ['large object', form('large_object', ['database', 'name'], 'large object shop 16999')],
  ['tablespace', form('tablespace', ['name'], 'tablespace fast')],
  ['parameter', form('parameter', ['name'], 'parameter work_mem')],
  ['procedure', ROUTINE],
  ['aggregate', ROUTINE],
  ['database', form('database', ['database'], 'database shop')],
  ['sequence', form('sequence', IN_SCHEMA, 'sequence shop.public.invoice_id_seq')],
  ['function', ROUTINE],
  ['language', form('language', ['database', 'name'], 'language shop.plpgsql')],
  ['routine', ROUTINE],
  ['column', form('column', [...IN_SCHEMA, 'column'], 'column shop.public.payroll.salary')],
  ['schema', form('schema', ['database', 'schema'], 'schema shop.public')],
  ['domain', TYPE],
  ['table', TABLE],
  ['type', TYPE],
  ['view', TABLE],
];

/** @throws ObjectNameError */
export function readObjectName(words: readonly string[]): ObjectReference {
  const text = words.join(' ').trim();
  if (text.length > LONGEST) throw new ObjectNameError(`the name of an object has ${LONGEST} characters at most`);
  const [kindText, meant] = FORMS.find(([start]) => startsWithWords(text, start)) ?? ['', TABLE];
  const scanner = new Scanner(text, kindText.length, meant.example);
  if (meant.kind === 'parameter') return { kind: 'parameter', database: undefined, name: parameterName(scanner) };
  if (meant.kind === 'large_object') return largeObject(scanner);
  const parts = scanner.name();
  const args = meant.kind === 'function' ? scanner.arguments() : undefined;
  scanner.end();
  return named(meant, parts, args, scanner);
}

/** Whether the text begins with these words, and there is a space behind them: a database may be called «table». */
function startsWithWords(text: string, words: string): boolean {
  const start = text.slice(0, words.length).toLowerCase();
  return start === words && /^\s/.test(text.slice(words.length));
}

function named({ kind, parts }: Form, names: readonly string[], args: readonly string[] | undefined, scanner: Scanner): ObjectReference {
  if (names.length !== parts.length)
    throw scanner.wrong(
      `a ${kindWords(kind)} is named by ${parts.map((part) => (part === 'name' ? `its ${part}` : part)).join('.')}, and here ${names.length === 1 ? 'is 1 name' : `are ${names.length} names`}`,
    );
  const of = (part: string): string | undefined => names[parts.indexOf(part as Form['parts'][number])];
  const [schema, column] = [of('schema'), of('column')];
  return {
    kind,
    database: of('database'),
    ...(schema === undefined ? {} : { schema }),
    name: of('name') ?? (kind === 'schema' ? (schema ?? '') : (of('database') ?? '')),
    ...(column === undefined ? {} : { column }),
    ...(args === undefined ? {} : { arguments: args }),
  };
}

/** A custom parameter has dots in its name, and case does not matter. */
function parameterName(scanner: Scanner): string {
  const name = scanner.name().join('.').toLowerCase();
  scanner.end();
  return name;
}

/** It has a number and no name. */
function largeObject(scanner: Scanner): ObjectReference {
  const [database, ...more] = scanner.name(1);
  scanner.optionalDot();
  const name = scanner.digits();
  scanner.end();
  if (more.length > 0 || Number(name) > 4_294_967_295) throw scanner.wrong('a large object has a number of up to ten digits');
  return { kind: 'large_object', database, name };
}

/**
 * One name, as a role's: in double quotes as SQL has it, or plain and then in small letters as SQL reads it. What could be no plain name of SQL, as
 * `alice@example.com`, is taken as it stands.
 * @throws ObjectNameError
 */
export function readRoleName(text: string): string {
  if (text.length > LONGEST || text === '') throw new ObjectNameError('the name of a role must not be empty, or longer than a name can be');
  if (!text.startsWith('"')) return PLAIN_NAME.test(text) ? folded(text) : text;
  const scanner = new Scanner(text, 0, '"Alice"');
  const [name = ''] = scanner.name(1);
  scanner.end();
  return name;
}

const PLAIN_NAME = /^[\p{L}_][\p{L}\p{N}\p{M}_$]*$/u;

/** As the server does in UTF-8: only letters of ASCII. */
const folded = (name: string): string => name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());

/** Goes through a text once. */
class Scanner {
  readonly #text: string;
  readonly #example: string;
  #at: number;

  constructor(text: string, at: number, example: string) {
    this.#text = text;
    this.#at = at;
    this.#example = example;
  }

  wrong(what: string): ObjectNameError {
    return new ObjectNameError(`${what}; write it as ${this.#example}, and a name with capital letters, dots or spaces in double quotes`);
  }

  #spaces(): void {
    while (/\s/.test(this.#text.charAt(this.#at))) this.#at += 1;
  }

  /** Parts with dots in between. */
  name(most = 4): readonly string[] {
    const parts = [this.#part()];
    while (parts.length < most && this.#text.charAt(this.#at) === '.') {
      this.#at += 1;
      parts.push(this.#part());
    }
    return parts;
  }

  #part(): string {
    this.#spaces();
    const name = this.#text.charAt(this.#at) === '"' ? this.#quoted() : this.#plain();
    if (name === '') throw this.wrong(this.#at >= this.#text.length ? 'a name is missing at the end' : `a name is missing at character ${this.#at + 1}`);
    return name;
  }

  #plain(): string {
    const start = this.#at;
    while (this.#at < this.#text.length && !/[\s."(),]/.test(this.#text.charAt(this.#at))) this.#at += 1;
    return folded(this.#text.slice(start, this.#at));
  }

  #quoted(): string {
    const pieces: string[] = [];
    for (;;) {
      const end = this.#text.indexOf('"', this.#at + 1);
      if (end < 0) throw this.wrong('a double quote is not closed');
      pieces.push(this.#text.slice(this.#at + 1, end));
      this.#at = end + 1;
      if (this.#text.charAt(this.#at) !== '"') return pieces.join('"');
    }
  }

  /** Types between parentheses, as they are written; undefined where there are no parentheses. */
  arguments(): readonly string[] | undefined {
    this.#spaces();
    if (this.#text.charAt(this.#at) !== '(') return undefined;
    const types: string[] = [];
    let start = (this.#at += 1);
    for (; this.#at < this.#text.length; this.#at += 1) {
      const char = this.#text.charAt(this.#at);
      if (char === '"') {
        this.#quoted();
        this.#at -= 1;
      } else if (char === '(') throw this.wrong('types of arguments have no length behind them');
      else if (char === ',' || char === ')') {
        types.push(this.#text.slice(start, this.#at).trim());
        start = this.#at + 1;
        if (char === ')') {
          this.#at += 1;
          return this.#types(types);
        }
      }
    }
    throw this.wrong('a parenthesis is not closed');
  }

  #types(types: readonly string[]): readonly string[] {
    if (types.length === 1 && types[0] === '') return [];
    if (types.includes('')) throw this.wrong('the type of an argument is missing');
    if (types.length > 100) throw this.wrong('a function has 100 arguments at most');
    return types;
  }

  optionalDot(): void {
    if (this.#text.charAt(this.#at) === '.') this.#at += 1;
    this.#spaces();
  }

  digits(): string {
    const start = this.#at;
    while (/\d/.test(this.#text.charAt(this.#at))) this.#at += 1;
    const digits = this.#text.slice(start, this.#at);
    if (digits === '' || digits.length > 10) throw this.wrong('a large object has a number of up to ten digits');
    return String(Number(digits));
  }

  end(): void {
    this.#spaces();
    if (this.#at < this.#text.length) throw this.wrong(`something stands behind the name, at character ${this.#at + 1}`);
  }
}
