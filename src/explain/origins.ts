// Where the links of paths come from: who granted each and when, as far as it is recorded, and which line of a document wants it.
import type { Document, Position } from '../model/entries.ts';
import type { Explanation } from './explain.ts';
import { DATABASE_OWNER } from './links.ts';
import type { Path } from './paths.ts';
import { saidAs, saidGrantee } from './said-name.ts';
import { section } from './say.ts';

/** The lines that want a step, each with whose it is. @param database the one that it is in. */
export function linesOf(step: Step, lines: readonly Position[], database: string, { sources }: Pick<Document, 'sources'>): readonly WantedLine[] {
  if (sources === undefined) return lines;
  const source = step.what === 'ownership' ? sources.databases.get(database) : sources.claims.get(step.what === 'membership' ? step.member : step.role);
  const author = sources.authors.get(source ?? '')?.name ?? null;
  return lines.map((line) => ({ ...line, author }));
}

/** One link by itself: what somebody may have granted, and a document may want. */
export type Step =
  | { readonly what: 'membership'; readonly member: string; readonly role: string }
  /** On the object that is asked about; on one of its columns alone where one is named. */
  | { readonly what: 'grant'; readonly role: string; readonly privilege: string; readonly grantor: string; readonly column?: string }
  | { readonly what: 'ownership'; readonly role: string; readonly of: 'object' | 'database' }
  | { readonly what: 'attribute'; readonly role: string; readonly attribute: 'LOGIN' | 'SUPERUSER' };

/** What the audit log says of a step: when it was done, for which document and version of it. */
export interface Recorded {
  readonly at: string;
  readonly why: string;
  /** The object was made later, and got it by default privileges that were set then. */
  readonly byDefault: boolean;
}

/** A line of a document, and whose it is where there are several sources: the author's name, or null for the operator's. */
export interface WantedLine extends Position {
  readonly author?: string | null;
}

export interface Origin {
  readonly step: Step;
  /** undefined: nothing is recorded, or nothing can be known. */
  readonly recorded: Recorded | undefined;
  readonly wanted: readonly WantedLine[];
}

export interface Origins {
  readonly steps: readonly Origin[];
  /** How far back the audit log goes, or why nothing is known of it. */
  readonly ledger: { readonly since: string | null } | { readonly unknown: string };
  /** Which document was asked, or why none was. */
  readonly document: { readonly source: string } | { readonly unknown: string };
}

/** Why no document was asked, where nobody named one. */
export const NO_DOCUMENT = 'none is named; --document names one';

/** So many steps are looked for. */
export const MOST_STEPS = 40;

/** Every step of an explanation once: what leads to a yes first. */
export function stepsOf({ role, privilege, paths, afterSetRole, onColumns, needs }: Explanation): readonly Step[] {
  const login = needs.some(({ what, state }) => what === 'login' && state === 'met');
  const all = [...paths, ...onColumns, ...afterSetRole].flatMap((path) => stepsOfPath(path, privilege));
  if (login) all.push({ what: 'attribute', role, attribute: 'LOGIN' });
  return once(all).slice(0, MOST_STEPS);
}

/** Every step of many paths once, the last of each path first: what others get by it is there for more of them. @returns so many as are looked for, and how many more there are. */
export function stepsOfMany(paths: readonly Path[], privilege: string): { readonly steps: readonly Step[]; readonly more: number } {
  const all = paths.map((path) => stepsOfPath(path, privilege));
  const steps = once([...all.flatMap((some) => some.slice(-1)), ...all.flat()]);
  return { steps: steps.slice(0, MOST_STEPS), more: Math.max(0, steps.length - MOST_STEPS) };
}

const once = (steps: readonly Step[]): readonly Step[] => [...new Map(steps.map((step) => [JSON.stringify(step), step])).values()];

function stepsOfPath({ chain, holder }: Path, privilege: string): Step[] {
  const links = chain.slice(1).map((role, index): Step => {
    const member = chain[index] ?? '';
    // Nobody can be made a member of that one: whoever owns the database is.
    return role === DATABASE_OWNER ? { what: 'ownership', role: member, of: 'database' } : { what: 'membership', member, role };
  });
  const { by, role } = holder;
  if (by === 'superuser') return [...links, { what: 'attribute', role, attribute: 'SUPERUSER' }];
  if (by === 'predefined') return links;
  if (holder.owner) return [...links, { what: 'ownership', role, of: 'object' }];
  const { grantor, column } = holder;
  return holder.builtIn ? links : [...links, { what: 'grant', role, privilege, grantor, ...(column === undefined ? {} : { column }) }];
}

const stepWords = (step: Step, object: string): string => {
  const role = saidGrantee(step.role);
  if (step.what === 'membership') return `${saidAs(step.member)} in ${role}`;
  if (step.what === 'ownership') return `${role} as the owner of ${step.of === 'object' ? object : 'the database'}`;
  if (step.what === 'attribute') return `${step.attribute} of ${role}`;
  return `${step.privilege}${step.column === undefined ? '' : ` (${saidAs(step.column)})`} on ${object} to ${role}`;
};

const placeWords = ({ file, line, column, author }: WantedLine): string =>
  `${file}:${line}:${column}${author === undefined ? '' : author === null ? ' (operator)' : ` (author ${author})`}`;

/** So many lines of documents are named of one step. */
const NAMED = 5;

function originWords({ step, recorded, wanted }: Origin, { ledger, document }: Origins, object: string): string {
  const done =
    recorded === undefined ? 'not in the audit log' : `${recorded.byDefault ? 'by default privileges of' : 'done'} ${recorded.at} for ${recorded.why}`;
  const places = wanted.slice(0, NAMED).map(placeWords).join(', ');
  const by = wanted.length === 0 ? 'no line wants it' : `wanted by ${places}${wanted.length > NAMED ? ', …' : ''}`;
  return `${stepWords(step, object)}: ${[...('unknown' in ledger ? [] : [done]), ...('unknown' in document ? [] : [by])].join('; ')}`;
}

/** All of it, a line each. */
export function originLines(origins: Origins, object: string): readonly string[] {
  const { steps, ledger, document } = origins;
  if (steps.length === 0) return [];
  const isKnown = !('unknown' in ledger && 'unknown' in document);
  const isMissing = steps.some(({ recorded }) => recorded === undefined);
  return [
    ...section('where it comes from', isKnown ? steps.map((origin) => originWords(origin, origins, object)) : []),
    ...section('not known', [
      ...('unknown' in ledger
        ? [`who granted what when: ${ledger.unknown}`]
        : isMissing
          ? [`what was done before ${ledger.since ?? 'now'}, where the audit log begins, or by others`]
          : []),
      ...('unknown' in document ? [`which line of a document wants it: ${document.unknown}`] : []),
    ]),
  ];
}

/** The same of an answer about many: nothing where there is no ledger and nobody named a document. @param more how many links are not looked up. */
export function originLinesOfMany(origins: Origins, object: string, more: number): readonly string[] {
  const { ledger, document } = origins;
  if ('unknown' in ledger && 'unknown' in document && document.unknown === NO_DOCUMENT) return [];
  const further = more === 0 ? [] : [`${more} more link(s) are not looked up: explain does that for one role`];
  return [...originLines(origins, object), ...further];
}

export const originDataOfMany = (origins: Origins, more: number): object => ({ ...originData(origins), more });

/** The same as data. */
export const originData = ({ steps, ledger, document }: Origins): object => ({
  ledger,
  document,
  steps: steps.map(({ step, recorded, wanted }) => ({ ...step, recorded: recorded ?? null, wanted })),
});
