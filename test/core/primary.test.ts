// Which of several hosts is worked on.
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { expect, it } from 'vitest';
import type { HostPort } from '../../src/model/fleet.ts';
import { createHosts } from '../../src/postgres/hosts.ts';
import { atPrimary } from '../../src/postgres/primary.ts';

const HOSTS = ['a', 'b', 'c'].map((host) => ({ host, port: 5432 })) as [HostPort, HostPort, HostPort];

/** Hosts by what each is: a number is the timeline of a primary. */
function world(what: Record<string, number | 'standby' | 'dead' | 'silent' | { readonly after: number; readonly timeline: number }>) {
  const asked: string[] = [];
  const open = new Set<string>();
  const login = async ({ host }: HostPort): Promise<pg.Client> => {
    asked.push(host);
    const is = what[host] ?? 'dead';
    if (is === 'dead') throw new Error(`${host} is dead`);
    if (is === 'silent') return new Promise(() => undefined);
    if (typeof is === 'object') await sleep(is.after);
    const timeline = typeof is === 'object' ? is.timeline : is;
    open.add(host);
    const row = [timeline === 'standby', typeof timeline === 'number' ? `${String(timeline).padStart(8, '0')}0000000000000000` : null, '1'];
    return { host, query: async () => ({ rows: [row] }), end: async () => void open.delete(host) } as unknown as pg.Client;
  };
  const hosts = createHosts(HOSTS);
  const at = async (): Promise<string> => ((await atPrimary(hosts, login)) as unknown as HostPort).host;
  return { what, asked, open, hosts, at };
}

it('the one that was promoted last is taken, and asked alone from then on', async () => {
  const { at, asked, open, what } = world({ a: 1, b: 2, c: 'standby' });
  expect(await at()).toBe('b');
  expect([...open]).toEqual(['b']);
  asked.length = 0;
  expect(await at()).toBe('b');
  expect(asked).toEqual(['b']);
  what['b'] = 'dead';
  await expect(at()).rejects.toThrow('a:5432 is a former primary');
  expect([...open]).toEqual(['b']);
  what['c'] = 3;
  expect(await at()).toBe('c');
  what['b'] = 2;
  expect(await at()).toBe('c');
  what['c'] = 'standby';
  await expect(at()).rejects.toThrow('is a standby');
});

it('a host that is gone is not waited for once a primary is found, and what answers later is closed', async () => {
  const { at, open } = world({ a: 'silent', b: 2, c: { after: 2500, timeline: 1 } });
  const began = performance.now();
  expect(await at()).toBe('b');
  expect(performance.now() - began).toBeLessThan(2400);
  await sleep(1500);
  expect([...open]).toEqual(['b']);
});
