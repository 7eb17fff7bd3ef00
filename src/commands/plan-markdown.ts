// A plan as Markdown: a comment of a pull request.
import { oneLine } from '../document/show.ts';
import { objectsWords } from '../explain/say-who.ts';
import type { ShownAccessLine } from './plan-access.ts';
import type { PlanView, ShownChange } from './plan-view.ts';
import { countsOf, databaseWords, dividedByLoss, LOSSES, RESULTS, snapshotWords } from './plan-words.ts';

/** Characters of each section, as a comment may have 65,536 and there are nine. */
const SECTION = 7000;

/** @param isFull whether lists are whole, however long a comment may be. */
export function asMarkdown(view: PlanView, isFull: boolean): string {
  const { losing, others } = dividedByLoss(view.changes);
  const section = (title: string, head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] =>
    rows.length === 0 ? [] : [`#### ${title} (${rows.length})`, '', row(head), row(head.map(() => '---')), ...folded(rows.map(row), isFull), ''];
  const changes = (title: string, of: readonly ShownChange[]): readonly string[] =>
    section(
      title,
      ['where', 'role', 'change'],
      of.map((change) => [code(databaseWords(change)), change.role === null ? '' : code(change.role), changeCell(change, isFull)]),
    );
  const access = (title: string, lines: readonly ShownAccessLine[] = []): readonly string[] =>
    section(
      title,
      ['login', 'database', 'may', 'by'],
      lines.map((line) => [code(line.role), line.database === null ? '' : code(line.database), code(mayWords(line)), code(line.by)]),
    );
  return `${[
    `### pgsteward plan: ${RESULTS[view.result]}`,
    '',
    headOf(view),
    '',
    ...changes('⚠️ Takes away or locks out', losing),
    ...changes('Gives or changes', others),
    ...access('🔓 Access that logins gain', view.access?.gained),
    ...access('🔒 Access that logins lose', view.access?.lost),
    ...section(
      'Access that is not known',
      ['what'],
      (view.access?.unknown ?? []).map((one) => [code(one)]),
    ),
    ...changes('Only remembered', view.remembered),
    ...changes('Waits for what cannot be done', view.waiting),
    ...section(
      'Beside the changes',
      ['what', 'role', 'message'],
      view.notices.map(({ kind, subject, message }) => [code(kind), subject === null ? '' : code(subject), code(message)]),
    ),
    ...section(
      'Problems of the document',
      ['what', 'where', 'message'],
      view.problems.map(({ severity, file, within, line, column, path, message }) => [
        severity,
        code(`${within ?? file}:${line}:${column}`),
        code([path, message].filter((part) => part !== '').join(': ')),
      ]),
    ),
    countsOf(view),
  ].join('\n')}\n`;
}

function headOf({ server, document, withSecrets }: PlanView): string {
  const where = server === null ? 'No server was read' : `PostgreSQL ${server.major} at ${code(`${server.host}:${server.port}`)}${snapshotWords(server)}`;
  return `${where}, document ${code(document)}${withSecrets ? '' : ', passwords left out'}.`;
}

const mayWords = ({ privileges, count, ...objects }: ShownAccessLine): string => `${privileges.join(', ')} on ${objectsWords(objects, count)}`;

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

function changeCell({ sentence, loses, names }: ShownChange, isFull: boolean): string {
  const said = loses === null || loses === 'rights' ? code(sentence) : `**${LOSSES[loses]}**: ${code(sentence)}`;
  return isFull && names.length > 0 ? `${said}<br>${names.map(code).join(', ')}` : said;
}

/** As many rows as there is room for. */
function folded(rows: readonly string[], isFull: boolean): readonly string[] {
  if (isFull) return rows;
  let room = SECTION;
  const shown = rows.filter((text) => (room -= text.length) >= 0);
  return shown.length === rows.length ? rows : [...shown, '', `… and ${rows.length - shown.length} more; \`--full\` shows all`];
}

/** What others wrote, as code: there it is no markup, link or mention. */
function code(text: string): string {
  const line = oneLine(text).replaceAll('|', '\\|');
  const longest = Math.max(0, ...[...line.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  const space = /^`|`$|^ .* $/.test(line) ? ' ' : '';
  return `${fence}${space}${line}${space}${fence}`;
}
