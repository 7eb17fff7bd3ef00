// The password of every test's and demo's superuser: random, made once for each folder of our own, and known to no other account.
import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ownCache } from './binaries.ts';

/** A link makes its file appear at once and whole. */
export function ownPassword(): string {
  const file = join(ownCache(), 'password');
  const partial = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
  writeFileSync(partial, randomBytes(24).toString('hex'), { mode: 0o600, flag: 'wx' });
  try {
    linkSync(partial, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(partial);
  }
  return readFileSync(file, 'utf8');
}
