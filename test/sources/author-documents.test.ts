// ConfigMaps of one author, each of which may have a megabyte: how many of them, and how much of all, is read and kept.
import { expect, it } from 'vitest';
import type { KubeClient } from '../../src/kubernetes/client.ts';
import { LIMITS } from '../../src/model/limits.ts';
import { createDocumentFinder } from '../../src/sources/kubernetes-documents.ts';

const FROM = { namespace: 'team-shop', matchLabels: { 'pgsteward.dev/server': 'orders' } };

/** An API server with these ConfigMaps, by how many bytes each has. */
function holding(sizes: () => readonly number[]) {
  const asked = { pages: 0, read: 0 };
  const metadata = (index: number) => ({ name: `c${index}`, namespace: FROM.namespace, uid: `u${index}`, resourceVersion: String(sizes()[index]) });
  const client: Pick<KubeClient, 'send'> = {
    send: async ({ verb, name = '' }, { query = {} }) => {
      if (verb === 'list') {
        asked.pages += 1;
        const from = Number(query['continue'] ?? 0);
        const items = sizes()
          .slice(from, from + 50)
          .map((_, index) => ({ metadata: metadata(from + index) }));
        return { metadata: { resourceVersion: '1', ...(from + 50 < sizes().length ? { continue: String(from + 50) } : {}) }, items };
      }
      asked.read += 1;
      const index = Number(name.slice(1));
      return { metadata: metadata(index), data: { 'users.yaml': 'x'.repeat(sizes()[index] ?? 0) } };
    },
  };
  return { finder: createDocumentFinder(client as KubeClient), asked };
}

it('with more bytes than are kept of one author nothing of it is read any further, and what it had stays', async () => {
  let sizes = Array.from({ length: 4 }, () => 1_048_576);
  const { finder, asked } = holding(() => sizes);
  const { signal } = new AbortController();
  expect(await finder.find(FROM, signal)).toHaveLength(4);
  expect(LIMITS.authorBytes).toBe(4 * 1_048_576);
  sizes = Array.from({ length: 100 }, () => 1_048_576);
  asked.read = 0;
  await expect(finder.find(FROM, signal)).rejects.toThrow(
    'ConfigMaps with more bytes of the namespace team-shop have the labels, and at most 4,194,304 are read',
  );
  expect(asked.read).toBeLessThan(30);
  sizes = [...Array.from({ length: 4 }, () => 1_048_576), 1];
  await expect(finder.find(FROM, signal)).rejects.toThrow('more bytes');
  sizes = [10, 20];
  expect(await finder.find(FROM, signal)).toHaveLength(2);
});

it('as many ConfigMaps are read as may be, and of more not even all are listed', async () => {
  const { signal } = new AbortController();
  expect(await holding(() => Array.from({ length: 100 }, () => 1)).finder.find(FROM, signal)).toHaveLength(100);
  await expect(holding(() => Array.from({ length: 101 }, () => 1)).finder.find(FROM, signal)).rejects.toThrow('101 ConfigMaps or more');
  const { finder, asked } = holding(() => Array.from({ length: 5000 }, () => 1));
  await expect(finder.find(FROM, signal)).rejects.toThrow('150 ConfigMaps or more of the namespace team-shop have the labels, and at most 100 are read');
  expect(asked).toEqual({ pages: 3, read: 0 });
});
