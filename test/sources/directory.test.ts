// The folder of manifests: what is read, and that a file which cannot be read never looks like users who left.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { LIMITS } from '../../src/model/limits.ts';
import { MANIFEST_LIMITS } from '../../src/document/manifests.ts';
import { createDirectorySource, createFolder, directoryPorts } from '../../src/sources/directory.ts';
import type { Ports } from '../../src/sources/ports.ts';
import { readSecrets } from '../support/read-secrets.ts';

let folder: string;
let source: Ports;
const NAMES = { namespace: 'postgres', configMapName: 'users' };
const signal = new AbortController().signal;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pgsteward-dir-'));
  source = createDirectorySource(folder, NAMES);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
const configMap = 'kind: ConfigMap\nmetadata: {name: users}\ndata: {users.yaml: "users: [{username: a}]"}\n';
const secret = (name: string, rest = 'stringData: {password: s3cret}') => `kind: Secret\nmetadata: {name: ${name}}\n${rest}\n`;
const read = async (name: string) => (await readSecrets(source, [{ name, key: 'password' }], signal)).get(`${name}/password`);

it('reads several documents a file, both kinds of data, lists, JSON, and folders within', async () => {
  mkdirSync(join(folder, 'deep'));
  write('all.yaml', `# comment\n---\n${configMap}---\n${secret('one')}---\n${secret('two', 'data: {password: c2VjcmV0}')}---\n---\n`);
  write('deep/list.json', JSON.stringify({ kind: 'List', items: [{ kind: 'Secret', metadata: { name: 'three' }, stringData: { password: 'x' } }] }));
  write('other.yaml', `kind: Secret\nmetadata: {name: one, namespace: elsewhere}\nstringData: {password: no}\n`);
  expect(Buffer.from((await source.documents.read(signal)).content).toString()).toBe('users: [{username: a}]');
  for (const [name, value] of [
    ['one', 's3cret'],
    ['two', 'secret'],
    ['three', 'x'],
  ] as const)
    expect(await read(name)).toMatchObject({ kind: 'value', value: Buffer.from(value) });
  expect(await read('four')).toMatchObject({ kind: 'missing' });
  expect(JSON.stringify(await read('one'))).not.toContain('s3cret');
});

it('a broken file makes what it held unreadable, never missing', async () => {
  write('config.yaml', configMap);
  write('secrets.yaml', secret('one'));
  await source.documents.read(signal);
  write('secrets.yaml', 'kind: Secret\nmetadata: {name: [');
  await source.documents.read(signal);
  expect(await read('one')).toMatchObject({ kind: 'unreadable', detail: expect.stringContaining('secrets.yaml: line ') as string });
  write('config.yaml', 'kind: ConfigMap\nmetadata: {name: us');
  await expect(source.documents.read(signal)).rejects.toMatchObject({ reason: 'malformed' });
});

it('two of the same name are refused with both files, and nothing is a finding of its own', async () => {
  await expect(source.documents.read(signal)).rejects.toMatchObject({ reason: 'not_found' });
  write('a.yaml', configMap);
  write('b.yaml', configMap);
  await expect(source.documents.read(signal)).rejects.toThrow('a.yaml and in b.yaml');
  rmSync(join(folder, 'b.yaml'));
  write('s.yaml', `${secret('one')}---\n${secret('one')}`);
  await source.documents.read(signal);
  expect(await read('one')).toMatchObject({ kind: 'unreadable' });
  rmSync(folder, { recursive: true });
  await expect(source.documents.read(signal)).rejects.toMatchObject({ reason: 'not_found' });
});

