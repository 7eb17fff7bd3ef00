// The whole server as an import knows it: every role, every ACL, and what of them is asked for.
import type { Catalog } from '../../model/catalog.ts';
import type { DatabaseContents, ObjectName } from '../../model/contents.ts';
import type { ObjectKind } from '../../model/kinds.ts';
import type { Law } from '../law/law.ts';
import type { DatabaseReading } from '../privileges/privileges-plan.ts';
import type { Wish } from '../privileges/rules.ts';

export interface WholeServer {
  /** With the ACL entries of everybody. */
  readonly catalog: Catalog;
  /** Of every database that can be connected to, with the ACL entries of everybody. */
  readonly readings: ReadonlyMap<string, DatabaseReading>;
  readonly law: Law;
  /** The one that holds our memory. */
  readonly adminDatabase: string;
  /** The one that users are about who name none. */
  readonly defaultDatabase: string;
  /** Whether a role is asked for. */
  readonly isWanted: (role: string) => boolean;
  readonly isWantedDatabase: (name: string) => boolean;
}

/** What a role holds by itself on one object. */
export interface Holding {
  /** Empty for tablespaces and parameters; for a database itself its own name. */
  readonly database: string;
  readonly kind: ObjectKind;
  readonly schema: string;
  readonly name: ObjectName;
  /** Empty where a wider pattern gives something. */
  readonly wish: Wish;
  /** Its name and its schema are patterns. */
  readonly isPattern?: true;
}

/** Something that is to be said of an import: what the document does not say, and why. */
export interface Remark {
  /** The role or the database that it is about; empty for the whole. */
  readonly subject: string;
  readonly message: string;
}

/**
 * How much a document says of a role: all of it; what it holds as far as that can be said, and the rest stays (`grantsMode: additive`); what it is and whose member it is;
 * nothing but that it is there; nothing at all.
 */
export const MODES = ['exact', 'additive', 'bare', 'name', 'out'] as const;
export type Mode = (typeof MODES)[number];

/** The contents of the databases that were read and are asked for. */
export const contentsOf = ({ readings, isWantedDatabase }: Pick<WholeServer, 'readings' | 'isWantedDatabase'>): readonly DatabaseContents[] =>
  [...readings.values()]
    .flatMap((reading) => (reading.kind === 'read' && isWantedDatabase(reading.contents.name) ? [reading.contents] : []))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));

/** Databases in which somebody may hold what could not be looked at. */
export const unreadOf = ({ catalog, readings }: Pick<WholeServer, 'catalog' | 'readings'>): readonly string[] =>
  [...catalog.databases.keys()].filter((name) => readings.get(name)?.kind === 'unreadable' || (!readings.has(name) && catalog.granted.has(name))).toSorted();
