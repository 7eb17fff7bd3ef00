// Golden files: outputs as they were agreed to. UPDATE=1 writes them anew, and their difference is what is reviewed.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { ROOT } from './daemon.ts';

const fileOf = (name: string): string => join(ROOT, 'test/commands/golden', name);

/** What is agreed to. */
export const golden = (name: string): string => readFileSync(fileOf(name), 'utf8');

export function expectGolden(name: string, text: string): void {
  if (process.env['UPDATE'] === '1') writeFileSync(fileOf(name), text);
  expect(text).toBe(golden(name));
}
