// The configuration of one of several servers: what follows its primary.
import { expect, it } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { parseServers } from '../../src/document/servers.ts';
import { serverConfig } from '../../src/fleet/server-config.ts';
import { defaultsIn } from '../../src/model/connection-content.ts';

const HOSTS = [
  { host: 'a', port: 1 },
  { host: 'b', port: 2 },
];

function configWith(connection: string) {
  const text = `servers: [{name: one, hosts: ['a:1', 'b:2'], adminSecretRef: {name: s}, documents: [{name: d}], ${connection}}]`;
  const [entry] = parseServers(Buffer.from(text), 'servers.yaml').servers;
  const settings = readConfig({ SERVERS_CONFIGMAP: 'servers' }).fleet;
  if (entry === undefined || settings === undefined) throw new Error(text);
  const secrets = { read: async () => undefined, logins: async () => [] };
  return serverConfig(settings, entry, { user: 'steward', database: 'postgres', hosts: HOSTS }, secrets, () => new Set());
}

it.each([
  ['', { host: 'a', port: 1 }, { host: 'b', port: 2 }],
  ['connection: {host: pooler}', { host: 'pooler', port: 1 }, { host: 'pooler', port: 1 }],
  ['connection: {host: pooler, port: 6432}', { host: 'pooler', port: 6432 }, { host: 'pooler', port: 6432 }],
  ['connection: {port: 6432}', { host: 'a', port: 6432 }, { host: 'b', port: 6432 }],
])('connection Secrets name the host that is worked on, unless the entry says another place: %s', (connection, before, after) => {
  const config = configWith(connection);
  const said = defaultsIn(config.connectionSecrets, 'shop');
  expect({ ...said }).toEqual({ ...before, sslmode: 'prefer', database: 'shop' });
  config.server.hosts?.primary({ host: 'b', port: 2 }, { system: '1', number: 2 });
  expect({ ...said }).toEqual({ ...after, sslmode: 'prefer', database: 'shop' });
  expect([config.server.host, config.server.port]).toEqual(['b', 2]);
});
