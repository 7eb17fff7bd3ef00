// validate with servers.yaml: what is beyond a scope is said without a server.
import { expect, it } from 'vitest';
import { findDocuments } from '../../src/document/found-documents.ts';

const configMap = (name: string, namespace: string, labels: object, key: string, content: object): string =>
  JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace, labels }, data: { [key]: JSON.stringify(content) } });

const servers = {
  servers: [
    {
      name: 'orders',
      adminSecretRef: { name: 'orders-steward' },
      documents: [{ name: 'orders-users' }],
      authors: ['shop', 'bill'].map((name) => ({
        name,
        from: { namespace: name, matchLabels: { server: 'orders' } },
        may: { names: [`${name}_*`], databases: [name] },
      })),
    },
  ],
};

const found = (...texts: readonly string[]) =>
  findDocuments(texts.map((text, index) => ({ path: `${index}.json`, read: { bytes: Buffer.from(text) } }))).document.problems.map(
    ({ message, position }) => `${position.file}: ${message}`,
  );

it('names of others and databases beyond the scope are refused, and memberships wait for consent', () => {
  const shop = {
    users: [
      { username: 'shop_app', database: 'shop', roles: ['bill_reader'] },
      { username: 'bill_app', database: 'bill' },
    ],
  };
  const bill = (more: object) => ({ users: [], allowEmpty: true, roles: [{ name: 'bill_reader', ...more }] });
  const own = configMap('orders-users', 'postgres', {}, 'users.yaml', { users: [{ username: 'op' }] });
  const all = (more: object) => [
    configMap('fleet', 'postgres', {}, 'servers.yaml', servers),
    own,
    configMap('users', 'shop', { server: 'orders' }, 'users.yaml', shop),
    configMap('users', 'bill', { server: 'orders' }, 'users.yaml', bill(more)),
  ];
  expect(found(...all({ sharedWith: ['shop'] }))).toEqual([
    '2.json#users/users.yaml: the name `bill_app` is beyond what this author may; it may declare the names: `shop_*`',
  ]);
  expect(found(...all({}))).toContainEqual(expect.stringContaining('`sharedWith: [shop]`'));
});

it('a ConfigMap of another namespace, or without the labels, is no document of an author', () => {
  const fleet = configMap('fleet', 'postgres', {}, 'servers.yaml', servers);
  const same = { users: [{ username: 'shop_app' }] };
  expect(found(fleet, configMap('users', 'elsewhere', { server: 'orders' }, 'users.yaml', same), configMap('more', 'shop', {}, 'users.yaml', same))).toEqual(
    [],
  );
});
