// SQL for people: what of its names and values nobody sees, or a terminal takes for a command, is spelled, and the server reads the same.
import { codeOf, UNSEEN } from './sql-text.ts';

/** Quoted identifiers and strings, each with what says how it is read. */
const QUOTED = /(U&)?"(?:[^"]|"")*"|(E)?'(?:[^'\\]|''|\\[\s\S])*'/g;

/** A statement of our own rendering; in a database that knows no Unicode such a name has to be spelled by hand. */
export const saidSql = (statement: string): string =>
  statement.replace(QUOTED, (text: string, unicode: string | undefined, escapes: string | undefined) => {
    const seen = text.replaceAll('\n', '');
    if (seen.search(UNSEEN) < 0) return text;
    const isName = text.endsWith('"');
    const isSpelled = (isName ? unicode : escapes) !== undefined;
    const own = isSpelled ? text : `${isName ? 'U&' : 'E'}${text.replaceAll('\\', '\\\\')}`;
    return own.replace(UNSEEN, (char) =>
      char === '\n' && !isName ? char : isName ? codeOf(char, '\\', '\\+', 6) : codeOf(char, String.raw`\u`, String.raw`\U`, 8),
    );
  });
