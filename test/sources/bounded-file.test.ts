// Files of others: what stands in their place by the time that they are opened is neither waited for nor read beyond a limit.
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readInputs } from '../../src/commands/inputs.ts';
import { MANIFEST_LIMITS } from '../../src/document/manifests.ts';
import { readOpen, readRegular, readRegularOrPipe } from '../../src/files/bounded-file.ts';
import { createKubeClient } from '../../src/kubernetes/client.ts';
import { LIMITS } from '../../src/model/limits.ts';
import { configuredPassword } from '../../src/postgres/admin-password.ts';
import { tlsOptions } from '../../src/postgres/connection.ts';
import { type File, scan } from '../../src/sources/manifest-files.ts';
import { loadState } from '../../src/state/state-file.ts';
import { Readable } from 'node:stream';
import { call } from '../commands/call.ts';
import { ROOT } from '../support/daemon.ts';

let folder: string;
const { signal } = new AbortController();
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'pgsteward-files-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const at = (name: string): string => join(folder, name);
const pipe = (name: string): string => {
  execFileSync('mkfifo', [at(name)]);
  return at(name);
};
const folderAt = (name: string): string => {
  mkdirSync(at(name));
  return at(name);
};
/** Its size is told as 0, as that of a file which is written after it was asked. */
const GROWING = '/proc/self/mountinfo';

it('a file is read up to its limit, and not with one byte more', async () => {
  writeFileSync(at('full'), 'x'.repeat(100_000));
  expect((await readRegular(at('full'), 100_000)).bytes).toHaveLength(100_000);
  await expect(readRegular(at('full'), 99_999)).rejects.toThrow('has more than 99999 bytes, which is all that is read');
  expect(await readRegularOrPipe(at('full'), 100_000)).toHaveLength(100_000);
  await expect(readRegularOrPipe(at('full'), 99_999)).rejects.toThrow('has more than 99999 bytes');
});

it('a file that grows while it is read is read up to its limit', async () => {
  expect((await readRegular(GROWING, 1_000_000)).bytes.length).toBeGreaterThan(10);
  await expect(readRegular(GROWING, 10)).rejects.toThrow('has more than 10 bytes');
  const descriptor = openSync(GROWING, 'r');
  expect(() => readOpen(descriptor, 10)).toThrow('has more than 10 bytes');
  closeSync(descriptor);
});

it.each([
  ['a pipe that nobody writes to', () => pipe('p'), 'is no regular file'],
  ['a device without end', () => '/dev/zero', 'is no regular file'],
  ['a folder', () => folderAt('f'), 'is a folder'],
])('%s is refused at once, by a link as well', async (_what, make, said) => {
  const path = make();
  symlinkSync(path, at('link'));
  for (const one of [path, at('link')]) await expect(readRegular(one, 10)).rejects.toThrow(said);
});

it('a manifest in whose place somebody puts a pipe after the folder was listed is told, and keeps what it held', async () => {
  const secret = (name: string): string => `kind: Secret\nmetadata: {name: ${name}}\n`;
  writeFileSync(at('a.yaml'), secret('one'));
  writeFileSync(at('b.yaml'), secret('two'));
  const before = await scan(folder, new Map(), MANIFEST_LIMITS, signal);
  for (const name of ['a.yaml', 'b.yaml']) writeFileSync(at(name), `${secret('other')}# changed\n`);
  /** By the time that what was known of a file is looked up, the folder is listed, and the file is not open. */
  class Meddling extends Map<string, File> {
    override get(key: string): File | undefined {
      if (key === 'b.yaml') {
        rmSync(at(key), { force: true });
        pipe(key);
      }
      return super.get(key);
    }
  }
  const files = await scan(folder, new Meddling(before), MANIFEST_LIMITS, signal);
  expect(files.get('a.yaml')?.error).toBeUndefined();
  expect(files.get('b.yaml')).toMatchObject({ error: 'is no regular file', lastNames: new Set(['Secret/two']) });
});

