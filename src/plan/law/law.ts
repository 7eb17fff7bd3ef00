// The law of what may be touched: reserved, powerful, protected and foreign roles are refused, each with its reason.
import type { Catalog } from '../../model/catalog.ts';
import { type Sources, type Whose, whoseOf } from '../../model/sources.ts';
import { reasonToWait } from '../moved.ts';
import { parameterLaw } from './parameter-law.ts';
import { isLoginMarker } from './platform-roles.ts';
import { powerOf, type PowerOptions } from './power.ts';

/** How the names of roles begin that hold what a removed role owned (plan/removal/release.ts). */
export const HEIR_PREFIX = 'pgsteward_heir_';

export interface LawOptions extends PowerOptions {
  /** namespace/ConfigMap of the document; of what no author claims, where there are authors. */
  readonly source: string;
  readonly allowedSettings: ReadonlySet<string>;
  /** Extensions that may be installed where others have a hand in the schema. */
  readonly allowedExtensions: ReadonlySet<string>;
}

/** Each function answers with the reason of a refusal, or undefined where there is none. */
export interface Law {
  /** Who writes the document. */
  readonly whose: Whose;
  /** May this role be created, changed or removed for a source, which is that of whoever claims it where it is left out? */
  readonly refuseToManage: (name: string, source?: string) => string | undefined;
  /** May a document make somebody a member of this role? */
  readonly refuseMembership: (role: string) => string | undefined;
  /** May a document make this role the owner of a database or schema? @param source whose entry says so; undefined for the operator's. */
  readonly refuseOwnership: (role: string, source: string | undefined) => string | undefined;
  /** May the owner of a database or schema that is there give way to what this source declares? An author takes what is nobody's or its own. */
  readonly refuseTaking: (present: string, source: string | undefined) => string | undefined;
  /** May what a removed user made run with the rights of this role? */
  readonly refuseHeir: (role: string) => string | undefined;
  /** Why nobody may touch this role, whosoever it is; undefined where nothing speaks against it. */
  readonly protects: (role: string) => string | undefined;
  /** May a document give somebody this privilege on a parameter (lower case)? */
  readonly refuseParameter: (name: string, privilege: string) => string | undefined;
  /** May a document set this parameter (lower case) for a role? */
  readonly refuseSetting: (name: string) => string | undefined;
  /** Did the operator say that this extension may be installed wherever a document wants it? */
  readonly allowsExtension: (name: string) => boolean;
}

/** @param document whose entries are judged: what the ledger says of them counts by the source of each. */
export function lawOf(catalog: Catalog, options: LawOptions, document: { readonly sources?: Sources | undefined } = {}): Law {
  const roles = catalog.cluster.roles;
  const power = powerOf(catalog, options);
  const { isAdmin, isOurs, protectedReason } = power;
  const { refuseSetting, refuseParameter } = parameterLaw(catalog.parameters, options.allowedSettings);

  const whose = whoseOf(options.source, document);
  const belongsTo = (owner: string): string => `it belongs to the source ${owner}`;
  /** Not even one of those who write the document: among these, the document was put together as their scopes say. */
  const foreignReason = (name: string): string | undefined => {
    const owner = catalog.managed.get(name)?.source;
    return owner === undefined || whose.has(owner) ? undefined : belongsTo(owner);
  };
  const notItsOwn = (name: string, source: string): string | undefined => {
    const owner = catalog.managed.get(name)?.source;
    // One that is handed over is recorded as its new source's by what follows.
    return owner === undefined || owner === source || document.sources?.moves.get(name) === owner ? undefined : belongsTo(owner);
  };

  /** Whether a source has this role by the ledger, or gets it by declaring it. */
  const isOf = (name: string, source: string): boolean => whose.of(name) === source || (isOurs(name) && catalog.managed.get(name)?.source === source);

  /** What was there before an author is somebody else's: it gets it from whoever has it, and not by naming it. */
  const foundByAuthor = (name: string): string | undefined =>
    whose.of(name) !== options.source && roles.has(name) && !isOurs(name)
      ? "the role is there and nobody recorded it as this author's: the operator can declare it and hand it over"
      : undefined;

  return {
    whose,
    refuseSetting,
    refuseParameter,
    allowsExtension: (name) => options.allowedExtensions.has(name),
    refuseHeir: (role) => {
      const strength = power.strength(role);
      return strength === undefined ? reservedReason(role) : `${strength}; REASSIGN_TO_POWERFUL=${role} allows it`;
    },
    protects: protectedReason,
    refuseOwnership: (role, source) =>
      reservedReason(role) ??
      protectedReason(role) ??
      foreignReason(role) ??
      foundByAuthor(role) ??
      (source === undefined || isOf(role, source) ? undefined : 'it is no role of this author'),
    // Whoever owns something is there: that an author names it makes it nobody's.
    refuseTaking: (present, source) =>
      source === undefined || isAdmin(present) || (isOurs(present) && catalog.managed.get(present)?.source === source)
        ? undefined
        : `it has the owner ${present}, who is none of this author's`,
    refuseToManage: (name, source = whose.of(name)) => {
      const reserved = reservedReason(name);
      if (reserved !== undefined) return reserved;
      const reason = protectedReason(name) ?? notItsOwn(name, source) ?? reasonToWait(name, catalog) ?? foundByAuthor(name);
      if (reason !== undefined) return reason;
      if (!roles.has(name) || isOurs(name) || options.allowedRoles.has(name)) return undefined;
      const powerful = power.powerReason(name);
      return powerful === undefined ? undefined : `${powerful}; ALLOWED_ROLES=${name} allows it`;
    },
    refuseMembership: remembered((role) => {
      if (isAdmin(role)) return protectedReason(role);
      if (role.startsWith(HEIR_PREFIX)) return reservedReason(role);
      // The operator's word does not reach what belongs to others.
      const foreign = foreignReason(role) ?? foundByAuthor(role);
      if (foreign !== undefined || options.allowedRoles.has(role)) return foreign;
      if (isLoginMarker(role) && !options.protectedRoles.has(role)) return undefined;
      const reason = protectedReason(role) ?? (role.startsWith('pg_') ? 'it is a predefined role' : undefined) ?? power.powerReason(role);
      return reason === undefined ? undefined : `${reason}; ALLOWED_ROLES=${role} allows it`;
    }),
  };
}

/** Names that no document may use. */
const reservedReason = (name: string): string | undefined =>
  name.startsWith('pg_')
    ? 'names that begin with pg_ are reserved'
    : name.startsWith(HEIR_PREFIX)
      ? `names that begin with ${HEIR_PREFIX} are those of roles that hold what removed users owned`
      : undefined;

/** The answers of a pure function, each found once: the same role is asked for by every member of it. */
function remembered(answer: (name: string) => string | undefined): (name: string) => string | undefined {
  const answers = new Map<string, string | undefined>();
  return (name) => {
    if (!answers.has(name)) answers.set(name, answer(name));
    return answers.get(name);
  };
}