it('a key that stands twice is told with its line, and aliases are taken up to their limit', async () => {
  write('config.yaml', configMap);
  const aliases = (count: number): string => `${secret('one')}note: &n {a: 1}\nnotes: [${Array.from({ length: count }, () => '*n').join(', ')}]\n`;
  const readWith = async (text: string): Promise<unknown> => {
    write('s.yaml', text);
    await source.documents.read(signal);
    return read('one');
  };
  expect(await readWith(aliases(MANIFEST_LIMITS.aliases))).toMatchObject({ kind: 'value' });
  expect(await readWith(aliases(MANIFEST_LIMITS.aliases + 1))).toMatchObject({
    kind: 'unreadable',
    detail: 's.yaml: line 5: not valid YAML (TOO_MANY_ALIASES)',
  });
  const twice = 'kind: Secret\nmetadata: {name: one}\nstringData:\n  password: a\n  "password": b\n';
  expect(await readWith(`---\n${twice}`)).toMatchObject({ kind: 'unreadable', detail: 's.yaml: line 6: not valid YAML (DUPLICATE_KEY)' });
});

it('twenty thousand manifests of one name cost no more than as many of others, and a message names three of them', async () => {
  write('config.yaml', configMap);
  write('many.json', JSON.stringify({ kind: 'List', items: Array.from({ length: 20_000 }, () => ({ kind: 'Secret', metadata: { name: 'one' } })) }));
  await source.documents.read(signal);
  const began = process.threadCpuUsage();
  expect(await read('one')).toEqual({ kind: 'unreadable', detail: 'it is in many.json and in many.json and in many.json and in 19997 more' });
  // A copy of the list for each of them took a minute.
  expect(process.threadCpuUsage(began).user / 1_000_000).toBeLessThan(5);
});

it('as many files and bytes as a folder may hold are read, with one more nothing of it is, and with one less it goes on', async () => {
  write('config.yaml', configMap);
  write('s.yaml', secret('one'));
  const bytes = configMap.length + secret('one').length;
  const limited = (limits: { files?: number; bytes?: number }): Ports => createDirectorySource(folder, NAMES, { ...MANIFEST_LIMITS, ...limits });
  for (const [most, less, message] of [
    [{ files: 2 }, { files: 1 }, 'has more than 1 manifests; nothing of it is read until there is less'],
    [{ bytes }, { bytes: bytes - 1 }, `have ${bytes} bytes together, and at most ${bytes - 1} are read; nothing of it is read until there is less`],
  ] as const) {
    expect((await limited(most).documents.read(signal)).file).toBe('users.yaml');
    await expect(limited(less).documents.read(signal)).rejects.toMatchObject({ reason: 'malformed', message: expect.stringContaining(message) as string });
  }
  source = limited({ files: 2 });
  await source.documents.read(signal);
  write('more.yaml', secret('two'));
  await expect(source.documents.read(signal)).rejects.toMatchObject({ reason: 'malformed' });
  // What it held last.
  expect(await read('one')).toMatchObject({ kind: 'value' });
  rmSync(join(folder, 'more.yaml'));
  await source.documents.read(signal);
});