it('a manifest that is another one by the time that it is read is known by what was read', async () => {
  writeFileSync(at('a.yaml'), 'kind: Secret\nmetadata: {name: one}\n');
  class Meddling extends Map<string, File> {
    override get(key: string): File | undefined {
      writeFileSync(at(key), `kind: Secret\nmetadata: {name: another}\n`);
      return super.get(key);
    }
  }
  const first = await scan(folder, new Meddling(), MANIFEST_LIMITS, signal);
  expect(first.get('a.yaml')?.lastNames).toEqual(new Set(['Secret/another']));
  expect(await scan(folder, first, MANIFEST_LIMITS, signal)).toBe(first);
});

it('what grew since the folder was listed is bounded together with the others', async () => {
  const text = 'kind: Secret\nmetadata: {name: one}\n';
  for (const name of ['a.yaml', 'b.yaml']) writeFileSync(at(name), text);
  class Meddling extends Map<string, File> {
    override get(key: string): File | undefined {
      writeFileSync(at(key), `${text}# ${'x'.repeat(200)}\n`);
      return super.get(key);
    }
  }
  const files = await scan(folder, new Meddling(), { files: 10, fileBytes: 1000, bytes: 350 }, signal);
  expect([...files.values()].map(({ error }) => error === undefined)).toEqual([true, false]);
});

it('validate reads pipes that somebody writes to, and waits for no other and for no device', async () => {
  const stdin = Readable.from([Buffer.from('from stdin')]);
  const files = await readInputs([pipe('silent'), '/dev/zero', folderAt('f'), at('none'), '-'], stdin);
  expect(files.map(({ read }) => read.message ?? read.bytes.toString())).toEqual([
    'cannot be read: it is a pipe that nobody writes to',
    'cannot be read: it is a device; name a file, a pipe or - for standard input',
    'cannot be read: it is a folder; name the files in it',
    'cannot be read: there is no such file',
    'from stdin',
  ]);
  const command = `"${ROOT}/bin/pgsteward" validate <(sleep 0.2; echo 'users: [{usrname: a}]')`;
  const { code, stdout } = await call(['--norc', '-c', command], { command: 'bash' });
  expect({ code, stdout }).toEqual({ code: 1, stdout: expect.stringContaining('unknown key `usrname`') as string });
});

it.each([
  ['a pipe', () => pipe('p'), 'is no regular file'],
  ['a device', () => '/dev/zero', 'is no regular file'],
])('%s in the place of the files that settings name is told and not waited for', async (_what, make, said) => {
  const path = make();
  const candidates = configuredPassword({ password: undefined, passwordFile: path }).candidates();
  await expect(candidates[Symbol.asyncIterator]().next()).rejects.toThrow(`the file of DB_PASS_FILE, ${path}, ${said}`);
  await expect(tlsOptions({ mode: 'verify-full', rootCert: path })).rejects.toThrow(`the file of DB_SSL_ROOT_CERT, ${path}, ${said}`);
  await expect(
    createKubeClient({ kubeconfig: path, timeoutMs: 1000 }).send({ verb: 'get', resource: 'configmaps', namespace: 'n', name: 'x' } as never, { signal }),
  ).rejects.toThrow(`${path} ${said}`);
  expect(loadState(path, 'a/b')).toMatchObject({ isRefused: true, problem: expect.stringContaining('is no regular file') as string });
});

it('a password file is as long as a value of a Secret may be', async () => {
  const read = async (length: number): Promise<unknown> => {
    writeFileSync(at('password'), 'x'.repeat(length));
    for await (const password of configuredPassword({ password: undefined, passwordFile: at('password') }).candidates()) return password;
    return undefined;
  };
  expect(await read(LIMITS.secretValue)).toHaveLength(LIMITS.secretValue);
  await expect(read(LIMITS.secretValue + 1)).rejects.toThrow(`has more than ${LIMITS.secretValue} bytes`);
});
