// What is made of an edited document from the one before is what the whole of it says, whatever was edited; and where little was, it is made so.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { afterEdit, type BeforeEdit } from '../../src/document/edited.ts';
import { turnNames } from '../../src/model/turns.ts';
import { parseInParts } from '../../src/document/parse.ts';

const FILE = 'users.yaml';
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const whole = (text: string) => parseInParts(bytes(text), FILE, 'postgres');

/** What is known of a text, where anything may be made of it. */
function known(text: string): BeforeEdit | undefined {
  const { document, isInParts } = whole(text);
  return isInParts && document.problems.length === 0 ? { text, file: FILE, document } : undefined;
}

/** The edited document, which is the same as the whole one; undefined where the edit is none that is read so. */
function edited(before: string, text: string) {
  const last = known(before);
  const made = last === undefined ? undefined : afterEdit(last, text);
  if (made !== undefined) expect(made).toStrictEqual(whole(text).document);
  return made;
}

const FRAME = `permissions:
- {name: reading, schemas: [s], tables: ['*'], actions: [SELECT]}
roles:
- {name: team, memberOf: [company]}
- {name: readers, permissions: [reading]}
databases:
- {name: shop, owner: team}
# people
users:
`;
const ITEMS = [
  `- {username: ann, roles: [team]}\n`,
  `- username: bob\n  roles:\n  - team\n  - name: readers\n    inherit: false\n`,
  `- username: cid\n  comment: |+\n    two\n\n    lines\n\n`,
  `- username: dan # why\n  password: {generate: {}}\n  connectionSecret: {name: dans}\n  rotation: {every: 30d, strategy: two-users}\n\n# eve follows\n`,
  `- {username: eve, permissions: [reading]}\n`,
  `- username: fay\n  comment: "a\n    folded one"\n  settings: {work_mem: 4MB}\n`,
  `- {username: gus, login: false, comment: 'R & D, 5 * 3'}\n`,
];
const BASE = `${FRAME}${ITEMS.join('')}`;

const replaced = (index: number, item: string): string => `${FRAME}${ITEMS.toSpliced(index, 1, item).join('')}`;
const inserted = (index: number, item: string): string => `${FRAME}${ITEMS.toSpliced(index, 0, item).join('')}`;

describe('of an edited document', () => {
  it.each([
    ['an entry more at the end', `${BASE}- {username: zoe}\n`],
    ['one at the end that does not end its line', `${BASE}- {username: zoe}`],
    ['one more in the middle', inserted(3, `- username: zoe\n  roles: [team]\n`)],
    ['two more at the beginning', inserted(0, `- username: zoe\n- username: zac\n`)],
    ['one less', `${FRAME}${ITEMS.toSpliced(2, 1).join('')}`],
    ['another comment', replaced(6, `- {username: gus, login: false, comment: 'else'}\n`)],
    ['more lines of a block', replaced(2, `- username: cid\n  comment: |\n    three\n    - {username: mallory}\n    lines\n`)],
    ['a comment line alone', inserted(4, `# - {username: mallory}\n`)],
    ['the same once more', BASE],
  ])('only what differs is read: %s', (_what, text) => {
    const made = edited(BASE, text);
    expect(made).toBeDefined();
    const before = known(BASE)?.document.users ?? [];
    expect(made?.users[0]?.username === 'ann' ? known(BASE)?.document.users[0] : before[0]).toStrictEqual(before[0]);
  });

  it('entries before the edit, and behind one that adds no line, are the very same', () => {
    const last = known(BASE);
    if (last === undefined) throw new Error('the base is wrong');
    const made = afterEdit(last, replaced(2, `- username: cid\n  comment: |+\n    2\n\n    lines\n\n`));
    expect(made?.users.map((user, index) => user === last.document.users[index])).toEqual([true, true, false, true, true, true, true]);
    const longer = afterEdit(last, inserted(6, `- {username: zoe}\n`));
    expect(longer?.users.slice(0, 6).every((user, index) => user === last.document.users[index])).toBe(true);
    expect(longer?.users.at(-1)?.position.line).toBe((last.document.users.at(-1)?.position.line ?? 0) + 1);
    // Rules that entries share are still one list.
    expect(afterEdit(last, inserted(0, `- {username: zoe}\n`))?.users[5]?.rules).toBe(last.document.roles[1]?.rules);
  });

  it.each([
    ['an anchor and its alias', inserted(1, `- &a {username: zoe}\n- *a\n`)],
    ['a merge', inserted(1, `- {username: zoe, <<: {login: false}}\n`)],
    ['a name that another one has', inserted(1, `- {username: fay}\n`)],
    ['a user whose Secret is that of another one', inserted(1, `- {username: ANN}\n- {username: BNN}\n`)],
    ['a Secret of another user', inserted(1, `- {username: zoe, connectionSecret: {name: dans}}\n`)],
    ['a cycle of memberships', inserted(1, `- {username: company, roles: [team]}\n`)],
    ['a name that rotation makes', inserted(1, `- {username: ${turnNames('dan')[0]}}\n`)],
    ['a former name that is still used', inserted(1, `- {username: zoe, renamedFrom: company}\n`)],
    ['an unknown key', inserted(1, `- {username: zoe, rolse: []}\n`)],
    ['rules', inserted(1, `- {username: zoe, permissions: [reading]}\n`)],
    ['another frame', BASE.replace('company', 'firm')],
    ['a role to assume that is none of its own', inserted(1, `- {username: zoe, assumeRole: readers}\n`)],
    ['a text without its end', replaced(1, `- username: "bob\n`)],
    ['deeper items', `${FRAME}${ITEMS.map((item) => item.replaceAll(/^(?=.)/gm, '  ')).join('')}`],
    ['a tab', inserted(1, `- username: zoe\n\troles: []\n`)],
    ['the end of the document', inserted(1, `...\n- username: zoe\n`)],
    ['a key behind the list', `${BASE}timestamp: x\n`],
    ['carriage returns', BASE.replaceAll('\n', '\r\n')],
    ['nobody at all', FRAME],
    ['many of them', `${BASE}${Array.from({ length: 2000 }, (_, index) => `- {username: user-${index}}\n`).join('')}`],
  ])('the whole of it is read: %s', (_what, text) => {
    expect(edited(BASE, text)).toBeUndefined();
  });

  it('entries that stand for very many rules are not moved here, as everything else would wait for that long', () => {
    const tables = Array.from({ length: 90 }, (_, index) => `t${index}`).join(', ');
    const grants = `{databases: [a, b, c, d], schemas: [a, b, c, d, e, f, g, h, i, j], tables: [${tables}], actions: [SELECT]}`;
    const items = (of: number): string => Array.from({ length: of }, (_, index) => `- username: user-${index}\n  grants:\n  - ${grants}\n`).join('');
    const first = '- {username: ann}\n';
    expect(edited(`users:\n${first}${items(7)}`, `users:\n${first}- {username: zoe}\n${items(7)}`)).toBeUndefined();
    expect(edited(`users:\n${first}${items(7)}`, `users:\n- {username: zoe}\n${items(7)}`)).toBeDefined();
    expect(edited(`users:\n${first}${items(5)}`, `users:\n${first}- {username: zoe}\n${items(5)}`)).toBeDefined();
  });

  it('whoever writes a list in a text is no author of entries', () => {
    const hidden = `"users": [{username: ann}]\ntimestamp: "x\nusers:\n- username: ann\n"\n`;
    expect(edited(hidden, hidden.replace('- username: ann\n', '- username: mallory\n'))).toBeUndefined();
  });
});

