// A document at each of its limits, and one over it: that one thing is refused and said, and its neighbours go on.
import { describe, expect, it } from 'vitest';
import { reportContradictions } from '../../src/document/contradictions.ts';
import { ProblemReport } from '../../src/document/problem-report.ts';
import { suggest } from '../../src/document/suggest.ts';
import type { Document, GrantRule } from '../../src/model/entries.ts';
import { LIMITS } from '../../src/model/limits.ts';
import { read } from './read.ts';

const KEEPER = 'users: [{username: keeper, login: false}]\n';
const times = <T>(count: number, item: (index: number) => T): T[] => Array.from({ length: count }, (_, index) => item(index));
const messages = ({ problems }: Document): readonly string[] => problems.map(({ message }) => message);
const names = ({ users, roles }: Document): readonly string[] => [...roles.map(({ name }) => name), ...users.map(({ username }) => username)];

describe('of a whole document', () => {
  it('as many words and brackets as are parsed at once are read, one more is told with what to do, and a list in parts has no such bound', () => {
    // The document itself has sixteen, and each of these two.
    const most = `${'#\n'.repeat((LIMITS.documentTokens - 16) / 2)}users: [{username: a}]\n`;
    expect(names(read(most))).toEqual(['a']);
    const more = read(`${most}#`);
    expect(more.usable).toBe(false);
    expect(messages(more)).toEqual([expect.stringContaining(`more than ${LIMITS.documentTokens} words, brackets, spaces and line ends`)]);
    const inParts = read(`users:\n${times(23_000, (index) => `- username: u${index}\n`).join('')}`);
    expect([inParts.users.length, inParts.problems]).toEqual([23_000, []]);
  });

  it('as many levels as are read are read, and one more is told', () => {
    // The mapping around it is a level, and so is what stands within the brackets.
    const nested = (levels: number): string => `${KEEPER}timestamp: ${'['.repeat(levels - 2)}x${']'.repeat(levels - 2)}\n`;
    expect(names(read(nested(LIMITS.documentDepth)))).toEqual(['keeper']);
    const more = read(nested(LIMITS.documentDepth + 1));
    expect(more.usable).toBe(false);
    expect(messages(more)).toEqual([expect.stringContaining(`nested more than ${LIMITS.documentDepth} levels deep`)]);
  });

  it('aliases stand for as many values as are taken, and not for one more', () => {
    // What stands written, the alias itself, does not count.
    const aliased = (more: string): string => `timestamp: [&a [${'x, '.repeat(250)}], &b [y]${', *a'.repeat(LIMITS.aliasNodes / 250)}${more}]\n${KEEPER}`;
    expect(names(read(aliased('')))).toEqual(['keeper']);
    expect(messages(read(aliased(', *b')))).toEqual([expect.stringContaining(`stand for more than ${LIMITS.aliasNodes} values`)]);
  });

  it('as many problems as are kept are listed without a word of more', () => {
    expect(read(`users:\n${'- 1\n'.repeat(LIMITS.problems)}`).problems).toHaveLength(LIMITS.problems);
  });

  it('of one mapping as many problems are told as are looked for, and those of its neighbours as well', () => {
    const wrong = (count: number): Document =>
      read(`users:\n- {username: a, ${times(count, (index) => `k${index}: 1`).join(', ')}}\n- {username: b, x: 1}\n- username: c\n`);
    for (const [count, told] of [
      [LIMITS.problemsOfMapping, LIMITS.problemsOfMapping],
      [LIMITS.problemsOfMapping + 1, LIMITS.problemsOfMapping],
    ] as const) {
      const { problems, invalid, users } = wrong(count);
      expect(Map.groupBy(problems, ({ username }) => username).get('a')).toHaveLength(told);
      expect([[...invalid], users.map(({ username }) => username)]).toEqual([['a', 'b'], ['c']]);
    }
  });
});

