// A certificate that signs itself, for a server called localhost in tests: it is known to everybody and protects nothing.
import { chownSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { unprivileged } from './binaries.ts';
import type { Postgres } from './postgres.ts';

const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBlTCCATugAwIBAgIUaq459SiwotyqQRU2jFodEGxd0b0wCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTEyNTIxMFoYDzIxMjYxMDI4
MTI1MjEwWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAARth9ZyvupK87FU5spYmyLVkBMTlBJTQiIxrRUid0Kkx1fC5aGmiu6G
qJk+Qx13BcGReuY1iDBpQh/8ZC+lHLWao2kwZzAdBgNVHQ4EFgQUcM79oBXKEO6m
T0x+M7+OWu3X1rIwHwYDVR0jBBgwFoAUcM79oBXKEO6mT0x+M7+OWu3X1rIwDwYD
VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglsb2NhbGhvc3QwCgYIKoZIzj0EAwID
SAAwRQIhAKYYWcxl16qRGt8SQgL2SUzu06PIWtGJ44yHHe06DpXAAiAJrQVL2gi7
megxE/DSGQg1oal+g9NVoKNjvy8kCMWMww==
-----END CERTIFICATE-----
`;
const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgdcNJvsd/BlxXedz9
9bhL5Sd98vz4b8iRzExeG1S4/PmhRANCAARth9ZyvupK87FU5spYmyLVkBMTlBJT
QiIxrRUid0Kkx1fC5aGmiu6GqJk+Qx13BcGReuY1iDBpQh/8ZC+lHLWa
-----END PRIVATE KEY-----
`;

/** Runs `work` while the server speaks TLS. @param work takes the file of the root certificate. */
export async function withTls(server: Postgres, work: (rootFile: string) => Promise<void>): Promise<void> {
  const account = unprivileged();
  const rootFile = join(server.dataDir, 'server.crt');
  for (const [file, text] of [
    [rootFile, CERTIFICATE],
    [join(server.dataDir, 'server.key'), KEY],
  ] as const) {
    writeFileSync(file, text, { mode: 0o600 });
    if (account?.uid !== undefined && account.gid !== undefined) chownSync(file, account.uid, account.gid);
  }
  const set = async (sql: string): Promise<void> => {
    await server.query(sql);
    await server.query('SELECT pg_reload_conf()');
    await sleep(300);
  };
  await set('ALTER SYSTEM SET ssl = on');
  try {
    await work(rootFile);
  } finally {
    await set('ALTER SYSTEM RESET ssl');
  }
}