const LINES =
  `users:|- username: a|  - username: a|- username: zoe|- {username: zed, roles: [team]}|  roles: [a, b]|  roles:|  - x|    - x|  comment: >-|    text|  comment: |   - {username: y}|# c|  # c||   |  <<: *a|- &x {username: q}|- *x|  y: *a|-|- |---|...|\t|  comment: "a|  b"|  comment: 'it|  e: !!str 1|  connectionLimit: 5|  login: false|- ? a|: b|  renamedFrom: ann|  assumeRole: team|  grants: [{database: shop, schemas: [s]}]|  permissions: [reading]|timestamp: x|  password: none|  comment: \u0001|  comment: \u2028- username: y|- "username": quoted|- username: ann|-   username: far|   - {username: odd}|  database: |
`.split('|');
const SEED = { seed: 20_261_128 };

/** Lines are put in, taken out, put in another place or indented. */
const edit = fc.record({
  what: fc.constantFrom('insert', 'insert', 'remove', 'replace', 'indent', 'cut', 'entry', 'entry'),
  at: fc.nat({ max: 200 }),
  line: fc.constantFrom(...LINES),
});

function apply(text: string, { what, at, line }: { readonly what: string; readonly at: number; readonly line: string }): string {
  const lines = text.split('\n');
  const index = at % lines.length;
  if (what === 'cut') return text.slice(0, text.length - (at % 40));
  if (what === 'entry')
    return lines
      .toSpliced(
        lines.findLastIndex((one, before) => before <= Math.max(index, 9) && one.startsWith('- ')),
        0,
        `- {username: n${at}, comment: '${at}'}`,
      )
      .join('\n');
  if (what === 'indent') return lines.with(index, ` ${lines[index] ?? ''}`).join('\n');
  return lines.toSpliced(index, what === 'insert' ? 0 : 1, ...(what === 'remove' ? [] : [line])).join('\n');
}

it('whatever is edited, one edit after the other, the outcome is that of the whole text', () => {
  let made = 0;
  fc.assert(
    fc.property(fc.array(fc.array(edit, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 4 }), (edits) => {
      let text = BASE;
      let before = known(text);
      for (const some of edits) {
        text = some.reduce(apply, text);
        const next = before === undefined ? undefined : afterEdit(before, text);
        if (next !== undefined) expect(next).toStrictEqual(whole(text).document);
        if (next !== undefined) made += 1;
        before = next === undefined ? known(text) : { text, file: FILE, document: next };
        if (before === undefined) text = BASE;
        before ??= known(BASE);
      }
    }),
    { ...SEED, numRuns: Number(process.env['COUNT'] ?? 120) },
  );
  expect(made).toBeGreaterThan(40);
});
