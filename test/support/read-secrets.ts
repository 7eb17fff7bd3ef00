// Reads Secrets as a cycle does, and tells what is known of each then.
import type { SecretPlace } from '../../src/model/secret-place.ts';
import type { SecretRef } from '../../src/model/entries.ts';
import { type Ports, secretKey, type SecretReading } from '../../src/sources/ports.ts';

export async function readSecrets(
  { secrets }: Ports,
  refs: readonly SecretRef[],
  signal: AbortSignal,
  whole: readonly SecretPlace[] = [],
): Promise<ReadonlyMap<string, SecretReading>> {
  secrets.want({ refs, whole });
  await secrets.refresh(signal);
  return new Map(refs.map((ref) => [secretKey(ref), secrets.valueOf(ref)]));
}
