// The folder of manifests: what is read, and that a file which cannot be read never looks like users who left.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createDirectorySource } from '../../src/sources/directory.ts';
import type { Source } from '../../src/sources/source.ts';

let folder: string;
let source: Source;
const signal = new AbortController().signal;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pgsteward-dir-'));
  source = createDirectorySource(folder, { namespace: 'postgres', configMapName: 'users' });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
const configMap = 'kind: ConfigMap\nmetadata: {name: users}\ndata: {users.yaml: "users: [{username: a}]"}\n';
const secret = (name: string, rest = 'stringData: {password: s3cret}') => `kind: Secret\nmetadata: {name: ${name}}\n${rest}\n`;
const read = async (name: string) => (await source.readSecrets([{ name, key: 'password' }], signal)).get(`${name}/password`);

it('reads several documents a file, both kinds of data, lists, JSON, and folders within', async () => {
  mkdirSync(join(folder, 'deep'));
  write('all.yaml', `# comment\n---\n${configMap}---\n${secret('one')}---\n${secret('two', 'data: {password: c2VjcmV0}')}---\n---\n`);
  write('deep/list.json', JSON.stringify({ kind: 'List', items: [{ kind: 'Secret', metadata: { name: 'three' }, stringData: { password: 'x' } }] }));
  write('other.yaml', `kind: Secret\nmetadata: {name: one, namespace: elsewhere}\nstringData: {password: no}\n`);
  expect(Buffer.from((await source.readDocument(signal)).content).toString()).toBe('users: [{username: a}]');
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
  await source.readDocument(signal);
  write('secrets.yaml', 'kind: Secret\nmetadata: {name: [');
  await source.readDocument(signal);
  expect(await read('one')).toMatchObject({ kind: 'unreadable', detail: expect.stringContaining('secrets.yaml: line ') as string });
  write('config.yaml', 'kind: ConfigMap\nmetadata: {name: us');
  await expect(source.readDocument(signal)).rejects.toMatchObject({ reason: 'malformed' });
});

it('two of the same name are refused with both files, and nothing is a finding of its own', async () => {
  await expect(source.readDocument(signal)).rejects.toMatchObject({ reason: 'not_found' });
  write('a.yaml', configMap);
  write('b.yaml', configMap);
  await expect(source.readDocument(signal)).rejects.toThrow('a.yaml and in b.yaml');
  rmSync(join(folder, 'b.yaml'));
  write('s.yaml', `${secret('one')}---\n${secret('one')}`);
  await source.readDocument(signal);
  expect(await read('one')).toMatchObject({ kind: 'unreadable' });
  rmSync(folder, { recursive: true });
  await expect(source.readDocument(signal)).rejects.toMatchObject({ reason: 'not_found' });
});
