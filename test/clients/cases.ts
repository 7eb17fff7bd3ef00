// Passwords by hand, and names of users and databases, that some driver might read otherwise than they were meant.
import fc from 'fast-check';

export interface Case {
  /** What it is about. */
  readonly about: string;
  /** undefined: generated. */
  readonly password: string | undefined;
  readonly username?: string;
  readonly database?: string;
}

const ASCII = Array.from({ length: 127 }, (_, index) => String.fromCharCode(index + 1));
const all = ASCII.join('');

/** About → password. */
const UNICODE: Readonly<Record<string, string>> = {
  'NFC, and the same in NFD': 'Å é ñ ạ̈',
  'NFD, and the same in NFC': 'A\u030A e\u0301 n\u0303 a\u0323\u0308',
  'combining marks in an order that is not canonical': 'a\u0308\u0323 q\u0307\u0323',
  'a combining mark at the beginning': '\u0301abc',
  'what NFKC replaces': 'ﬁ ª ① ｱ Ｆｕｌｌ ㎏ ½ ™ ſ ℌ',
  'Hangul in single letters': '\u1112\u1161\u11ab\u1100\u1173\u11af',
  'other scripts': 'пароль パスワード 密码 रहस्य ගුප්ත ምስጢር',
  emoji: '🔑🎉',
  'emoji with a variation selector': '🔑🗝️',
  'an emoji of several, with joiners': '👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇸🇨',
  'beyond the first plane': '𝕡𝕒𝕤𝕤 𐍈 𠜎',
  'right to left': 'סיסמה',
  'right to left with marks': 'شَدّة',
  'right to left and left to right': 'abc סיסמה',
  'right to left with a digit at the end': 'סיסמה1',
  'marks of direction': 'abc\u200Edef\u202Eghi',
  'a soft hyphen': 'pass\u00ADword',
  'nothing but a soft hyphen': '\u00AD',
  'nothing but what SASLprep leaves out': '\u00AD\u200D\u2060\uFEFF',
  'zero width': 'a\u200Bb\u200Cc\u200Dd\u2060e\uFEFFf',
  'a byte order mark at the beginning': '\uFEFFpassword',
  'spaces that are not ASCII': 'a\u00A0b\u1680c\u2003d\u202Fe\u3000f',
  'a space that is not ASCII, at both ends': '\u00A0password\u3000',
  'variation selectors': 'a\uFE0Fb\uFE00c',
  'prohibited: a control character beyond ASCII': 'pass\u0085word\u009F',
  'prohibited: an ASCII control character beside a letter': 'é\u0001',
  'prohibited: an ASCII control character beside what NFKC replaces': '\tﬁ',
  'prohibited: private use': 'pass\uE000\u{F0000}word',
  'prohibited: no characters': 'pass\uFDD0\uFFFE\u{1FFFF}word',
  'prohibited: replacement characters': 'pass\uFFFC\uFFFDword',
  'prohibited: ideographic description': '⿰ab',
  'prohibited: line and paragraph separators': 'a\u2028b\u2029c',
  'prohibited: tags': 'a\u{E0001}\u{E0041}b',
  'prohibited, with a normal form that is not': 'a\u0340b\u0341c',
  'prohibited, with a soft hyphen beside it': 'pass\u00ADword\uE000',
  'unassigned in Unicode 3.2': 'ɂ ₹ ᴀ 🄰',
  'unassigned in Unicode 3.2, with a normal form that is not': '\u03F9 ᴬ ₕ',
  'unassigned to this day': 'a\u0378\u{E1000}b',
  'left to right in its normal form only': 'א\u2103ב',
  'Turkish and German letters that have no simple case': 'İıßẞ',
};

/** Of more than one character: each alone is tried anyway. */
const SYNTAX: readonly string[] = [
  ' leading',
  'trailing ',
  '  ',
  'tab\tand\ttab',
  'line\nline',
  '\nline',
  'line\r',
  '%%',
  '%41',
  '%zz',
  '%2',
  '%25',
  'a+b',
  'a%2Bb',
  'a&password=b',
  '?sslmode=require',
  'a#b',
  'a/b',
  '//',
  'a@b',
  'a:b:c',
  "''",
  '\\\\',
  "\\'",
  '`id`',
  '$(id)',
  '${HOME}',
  '$1',
  '{{ host }}',
  '{{',
  '[::1]',
  '<a>&amp;',
  'a=b;c=d',
  'a,b',
  '--',
  'null',
  'undefined',
  'true',
  '\u001B[31m',
  'x'.repeat(1024),
  'é'.repeat(1024),
];

const DATABASES: readonly string[] = [`o'hare "a"\\`, '%41 %zz', 'a@b & c=+$,;:', 'ü 🔑', ' ends ', '[x]{y}|^~`<>', 'Shop', 'sl/ash', 'ques?tion', 'ha#sh'];
const USERNAMES: readonly string[] = [
  `o'hare "a"\\`,
  '%41 %zz',
  '@:/?#[]',
  'a & b=c+d',
  'ü ﬁ 🔑',
  ' ends ',
  '!$()*,;',
  'UPPER',
  'tab\tline\nbell\u0007',
  '{{ port }}',
];

/** As the document has it: a name that Kubernetes' Secrets can tell from the others. */
const unlike = (name: string, index: number): string => `${name}${index}${name.endsWith(' ') ? ' ' : ''}`;

/** Everything that is tried; the same in every run. */
export function allCases(): Case[] {
  const random = fc.sample(fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }), { seed: 20_261_121, numRuns: 400 });
  const ascii = fc.sample(fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 60 }), { seed: 20_261_121, numRuns: 60 });
  const usable = (password: string): boolean => !password.includes('\0') && password.isWellFormed() && !password.endsWith('\n');
  const [odd = '', ...others] = DATABASES;
  return [
    { about: 'generated', password: undefined },
    // A newline at the end is taken off.
    ...ASCII.filter(usable).map((password) => ({ about: `the one character ${password.charCodeAt(0)}`, password })),
    ...[all, [...all].toReversed().join(''), all.slice(31, 126)].map((password) => ({ about: 'all of ASCII', password })),
    ...SYNTAX.map((password) => ({ about: `what has a meaning somewhere: ${JSON.stringify(password.slice(0, 20))}`, password })),
    ...ascii.filter(usable).map((password, index) => ({ about: `random ASCII ${index}`, password })),
    ...Object.entries(UNICODE).map(([about, password]) => ({ about, password })),
    ...random
      .filter((password) => usable(password))
      .slice(0, 100)
      .map((password, index) => ({ about: `random Unicode ${index}`, password })),
    ...USERNAMES.map((name, index) => ({ about: `the user ${JSON.stringify(name)}`, password: undefined, username: unlike(name, index) })),
    ...others.map((database) => ({ about: `the database ${JSON.stringify(database)}`, password: undefined, database })),
    { about: 'everything at once', password: all, username: `everything: ${odd}`, database: odd },
  ];
}
