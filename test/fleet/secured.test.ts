// A server that speaks TLS, whose certificates are in a Secret: nobody is trusted without them, and others in their place are taken without a restart.
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { Daemon } from '../support/daemon.ts';
import { logsIn } from '../support/logs-in.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { withTls } from '../support/tls.ts';
import { entryOf, FleetFolder, shownBy, startFleet, until } from './folder.ts';

let server: Postgres;
let daemon: Daemon | undefined;
beforeAll(async () => {
  server = await startPostgres();
});
afterEach(() => daemon?.kill9());
afterAll(() => server.stop());

const isEncrypted = async (): Promise<boolean> =>
  (await server.query<{ ssl: boolean }>(`SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name LIKE 'pgsteward%'`)).every(
    ({ ssl }) => ssl,
  );

it('caSecretRef: it is out of reach without its certificates or with others, and worked on as soon as they are there', () =>
  withTls(server, async (rootFile) => {
    const folder = new FleetFolder();
    folder.admin('tls-admin', server);
    folder.document('tls-users', [{ username: 'alice' }]);
    folder.secret('user-alice-secret', { password: 'alice-1' });
    folder.servers([entryOf('tls', { hosts: [`localhost:${server.port}`], tls: { mode: 'verify-full', caSecretRef: { name: 'tls-ca' } } })]);
    const at = (daemon = await startFleet(folder));
    const outage = (what: string, message: RegExp): Promise<unknown> =>
      until(
        what,
        () => shownBy(at),
        ({ servers: { tls } }) => tls?.outage != null && message.test(tls.outage.message),
      );
    await outage('there is no Secret', /the Secret tls-ca of caSecretRef is not there/);
    folder.secret('tls-ca', { 'tls.crt': readFileSync(rootFile, 'utf8') });
    await outage('it has another key', /has no key ca\.crt/);
    folder.secret('tls-ca', { 'ca.crt': 'no certificate' });
    await outage('it is none', /nothing is changed meanwhile; look at `hosts` and `tls` of its entry in servers\.yaml/);
    expect(await logsIn(server, 'alice', 'alice-1')).toBe(false);
    expect((await at.get('/readyz')).code).toBe(503);
    folder.secret('tls-ca', { 'ca.crt': readFileSync(rootFile, 'utf8') });
    await until(
      'alice is there',
      async () => ({ is: await logsIn(server, 'alice', 'alice-1') }),
      ({ is }) => is,
    );
    expect(await isEncrypted()).toBe(true);
    // Sessions that are open go on; the next one asks for the certificates as they are by then.
    folder.secret('tls-ca', { 'ca.crt': 'no certificate' });
    await server.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'pgsteward%'`);
    await outage('they are taken away', /nothing is changed meanwhile/);
    folder.secret('tls-ca', { 'ca.crt': readFileSync(rootFile, 'utf8') });
    folder.secret('user-alice-secret', { password: 'alice-2' });
    await until(
      'and it goes on',
      async () => ({ is: await logsIn(server, 'alice', 'alice-2') }),
      ({ is }) => is,
    );
  }));