describe('of one entry', () => {
  it('a list has as many items as are read, and one more keeps that entry as it was', () => {
    const user = (name: string, count: number): string => `- {username: ${name}, roles: [${times(count, (index) => `r${index}`).join(', ')}]}\n`;
    const document = read(`users:\n${user('most', LIMITS.listItems)}${user('more', LIMITS.listItems + 1)}${user('few', 1)}`);
    expect([names(document), [...document.invalid]]).toEqual([['most', 'few'], ['more']]);
    expect(messages(document)).toEqual([`the list has ${LIMITS.listItems + 1} items; at most ${LIMITS.listItems} are read`]);
  });

  it('as many patterns are held against each other as the rules may ask for, and with one rule more the role is told', () => {
    const position = { file: 'users.yaml', line: 1, column: 1 };
    // By their schemas all may meet, by their names those with another answer do not.
    const rule = (index: number): GrantRule => ({
      database: 'd',
      schema: ['s*aa', 'ss*a', 'sss*'][index % 3] ?? '',
      kind: 'table',
      name: index % 2 === 0 ? 'p*' : 'q*',
      column: '',
      privileges: [{ privilege: index % 2 === 0 ? 'SELECT' : 'INSERT', grantable: false }],
      implied: false,
      permission: undefined,
      position,
    });
    const told = (count: number): readonly string[] => {
      const report = new ProblemReport(() => position);
      reportContradictions(times(count, rule), 'r', [], report);
      return report.sorted().map(({ message }) => message);
    };
    // Each pair of them is one comparison.
    const most = 2 * LIMITS.comparisonsOfRule + 1;
    expect(told(most)).toEqual([]);
    expect(told(most + 1)).toEqual(['for `r`, too many patterns are equally specific to be held against each other; use fewer of them, or names']);
  });

  it('a misspelt word is compared with as many known ones as are looked at, and not with one more', () => {
    const known = (before: number): readonly string[] => [...times(before, (index) => `${index}`.padStart(12, 'z')), 'colour'];
    expect(suggest('colours', known(LIMITS.suggestions - 1))).toBe('colour');
    expect(suggest('colours', known(LIMITS.suggestions))).toBeUndefined();
  });

  it('a role to assume is looked for behind as many others as are followed, and not behind one more', () => {
    const chain = times(LIMITS.rolesToAssume + 3, (index) => `- {name: r${index}, memberOf: [r${index + 1}]}\n`).join('');
    const assuming = (index: number): string => `- {username: u${index}, roles: [r0], assumeRole: r${index}}\n`;
    const document = read(`roles:\n${chain}users:\n${assuming(LIMITS.rolesToAssume)}${assuming(LIMITS.rolesToAssume + 1)}- username: keeper\n`);
    expect(document.users.map(({ username }) => username)).toEqual([`u${LIMITS.rolesToAssume}`, 'keeper']);
    expect(messages(document)).toEqual([expect.stringContaining(`among the ${LIMITS.rolesToAssume} nearest roles`)]);
  });

  it('as many entries on cycles are shown with all of their way as are searched for, and the next one with a gap', () => {
    const cycles = times(17, (index) => [`a${index}`, `b${index}`, `c${index}`]);
    const { problems } = read(
      `users:\n${cycles.flatMap((names) => names.map((name, at) => `- {username: ${name}, roles: [${names[(at + 1) % 3]}]}\n`)).join('')}`,
    );
    const gaps = problems.map(({ message }) => message.includes('…'));
    expect(gaps).toEqual([...times(LIMITS.cyclesShown, () => false), true]);
  });

  it('names of functions and parameters, values of settings, and comments are as long as they may be, and one character more keeps that entry as it was', () => {
    const ofFunction = (length: number): string => `f(${'int,'.repeat(length / 4 - 1)}x)`.padEnd(length, ' ');
    const parameter = (length: number): string => 'abc.'.repeat((length - 4) / 4).padEnd(length, 'd');
    const entries = (more: number): string => `
roles:
- {name: functions, grants: [{schemas: [s], functions: {"${ofFunction(LIMITS.functionPattern)}${' '.repeat(more)}": [EXECUTE]}}]}
users:
- {username: parameter, login: false, settings: {${parameter(LIMITS.parameterName)}${'d'.repeat(more)}: x}}
- {username: value, login: false, settings: {a.b: ${'x'.repeat(LIMITS.settingLength + more)}}}
- {username: list, login: false, settings: {search_path: [${'x'.repeat(60)}${`, ${'y'.repeat(60)}`.repeat((LIMITS.settingLength - 60 - 62) / 62)}, ${'z'.repeat(((LIMITS.settingLength - 60) % 62) + 60 + more)}]}}
- {username: comment, login: false, comment: ${'x'.repeat(LIMITS.comment + more)}}
- {username: keeper, login: false}
`;
    const most = read(entries(0));
    expect([messages(most), names(most)]).toEqual([[], ['functions', 'parameter', 'value', 'list', 'comment', 'keeper']]);
    const more = read(entries(1));
    expect(names(more)).toEqual(['keeper']);
    expect(messages(more)).toEqual([
      expect.stringMatching(new RegExp(`has ${LIMITS.functionPattern + 1} characters, and at most ${LIMITS.functionPattern} are read`)),
      expect.stringMatching(new RegExp(`has ${LIMITS.parameterName + 1} characters, and at most ${LIMITS.parameterName} are read`)),
      `the value has ${LIMITS.settingLength + 1} characters; at most ${LIMITS.settingLength} are set`,
      `the list has ${LIMITS.settingLength + 1} characters; at most ${LIMITS.settingLength} are set`,
      `the comment has ${LIMITS.comment + 1} characters; at most ${LIMITS.comment} are taken`,
    ]);
  });

  it('a connection Secret has as many keys, and a text as many names, as are read, and one more keeps that entry as it was', () => {
    const keys = (count: number, item: (index: number) => string): string => `{${times(count, item).join(', ')}}`;
    const most = LIMITS.connectionKeys;
    const entries = (count: number): readonly string[] => [
      `template: ${keys(count, (index) => `t${index}: x`)}`,
      `uris: ${keys(count, (index) => `u${index}: {host: h}`)}`,
      `labels: ${keys(count, (index) => `l${index}: x`)}`,
      `annotations: ${keys(count, (index) => `a${index}: x`)}`,
      `template: {t: "${'{{ uri }}'.repeat(count)}"}`,
    ];
    const users = (count: number): string =>
      entries(count)
        .map((entry, index) => `- {username: u${index}, connectionSecret: {name: s${index}, ${entry}}}\n`)
        .join('');
    expect(messages(read(`users:\n${users(most)}`))).toEqual([]);
    const more = read(`users:\n${users(most + 1)}- username: keeper\n`);
    expect(names(more)).toEqual(['keeper']);
    expect(messages(more)).toEqual([
      ...times(4, () => `has ${most + 1} keys; at most ${most} are read`),
      `names more than ${most} values; a Secret could not hold them all`,
    ]);
  });
});
