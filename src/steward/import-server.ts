// Import: the whole server is read once, and its document is made of it: as a text that is read again and planned against the server until nothing is left to do.
import { NO_RENAMING } from '../plan/renaming.ts';
import { inTurns } from '../async/in-turns.ts';
import type { Catalog } from '../model/catalog.ts';
import type { Document, Position } from '../model/entries.ts';
import { type Change, sentenceOf } from '../changes/change.ts';
import { importOf, IMPORTED, remaining } from '../plan/import/import-document.ts';
import type { Remark, WholeServer } from '../plan/import/whole-server.ts';
import { lawOf } from '../plan/law/law.ts';
import type { SecretWishes } from '../plan/secrets/secret-plan.ts';
import { readerOf, type ServerReader } from './read-for-plan.ts';
import type { Server } from './server.ts';

/** What is asked for of a server. */
export interface Asked {
  readonly isWanted: WholeServer['isWanted'];
  readonly isWantedDatabase: WholeServer['isWantedDatabase'];
}

export interface ImportedServer {
  /** The document. */
  readonly text: string;
  readonly remarks: readonly Remark[];
  /** What a plan for the document would still change, in words. */
  readonly differences: readonly string[];
  /** Problems of the document, in words. */
  readonly problems: readonly string[];
  /** Everything could be read. */
  readonly isWhole: boolean;
}

/** No entry of an import has a password. */
const NO_WISHES: SecretWishes = { create: [], rotate: [], rotationDue: new Map(), write: [], told: new Map(), notices: [] };

/** Imports a server, and proves what it says. Nothing is written. @throws whatever the server answers. */
export async function importServer(server: Server, asked: Asked): Promise<ImportedServer> {
  const { adminDatabase } = server;
  const { movedFrom: _movedFrom, ...policy } = server.policy;
  const reader = readerOf(server, { remembered: new Map(), missing: () => [], triggerDatabases: new Set() });
  const { catalog, readings } = await readWhole(reader);
  const whole: WholeServer = { catalog, readings, law: lawOf(catalog, policy.law), adminDatabase, defaultDatabase: policy.defaultDatabase, ...asked };
  const nothing = {
    renaming: NO_RENAMING,
    withoutSecret: new Map(),
    passwords: new Map(),
    secrets: NO_WISHES,
    passedOn: new Map(),
    isDeferred: () => false,
    anyDeferred: false,
  };
  const { text, document, plan, remarks, isWhole } = await inTurns(importOf(whole, { ...policy, ...nothing }));
  return {
    text,
    remarks: [...remarks, ...plan.notices.map(({ subject, message }) => ({ subject, message }))],
    differences: remaining(plan).map((change: Change) => sentenceOf(change)),
    problems: document.problems.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)),
    isWhole,
  };
}

/** Every role and every ACL: as if a document named every role, to find that it should hold nothing. */
export async function readWhole(reader: ServerReader): Promise<Pick<WholeServer, 'catalog' | 'readings'>> {
  const everything = everythingOf(await reader.catalog(everythingOf(undefined)));
  const catalog = await reader.catalog(everything);
  return { catalog, readings: (await reader.databases.read(everything, catalog, '', undefined)).readings };
}

const NOWHERE: Position = { file: IMPORTED, line: 1, column: 1 };

/** A document that names every role and every database of a server; without one nothing. */
function everythingOf(catalog: Catalog | undefined): Document {
  const roles = [...(catalog?.cluster.roles.keys() ?? [])].filter((name) => !name.startsWith('pg_'));
  return {
    users: [],
    roles: roles.map((name) => ({ name, memberOf: undefined, rules: [], additive: false, position: NOWHERE })),
    databases: [...(catalog?.databases.values() ?? [])]
      .filter(({ isTemplate, exactOnly }) => !isTemplate && exactOnly !== true)
      .map(({ name }) => ({ name, create: false, public: [], schemas: [], extensions: [], createdBy: [], position: NOWHERE })),
    invalid: new Set(),
    invalidDatabases: new Set(),
    usable: true,
    problems: [],
  };
}
