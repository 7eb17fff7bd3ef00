// What is said of guardrails: what they refuse, and what breaks them already.
import { sentenceOf, subjectOf } from '../changes/change.ts';
import type { Notice } from '../changes/notice.ts';
import { saidGrantee } from '../explain/said-name.ts';
import type { Path } from '../explain/paths.ts';
import { pathWords } from '../explain/say.ts';
import { LIMITS } from '../model/limits.ts';
import type { Broken } from './broken.ts';
import type { GuardedReading } from './guarded.ts';
import type { Breach } from './court.ts';
import { SHARED } from './rails.ts';
import { isFollowing, type Refusal } from './refuse.ts';

/** `payroll`, or `payroll of the operator`. */
const railWords = ({ rail }: Pick<Breach, 'rail'>): string => `guardrail ${rail.name}${rail.origin === 'operator' ? ' of the operator' : ''}`;

/** Who would get what, and how. */
function breachWords({ who, privilege, on, path, through, database, unknown }: Breach): string {
  if (path === undefined) return `nobody knows what ${saidGrantee(who)} would get, as ${unknown ?? `database ${database} could not be read`}`;
  return `${saidGrantee(who)} would have ${privilege} on ${on} (${wayWords(path, through)})`;
}

/** By which links, and with whose rights at the end. */
const wayWords = (path: Path, through: string | undefined): string => `${pathWords(path)}${through === undefined ? '' : `, through ${through}`}`;

/** The rules of others are followed. */
const refusedWords = ({ change, ruled }: Refusal): string =>
  isFollowing(change) && ruled.length > 0
    ? `what ${inFew(ruled)} would get on objects to come in database ${saidGrantee(change.database)}, and the event trigger there goes without`
    : `to ${sentenceOf(change)}`;

/** Names of roles, some of many. */
const inFew = (roles: readonly string[]): string =>
  [...roles.slice(0, MOST_NAMES).map(saidGrantee), ...(roles.length > MOST_NAMES ? [`${roles.length - MOST_NAMES} more`] : [])].join(', ');
const MOST_NAMES = 10;

export const refusalNotice = (refusal: Refusal): Notice => ({
  kind: 'guardrail_refused',
  subject: subjectOf(refusal.change),
  message: `the ${railWords(refusal)} refuses ${refusedWords(refusal)}: ${breachWords(refusal)}`,
  position: refusal.rail.position,
});

function brokenNotice({ rail, who, way }: Broken): Notice {
  const { held, path } = way();
  const message = `breaks the ${railWords({ rail })}: ${saidGrantee(who)} has ${held.privilege} on ${held.on} (${wayWords(path, held.through)})`;
  return { kind: 'guardrail_broken', subject: who, message, position: rail.position };
}

/** A notice for each, but for so many of one guardrail that nobody would read them. */
export function brokenNotices(broken: readonly Broken[]): readonly Notice[] {
  return [...Map.groupBy(broken, ({ rail }) => rail)].flatMap(([rail, those]) => {
    const left = those.length - LIMITS.brokenShown;
    const more: Notice = { kind: 'guardrail_broken', subject: '', message: `the ${railWords({ rail })} is broken by ${left} more`, position: rail.position };
    return [...those.slice(0, LIMITS.brokenShown).map(brokenNotice), ...(left > 0 ? [more] : [])];
  });
}

/** What nobody can look for. @param isTold of a database that cannot be read and of which that is said anyway. */
export const unreadNotices = (guarded: ReadonlyMap<string, GuardedReading>, isTold: (database: string) => boolean): readonly Notice[] =>
  [...guarded].flatMap(([name, reading]): Notice[] => {
    const unknown = reading.kind === 'read' && reading.guarded.definers?.kind === 'unknown' ? reading.guarded.definers.reason : undefined;
    if (unknown !== undefined) {
      const told = `nobody knows who gets at what guardrails are about through views and functions of database ${saidGrantee(name)}, and what could lead there waits: ${unknown}`;
      return [{ kind: 'failed', subject: '', message: told }];
    }
    if (reading.kind === 'read' || isTold(name)) return [];
    const message = `${name === SHARED ? 'what all databases share' : `database ${saidGrantee(name)}`} cannot be read, and nobody knows whether guardrails are broken there: ${reading.reason}`;
    return [{ kind: 'failed', subject: '', message }];
  });

/** How often each guardrail holds something back, and how many break it. */
export interface GuardrailCount {
  readonly name: string;
  readonly refused: number;
  readonly broken: number;
}

/** Guardrails of one name, the operator's and a document's, are counted together. */
export function guardrailCounts(
  rails: readonly { readonly name: string }[],
  { refused, broken }: { readonly refused: readonly Refusal[]; readonly broken: readonly Broken[] },
): readonly GuardrailCount[] {
  const counted = (of: readonly { readonly rail: { readonly name: string } }[]): ReadonlyMap<string, number> => {
    const by = new Map<string, number>();
    for (const { rail } of of) by.set(rail.name, (by.get(rail.name) ?? 0) + 1);
    return by;
  };
  const [ofRefused, ofBroken] = [counted(refused), counted(broken)];
  return [...new Set(rails.map(({ name }) => name))].map((name) => ({ name, refused: ofRefused.get(name) ?? 0, broken: ofBroken.get(name) ?? 0 }));
}
