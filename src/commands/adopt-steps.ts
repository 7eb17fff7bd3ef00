// The steps by which an imported server is taken over, each with its command; docs/adopt.md says what to look at.
import type { Config } from '../config.ts';

/** A line each. */
export function adoptSteps({ source, server }: Pick<Config, 'source' | 'server'>): readonly string[] {
  const at = `-n ${source.namespace}`;
  const settings = (...pairs: readonly string[]): string => `kubectl ${at} set env deployment/pgsteward ${pairs.join(' ')}`;
  return [
    'To take this server over, a step at a time; docs/adopt.md says what to look at in each:',
    '1. Keep the document, and look through the lines above: what is left out or additive, and what ALLOWED_ROLES or ALLOWED_SETTINGS would allow.',
    '     pgsteward validate users.yaml',
    '2. See that it changes nothing but event triggers, which pgsteward keeps for itself:',
    `     pgsteward plan --host ${server.host} --document users.yaml --without-secrets`,
    '3. Put it in force so that nothing is taken from anybody: what the document does not give is told (held) and stays.',
    `     kubectl ${at} create configmap ${source.configMapName} --from-file=users.yaml`,
    `     ${settings('REVOKES=report', 'DELETION_POLICY=retain')}`,
    '4. Wait until the rhythm of the server has been seen, and read what is held; write it into the document, or let it go.',
    `     kubectl ${at} get configmap ${source.configMapName}-status -o yaml`,
    '5. Give users their Secrets one by one: put the password that it has into user-<name>-secret, and take `password: none` away; or `password: {generate: {}}` for a new one.',
    '6. Let the document decide. To stop at any moment, pause it, which writes nothing more:',
    `     ${settings('REVOKES=apply')}`,
    `     kubectl ${at} annotate --overwrite configmap ${source.configMapName} pgsteward.dev/paused=true`,
  ];
}
