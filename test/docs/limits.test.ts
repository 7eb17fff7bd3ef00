// The page of limits and the code's constants say the same.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { ASIDE_LIMITS } from '../../src/async/aside.ts';
import { LIMITS } from '../../src/model/limits.ts';
import { HTTP_LIMITS } from '../../src/http/bounded.ts';
import { STATUS_LIMITS } from '../../src/observe/status.ts';
import { MANIFEST_LIMITS } from '../../src/document/manifests.ts';
import { ROOT } from '../support/daemon.ts';

const page = readFileSync(join(ROOT, 'docs/limits.md'), 'utf8').split('\n## ')[0] ?? '';
const rows = [...page.matchAll(/^\| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]*)\|$/gm)].slice(1).map(([, input = '', limit = '']) => ({ input, limit }));
/** The limits of rows whose input begins so. */
const limitsOf = (input: string): string =>
  rows
    .filter((row) => row.input.startsWith(input))
    .map(({ limit }) => limit)
    .join();
const said = (number: number): string => number.toLocaleString('en-US');

it('each limit stands in the table, with its number', () => {
  // The compiler asks for a line here for each of them.
  const inputs: Record<keyof typeof LIMITS, string> = {
    documentBytes: 'the document: its size',
    documentTokens: 'the document: words',
    documentDepth: 'the document: nesting',
    aliasNodes: 'the document: values that aliases',
    problems: 'the document: problems',
    problemsOfMapping: 'the document: problems',
    listItems: 'the document: items',
    rulesOfEntry: 'the document: expansion of one',
    rulesOfDocument: 'the document: expansion of all',
    saidOfDocument: 'the document: what a revision keeps',
    comparisonsOfRule: 'the document: patterns of one',
    suggestions: 'the document: known words',
    rolesToAssume: 'the document: roles between',
    cyclesShown: 'the document: cycles',
    functionPattern: 'the pattern of a function',
    settingLength: 'a setting of a role',
    settingsOfRole: 'a setting of a role',
    settingsLength: 'a setting of a role',
    answerBytes: 'an answer of the server',
    answerRows: 'an answer of the server',
    parameterName: 'the name of a parameter',
    comment: "a role's comment",
    verifierIterations: 'a stored verifier',
    verifierLength: 'a stored verifier',
    secretValue: "a Secret's value under",
    certificates: 'the files of `DB_PASS_FILE`',
    wholeSecret: 'a Secret that is read as a whole',
    wholeSecrets: 'a Secret that is read as a whole',
    connectionKeys: 'a connection Secret',
    triggerRules: 'the event trigger',
    snapshotBytes: 'a snapshot',
    snapshotItems: 'a snapshot',
    entriesOfLeaver: 'a role that is to be dropped',
    logWaiting: 'the log',
    definers: 'explain and who-can',
    authorDocuments: "an author's ConfigMaps",
    authorBytes: "an author's ConfigMaps",
    servers: '`servers.yaml`: servers',
    serverItems: '`servers.yaml`: servers',
    besideItems: 'beside ACLs',
    guardrails: 'guardrails',
    guardrailItems: 'guardrails',
    guardrailTargets: 'guardrails',
    brokenShown: 'guardrails',
    guardrailComparisons: 'guardrails',
  };
  for (const [name, input] of Object.entries(inputs))
    expect(limitsOf(input), name).toMatch(new RegExp(`(?<![\\d,])${said(LIMITS[name as keyof typeof LIMITS])}(?![\\d]|,\\d)`));
});

it('and so do those of our port', () => {
  const { connections, header, request, headerBytes, bodyBytes, requests } = HTTP_LIMITS;
  expect(limitsOf('HTTP: connections')).toBe(said(connections));
  expect(limitsOf('HTTP: a header')).toBe(`${said(headerBytes)} and ${said(bodyBytes)} bytes`);
  expect(limitsOf('HTTP: time')).toBe(`${header / 1000} and ${request / 1000} seconds`);
  expect(limitsOf('HTTP: requests')).toBe(said(requests));
  const { items, characters, sql } = STATUS_LIMITS;
  expect(limitsOf('HTTP: problems')).toBe(`${said(items)} each, of ${said(characters)} characters, with SQL of ${said(sql)}`);
});