it('a file and a document in it are read at their limits, and beyond them only they are not', async () => {
  write('config.yaml', configMap);
  const most = secret('one').length;
  source = createDirectorySource(folder, NAMES, { ...MANIFEST_LIMITS, fileBytes: Math.max(most, configMap.length) });
  const readWith = async (name: string, text: string): Promise<unknown> => {
    write(name, text);
    await source.documents.read(signal);
    rmSync(join(folder, name));
    return read('one');
  };
  const filled = (bytes: number): string => secret('one').padEnd(bytes, '#');
  const fileBytes = Math.max(most, configMap.length);
  expect(await readWith('s.yaml', filled(fileBytes))).toMatchObject({ kind: 'value' });
  expect(await readWith('s.yaml', filled(fileBytes + 1))).toMatchObject({ detail: `s.yaml: has ${fileBytes + 1} bytes; at most ${fileBytes} are read` });
  source = createDirectorySource(folder, NAMES);
  const { documentBytes, jsonMarks } = MANIFEST_LIMITS;
  expect(await readWith('s.yaml', filled(documentBytes))).toMatchObject({ kind: 'value' });
  expect(await readWith('s.yaml', filled(documentBytes + 1))).toMatchObject({
    detail: `s.yaml: line 1: the document has ${documentBytes + 1} characters; at most ${documentBytes} are read in YAML, write it in JSON`,
  });
  // What the Secret itself has, and a comment and its line end for each two more.
  const tokens = (count: number): string => `${'#\n'.repeat(Math.floor((count - 34) / 2))}${secret('one')}${'#'.repeat((count - 34) % 2)}`;
  expect(await readWith('s.yaml', tokens(LIMITS.documentTokens))).toMatchObject({ kind: 'value' });
  expect(await readWith('s.yaml', tokens(LIMITS.documentTokens + 1))).toMatchObject({
    detail: expect.stringContaining(`more than ${LIMITS.documentTokens} words, brackets, spaces and line ends; write it in JSON`) as string,
  });
  const marks = (count: number): string =>
    JSON.stringify({ kind: 'Secret', metadata: { name: 'one' }, stringData: { password: '[,":{}' }, x: Array.from({ length: count - 12 }, () => 1) });
  expect(await readWith('s.json', marks(jsonMarks))).toMatchObject({ kind: 'value' });
  expect(await readWith('s.json', marks(jsonMarks + 1))).toMatchObject({
    detail: `s.json: has more than ${jsonMarks} brackets, braces, colons and commas; write it in several files`,
  });
});

it('who asks again while a large file is still read waits for the same reading', async () => {
  write('config.yaml', configMap);
  write('s.yaml', `${secret('one')}${'#\n'.repeat(60_000)}`);
  const both = await Promise.all([source.documents.read(signal), source.documents.read(signal)]);
  expect(both[0]).toEqual(both[1]);
  const first = await read('one');
  write('s.yaml', secret('one', 'stringData: {password: other}'));
  await source.documents.read(signal);
  expect([first, await read('one')]).toMatchObject([{ value: Buffer.from('s3cret') }, { value: Buffer.from('other') }]);
});

it('nobody waits for the large document of another one, and whoever reads that gets it as it is', async () => {
  const shared = createFolder(folder);
  const [small, large] = ['users', 'large'].map((configMapName) => directoryPorts(shared, { ...NAMES, configMapName })) as [Ports, Ports];
  const textOf = async ({ documents }: Ports): Promise<string> => Buffer.from((await documents.read(signal)).content).toString();
  const put = (count: number): void => {
    const users = Array.from({ length: 4000 }, (_, index) => `    - {username: user-${index}, connectionLimit: ${count}}`).join('\n');
    write('large.yaml', `kind: ConfigMap\nmetadata: {name: large}\ndata:\n  users.yaml: |\n    users:\n${users}\n`);
    write('users.yaml', configMap.replace('username: a', `username: a${count}`));
  };
  put(0);
  expect(await textOf(large)).toContain('connectionLimit: 0}');
  for (const count of [1, 2, 3]) {
    put(count);
    let isLargeRead = false;
    const before = textOf(large).then((text) => ((isLargeRead = true), text));
    expect(await textOf(small)).toContain(`a${count}`);
    expect(isLargeRead).toBe(false);
    expect(await before).toContain(`connectionLimit: ${count}}`);
  }
  // It is edited again while it is read: what was read of it counts, and then what it is by now.
  put(4);
  await textOf(small);
  put(5);
  const [first, second] = [await textOf(large), await textOf(large)];
  expect(first).toMatch(/connectionLimit: [45]}/);
  expect(second).toContain('connectionLimit: 5}');
  // One that moves into a file that is not read yet is found there.
  write(
    'large.yaml',
    `kind: ConfigMap\nmetadata: {name: large}\ndata:\n  users.yaml: |\n    users:\n${'    - {username: x}\n'.repeat(4000)}---\n${configMap.replace('username: a', 'username: moved')}`,
  );
  rmSync(join(folder, 'users.yaml'));
  expect(await textOf(small)).toContain('moved');
});
