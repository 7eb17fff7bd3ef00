// docs/fleet.md: its manifests are what the code takes, and its tables are what there is.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { findDocuments } from '../../src/document/found-documents.ts';
import { POLICY_SHAPES, SERVER_SHAPE } from '../../src/document/servers-shape.ts';
import { ROOT } from '../support/daemon.ts';

const page = readFileSync(join(ROOT, 'docs/fleet.md'), 'utf8');

it('each example is valid as it is written', () => {
  const examples = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, text = '']) => text);
  expect(examples.length).toBeGreaterThan(1);
  for (const text of examples) {
    const { document, servers } = findDocuments([{ path: 'example.yaml', read: { bytes: Buffer.from(text) } }]);
    expect(document.problems, text).toEqual([]);
    expect(servers, text).toBeGreaterThan(0);
  }
});

it('every key of an entry and of its policy is told', () => {
  const keys = SERVER_SHAPE.kind === 'mapping' ? Object.keys(SERVER_SHAPE.keys) : [];
  for (const key of keys.filter((one) => one !== 'authors')) expect(page).toContain(`| \`${key}\` |`);
  for (const key of Object.keys(POLICY_SHAPES)) expect(page).toContain(`\`${key}`);
});
