// GRANT and REVOKE as privilege-sql.ts and default-privilege.ts wrote them → what they say: the audit log keeps the text.

/** One statement about privileges. */
export interface PrivilegeStatement {
  readonly verb: 'GRANT' | 'REVOKE';
  /** As whom it ran; undefined: as the login. */
  readonly as: string | undefined;
  /** REVOKE takes the grant option alone. */
  readonly optionOnly: boolean;
  readonly privileges: readonly string[];
  /** Of a table: these alone. */
  readonly columns: readonly string[];
  /** What stands before the names, as TABLE; of default privileges TABLES. */
  readonly keyword: string;
  readonly objects: readonly StatedObject[];
}

/** A name by its parts; a routine with the types of its arguments, each by its parts. */
export interface StatedObject {
  readonly parts: readonly string[];
  readonly types: readonly (readonly string[])[] | undefined;
}

type Token = { readonly name: string } | { readonly word: string };

const TOKEN = /(U&)?"((?:[^"]|"")*)"|(\w+)|(\S)/gu;

const tokensOf = (text: string): readonly Token[] =>
  [...text.matchAll(TOKEN)].map(([, escaped, quoted, word, other]): Token => {
    if (quoted === undefined) return { word: word ?? other ?? '' };
    const name = quoted.replaceAll('""', '"');
    return {
      name:
        escaped === undefined
          ? name
          : name.replace(/\\(\\|[0-9a-f]{4})/g, (_, code: string) => (code === '\\' ? code : String.fromCharCode(Number.parseInt(code, 16)))),
    };
  });

/** Every statement about privileges in a text of ours; anything else in it is passed over. */
export function readPrivilegeSql(text: string): readonly PrivilegeStatement[] {
  const found: PrivilegeStatement[] = [];
  let as: string | undefined;
  for (const statement of statementsOf(tokensOf(text))) {
    const reader = new Reader(statement);
    if (reader.take('SET')) as = reader.lastName();
    else found.push(...reader.statement(as));
  }
  return found;
}

function statementsOf(tokens: readonly Token[]): readonly Token[][] {
  const statements: Token[][] = [[]];
  for (const token of tokens) {
    if ('word' in token && token.word === ';') statements.push([]);
    else statements.at(-1)?.push(token);
  }
  return statements;
}

/** The tokens of one statement, from left to right. */
class Reader {
  private at = 0;
  private readonly tokens: readonly Token[];
  constructor(tokens: readonly Token[]) {
    this.tokens = tokens;
  }

  /** Whether this word comes next, which is behind us then. */
  take(word: string): boolean {
    const isNext = this.word() === word;
    if (isNext) this.at += 1;
    return isNext;
  }

  lastName(): string | undefined {
    const last = this.tokens.at(-1);
    return last !== undefined && 'name' in last ? last.name : undefined;
  }

  statement(as: string | undefined): readonly PrivilegeStatement[] {
    if (this.word() === 'ALTER') while (this.at < this.tokens.length && this.word() !== 'GRANT' && this.word() !== 'REVOKE') this.at += 1;
    const verb = this.take('GRANT') ? 'GRANT' : this.take('REVOKE') ? 'REVOKE' : undefined;
    if (verb === undefined) return [];
    const optionOnly = this.take('GRANT') && this.take('OPTION') && this.take('FOR');
    const privileges = new Set<string>();
    let columns: readonly string[] = [];
    do {
      privileges.add(this.words(['ON']));
      if (this.take('(')) columns = this.namesUntil(')').flatMap(({ parts }) => parts);
    } while (this.take(','));
    // A membership has no ON.
    if (!this.take('ON')) return [];
    const keyword = this.words(['TO', 'FROM']);
    return [{ verb, as, optionOnly, privileges: [...privileges], columns, keyword, objects: this.namesUntil(verb === 'GRANT' ? 'TO' : 'FROM') }];
  }

  private word(): string | undefined {
    const token = this.tokens[this.at];
    return token !== undefined && 'word' in token ? token.word : undefined;
  }

  /** Words of a keyword, with a space in between. */
  private words(ends: readonly string[]): string {
    const words: string[] = [];
    for (let word = this.word(); word !== undefined && /^[A-Z]+$/.test(word) && !ends.includes(word); word = this.word()) {
      words.push(word);
      this.at += 1;
    }
    return words.join(' ');
  }

  private namesUntil(end: string): readonly StatedObject[] {
    const names: StatedObject[] = [];
    while (this.at < this.tokens.length && !this.take(end)) {
      // How a procedure takes an argument.
      this.words([end]);
      const parts = [this.part()];
      while (this.take('.')) parts.push(this.part());
      names.push({ parts, types: this.take('(') ? this.namesUntil(')').map((type) => type.parts) : undefined });
      this.take(',');
    }
    return names;
  }

  /** A name, or the number of a large object. */
  private part(): string {
    const token = this.tokens[this.at];
    this.at += 1;
    return token === undefined ? '' : 'name' in token ? token.name : token.word;
  }
}