it('and those of a folder of manifests, and of the thread that reads what is large', () => {
  const { files, bytes, fileBytes, documentBytes, aliases, jsonMarks } = MANIFEST_LIMITS;
  expect(limitsOf('a folder of manifests')).toBe(`${said(files)} and ${said(bytes)}`);
  const { fromBytes, fromBytesAlone, memoryMiB, ms } = ASIDE_LIMITS;
  const time = `${ms / 60_000} minutes`;
  expect(limitsOf('a file of it')).toBe(
    `${said(fileBytes)}; ${said(documentBytes)}, ${said(LIMITS.documentTokens)}, and ${said(aliases)}; ${said(jsonMarks)}; ${memoryMiB} MiB and ${time}`,
  );
  for (const input of ['a file of it', 'the document: memory'])
    expect(rows.find((row) => row.input.startsWith(input))?.input).toMatch(new RegExp(`from ${said(fromBytes)} .*[( ]${said(fromBytesAlone)} for a verb`));
  expect(limitsOf('the document: memory')).toMatch(new RegExp(`^${memoryMiB} MiB.*and ${time}$`));
});

it('and that of a database, which a setting says', () => {
  expect(limitsOf('a database:')).toBe(`${said(readConfig({}).maxObjects)}, and twice as many in all databases of a cycle together`);
});

