// The login of a server is nobody's password, wherever it is named; a Secret of that name in a namespace of an author is another one.
import { expect, it } from 'vitest';
import type { Ports } from '../../src/sources/ports.ts';
import { withoutReserved } from '../../src/sources/reserved-secrets.ts';

it('keeps the logins of servers from documents, by their namespace and name', () => {
  const value = { kind: 'value', value: Buffer.from('x'), version: '1' } as const;
  const ports = { secrets: { valueOf: () => value }, wholeSecrets: { of: () => ({ kind: 'read', object: undefined }) } } as unknown as Ports;
  const { secrets, wholeSecrets } = withoutReserved(ports, 'postgres', () => new Set(['orders-admin']));
  const kinds = (namespace: string | undefined, name: string): readonly unknown[] => [
    secrets.valueOf({ namespace, name, key: 'password' }).kind,
    wholeSecrets?.of({ namespace: namespace ?? 'postgres', name }).kind,
  ];
  expect(kinds(undefined, 'orders-admin')).toEqual(['unreadable', 'unreadable']);
  expect(kinds('postgres', 'orders-admin')).toEqual(['unreadable', 'unreadable']);
  expect(kinds('team-shop', 'orders-admin')).toEqual(['value', 'read']);
  expect(kinds(undefined, 'orders-alice')).toEqual(['value', 'read']);
});
