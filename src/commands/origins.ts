// Where what explain says comes from: the ledger is asked what was done, and the document what is wanted. What cannot be asked is said.
import type { RuleName } from '../access/find.ts';
import type { ObjectReference } from '../explain/object-name.ts';
import type { Document } from '../model/entries.ts';
import { oneLine } from '../document/show.ts';
import { linesOf, NO_DOCUMENT, type Origins, type Step } from '../explain/origins.ts';
import { saidAs } from '../explain/said-name.ts';
import { wantedBy, type WantedObject } from '../plan/privileges/wanted.ts';
import { whyNot } from '../postgres/outage-of.ts';
import type { KnownObject } from '../postgres/read-named.ts';
import { type AuditAnswer, readRecorded } from '../postgres/read-recorded.ts';
import type { Ask } from './access.ts';
import type { AccessStates } from './access-state.ts';
import { readPlanInputs } from './plan-inputs.ts';
import { warning } from './plan.ts';
import { settingsFrom } from './settings.ts';
import { type Given, type Program, UsageError } from './verb.ts';

/** Of a live server: reads both, each for itself. */
export async function originsOf(given: Given, self: Program, ask: Ask, steps: readonly Step[], object: KnownObject, major: number): Promise<Origins> {
  const [audit, wanting] = await Promise.all([auditOf(ask, steps, object), documentOf(given, self)]);
  return together(steps, audit, wanting, object, major);
}

/** Of a snapshot, or of what a plan would leave: there is no audit log to ask, and the document says the same of both. */
async function originsOfState(
  given: Given,
  self: Program,
  { now, noAudit, sources }: AccessStates,
  steps: readonly Step[],
  object: WantedObject,
): Promise<Origins> {
  const roles = new Set(steps.flatMap((step) => (step.what === 'membership' ? [step.member, step.role] : [step.role])));
  const ours = [...Map.groupBy(roles, (role) => sources.get(role))].flatMap(([source, of]) =>
    source === undefined ? [] : [`${of.map(saidAs).toSorted().join(', ')} ${of.length === 1 ? 'is' : 'are'} of ${source}`],
  );
  const unknown = `${noAudit}${ours.length === 0 ? '' : `; its ledger says of roles alone whose they are: ${ours.join('; ')}`}`;
  return together(steps, { unknown }, await documentOf(given, self), object, now.major);
}

/** The same, once it is known what is asked about. */
export type OriginsIn = (steps: readonly Step[], rules: RuleName) => Promise<Origins>;

export const originsIn =
  (given: Given, self: Program, states: AccessStates, { database = states.adminDatabase, schema, name, column }: ObjectReference): OriginsIn =>
  (steps, rules) =>
    originsOfState(given, self, states, steps, { database, schema, name, column, ...rules });

function together(steps: readonly Step[], audit: AuditAnswer | { readonly unknown: string }, wanting: Wanting, object: WantedObject, major: number): Origins {
  const { defaultDatabase } = wanting;
  return {
    steps: steps.map((step, index) => ({
      step,
      recorded: 'unknown' in audit ? undefined : audit.recorded[index],
      wanted:
        'unknown' in wanting ? [] : linesOf(step, wantedBy(step, object, wanting.document, { major, defaultDatabase }), object.database, wanting.document),
    })),
    ledger: 'unknown' in audit ? audit : { since: audit.since },
    document: 'unknown' in wanting ? { unknown: wanting.unknown } : { source: wanting.source },
  };
}

/** In a short session of its own: the ledger is in the admin database, and where it cannot be read that transaction is over. */
async function auditOf(ask: Ask, steps: Parameters<typeof readRecorded>[1], object: KnownObject): Promise<AuditAnswer | { readonly unknown: string }> {
  try {
    return await ask({ kind: 'tablespace', database: undefined }, (client) => readRecorded(client, steps, object));
  } catch (error) {
    // The guard divides by the number of tables that are a ledger of our own.
    const isNone = error instanceof Error && 'code' in error && error.code === '22012';
    return { unknown: isNone ? 'there is no ledger in the admin database that belongs to this login' : oneLine(whyNot(error).message) };
  }
}

type Wanting = { readonly defaultDatabase: string } & ({ readonly document: Document; readonly source: string } | { readonly unknown: string });

/** Without a word of a source nobody waits for one that is not there. */
const NAMES_SOURCE = ['SOURCE', 'CONFIGMAP_NAME', 'KUBERNETES_SERVICE_HOST'];

async function documentOf(given: Given, self: Program): Promise<Wanting> {
  const config = settingsFrom(given, self);
  const { defaultDatabase } = config.policy;
  if (self.chosen === undefined && !given.options.has('document') && !NAMES_SOURCE.some((name) => (self.env[name] ?? '') !== ''))
    return { defaultDatabase, unknown: NO_DOCUMENT };
  if (given.options.has('after-plan') && given.options.get('document') === '-')
    return { defaultDatabase, unknown: 'it came by standard input, and was read for the plan' };
  try {
    // No Secret has anything to do with it.
    const options = new Map([...given.options, ['without-secrets', true as const] as const].filter(([name]) => name !== 'secrets'));
    const inputs = await readPlanInputs({ ...given, options }, config, self, warning(self));
    try {
      if (inputs.document?.usable !== true) return { defaultDatabase, unknown: `${inputs.source} cannot be used, as pgsteward validate says` };
      return { defaultDatabase, document: inputs.document, source: inputs.source };
    } finally {
      await inputs.close();
    }
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { defaultDatabase, unknown: error.message };
  }
}