/** The beginning of each row → the tests at its limit and beyond it. */
const TESTS: Readonly<Record<string, readonly (readonly [file: string, title: string])[]>> = {
  '`servers.yaml`': [['document/servers', 'as many servers are read as there may be']],
  "an author's ConfigMaps": [
    ['sources/author-documents', 'with more bytes than are kept of one author nothing of it is read'],
    ['sources/author-documents', 'as many ConfigMaps are read as may be'],
  ],
  guardrails: [['guard/document', 'as many guardrails and names are read as the limits say']],
  'the document: its size': [['document/document', 'read a document of 1 MiB, and not one byte more']],
  'the document: words': [['document/limits', 'as many words and brackets as are parsed at once are read']],
  'the document: nesting': [['document/limits', 'as many levels as are read are read, and one more is told']],
  'the document: values that aliases': [
    ['document/limits', 'aliases stand for as many values as are taken, and not for one more'],
    ['document/document', 'stop an alias bomb at once'],
  ],
  'the document: problems': [
    ['document/limits', 'as many problems as are kept are listed'],
    ['document/document', 'are counted, not listed, beyond 20,000'],
    ['document/limits', 'of one mapping as many problems are told as are looked for'],
  ],
  'the document: items': [['document/limits', 'a list has as many items as are read']],
  'the document: expansion of one': [['document/cost', 'is taken at its limit, and refused beyond it']],
  'the document: expansion of all': [['document/cost', 'counts over all entries that share a permission']],
  'the document: what a revision keeps': [['history/said', 'as many characters of a document are kept as may be']],
  'the document: patterns': [['document/limits', 'as many patterns are held against each other']],
  'the document: known words': [['document/limits', 'a misspelt word is compared with as many known ones']],
  'the document: roles between': [['document/limits', 'a role to assume is looked for behind as many others']],
  'the document: cycles': [['document/limits', 'as many entries on cycles are shown']],
  'the document: memory': [['core/aside', 'what takes more memory than there is for it is refused alone']],
  'a pattern or name': [
    ['document/rules', '%s can be a user'],
    ['document/rules', '%j cannot be a user'],
  ],
  'the pattern of a function': [['document/limits', 'names of functions and parameters']],
  'the name of a parameter': [['document/limits', 'names of functions and parameters']],
  'a setting of a role': [
    ['document/limits', 'names of functions and parameters, values of settings'],
    ['cycle/bounds', 'settings of a role are looked at up to their limits'],
  ],
  "a role's comment": [
    ['document/limits', 'names of functions and parameters, values of settings, and comments'],
    ['cycle/bounds', 'verifiers and comments of any length are cut on the server'],
  ],
  'a stored verifier': [
    ['core/limits', 'a verifier may ask for as many rounds as are computed'],
    ['cycle/bounds', 'verifiers and comments of any length are cut on the server'],
    ['cycle/passwords', 'a verifier that would take half an hour to compare'],
  ],
  'a verifier in a Secret': [['core/limits', 'a password is as long as it may be, and a verifier in a Secret']],
  'a connection Secret: keys': [['document/limits', 'a connection Secret has as many keys']],
  'a Secret that is read as a whole': [
    ['sources/secret-room', 'Secrets are known as a whole up to the limit of one and of all together'],
    ['sources/secret-memory', 'of a Secret that is wanted as a whole what others put into it has a bound'],
  ],
  'the event trigger': [
    ['core/limits', 'the rules of an event trigger take as many bytes as they may'],
    ['triggers/guest', 'where the document has more rules than a session should hold'],
  ],
  'the files of `DB_PASS_FILE`': [['sources/bounded-file', 'is read up to its limit, and not with one byte more']],
  "a Secret's password": [['core/limits', 'a password is as long as it may be']],
  "a Secret's value": [['sources/secret-memory', 'a value is kept up to its limit, and one byte more is told']],
  'a role that is to be dropped': [['cycle/passed-on', 'what it costs grows with what was passed on, and no faster; past the limit the user stays']],
  'a database: tables': [
    ['cycle/bounds', 'at the limit it is read, and with one object more it is told'],
    ['cycle/bounds', 'databases that are too much together are read one after the other'],
  ],
  'a snapshot': [['core/snapshot-file', 'has as many bytes and items as may be, and no more']],
  'beside ACLs': [['access/answers', 'as many functions as are looked at beside ACLs are read, and one more is said to be too many']],
  'an answer of the server': [
    ['sessions/answers', '%s may be as long as the limit, and is refused beyond it'],
    ['daemon/outages', '$outage, as $name: an error in the log, metrics, /status and not ready'],
  ],
  'explain and who-can': [['explain/who-can', 'as many functions as are looked at are told of, and one more is said to be too many']],
  'a folder of manifests': [['sources/directory', 'as many files and bytes as a folder may hold are read']],
  'a file of it': [
    ['sources/directory', 'a file and a document in it are read at their limits'],
    ['sources/directory', 'aliases are taken up to their limit'],
  ],
  'replicas: Leases': [['replicas/model', 'of any number of announcements a bounded number counts']],
  'HTTP: connections': [['http/bounds', 'as many connections as are allowed stay, and the oldest ends with one more']],
  'HTTP: a header': [['http/bounds', 'a header and a body are taken at their limit and refused beyond it']],
  'HTTP: time': [['http/bounds', 'a connection that asks for nothing ends by itself']],
  'HTTP: requests': [['http/bounds', 'a connection is answered as often as it may ask']],
  'HTTP: problems': [['http/bounds', '/status shows so many problems and notices']],
  'a line of the log as text': [['observe/text-lines', 'a line is no longer than somebody reads, and nothing of it is a command to a terminal']],
  'the audit log: rows': [
    ['cycle/audit-log', 'past the number of rows repairs go first'],
    ['cycle/audit-log', 'rows that are old go, an intent with what closed it'],
  ],
  'the audit log: revisions': [['history/revisions', 'as many revisions are kept as AUDIT_MAX_REVISIONS says']],
  'the log': [
    ['observe/log', 'what nobody reads is left out beyond its bound'],
    ['observe/log', 'a daemon whose log is not read answers its probes'],
  ],
  'an error message': [['core/limits', 'a message of the server is told as long as it may be']],
};

it('each row of the table has a test at its limit and beyond it', () => {
  const titles = (file: string): readonly string[] =>
    [...readFileSync(join(ROOT, file), 'utf8').matchAll(/^ *(?:it\b|\])[^\n]*?\(\s*(?:'[^'\n]*'|"[^"\n]*"|`[^`\n]*`)/gm)].map(([line]) => line);
  for (const { input } of rows) {
    const tests = Object.entries(TESTS).filter(([begin]) => input.startsWith(begin));
    expect(tests, input).toHaveLength(1);
    for (const [file, title] of tests.flatMap(([, named]) => named))
      expect(
        titles(`test/${file}.test.ts`).filter((line) => line.includes(title)),
        `${input}: ${file} «${title}»`,
      ).toHaveLength(1);
  }
  expect(rows.length).toBe(Object.keys(TESTS).length);
});
