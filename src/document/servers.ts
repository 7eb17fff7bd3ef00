// servers.yaml → the fleet: every problem at its place, and an entry that is wrong keeps only itself out.
import type { Author, Fleet, Scope, ServerEntry, ServerPolicy } from '../model/fleet.ts';
import { OPERATOR } from '../model/sources.ts';
import { DAY_MS, durationMs } from '../model/duration.ts';
import type { Position } from '../model/entries.ts';
import { LIMITS } from '../model/limits.ts';
import type { Guardrail } from '../model/guardrails.ts';
import { readGuardrails } from './guardrails.ts';
import { mismatch } from './issues.ts';
import { repeatedKeys, unknownKeys } from './keys.ts';
import { linesOf } from './lines.ts';
import { aliasBudget, loadYaml } from './load-yaml.ts';
import { type ComplainAt, ProblemReport } from './problem-report.ts';
import { isLabel, readHost, SERVER_SHAPE, SERVERS_KEYS } from './servers-shape.ts';
import { checkShape } from './shape.ts';
import { show } from './show.ts';
import { decode } from './text.ts';
import { follow, type ListNode, type MappingNode, type Node, type Path, plainOf, stringOf, valueOf } from './tree.ts';

/**
 * Reads servers.yaml. Pure, and never throws.
 * @param placed where a place in the text is for its author, if it stands within something else.
 */
export function parseServers(content: Uint8Array, file: string, placed: (position: Position) => Position = (position) => position): Fleet {
  const { text, message } = decode(content);
  const lines = linesOf(text, file);
  const report = new ProblemReport((offset) => placed(lines(offset)));
  const nothing = (): Fleet => ({ servers: [], invalid: new Set(), complete: false, reserved: new Set(), problems: report.sorted() });
  if (message !== undefined) {
    report.add({ offset: text.length, path: [], message: message.replace('the document', 'servers.yaml') });
    return nothing();
  }
  const { root, faults } = loadYaml(text, aliasBudget());
  for (const fault of faults ?? []) report.add({ ...fault, path: [] });
  const list = root && listIn(root, report);
  return list === undefined ? nothing() : readServers(list, report);
}

/** The list, where nothing is wrong outside of it. */
function listIn(root: Node, report: ProblemReport): ListNode | undefined {
  if (root.kind !== 'mapping') {
    report.add({ offset: root.offset, path: [], message: mismatch('a mapping with a list `servers`', root) });
    return undefined;
  }
  const outside = {
    ...root,
    pairs: root.pairs.map((pair) => ({ ...pair, value: { kind: 'scalar', value: null, source: '', plain: true, offset: 0 } as const })),
  };
  const problems = [...unknownKeys(root, [], SERVERS_KEYS), ...repeatedKeys(outside, [])];
  for (const problem of problems) report.add(problem);
  const list = valueOf(root, 'servers');
  if (list === undefined) report.add({ offset: root.offset, path: [], message: 'the key `servers` is missing, so nothing is changed; add it' });
  else if (list.kind !== 'list')
    report.add({ offset: list.offset, path: ['servers'], message: `${mismatch('a list of servers', list)}, so nothing is changed` });
  else if (list.items.length === 0)
    report.add({ offset: list.offset, path: ['servers'], message: 'the list of servers is empty, so nothing is changed: every server is kept as it was' });
  else if (list.items.length > LIMITS.servers)
    report.add({
      offset: list.offset,
      path: ['servers'],
      message: `there are ${list.items.length} servers, and at most ${LIMITS.servers} are kept by one pgsteward`,
    });
  else return problems.length === 0 ? list : undefined;
  return undefined;
}

interface Item {
  readonly node: Node;
  readonly index: number;
  /** Every name that it may mean: a repeated key can give it several. */
  readonly names: readonly string[];
  readonly guardrails: readonly Guardrail[];
  valid: boolean;
}

function readServers(list: ListNode, report: ProblemReport): Fleet {
  const items = list.items.map((node, index): Item => {
    const before = report.complaints();
    checkShape(node, ['servers', index], SERVER_SHAPE, before.complain);
    if (node.kind === 'mapping' && before.none) checkEntry(node, ['servers', index], before.complain);
    const guardrails = guardrailsIn(node, ['servers', index, 'policy', 'guardrails'], report);
    return { node, index, names: namesOf(node), guardrails: guardrails ?? [], valid: before.none && guardrails !== undefined };
  });
  checkAcross(items, report);
  const servers = items.flatMap(({ node, guardrails, valid }) =>
    valid && node.kind === 'mapping' ? [entryOf(node, guardrails, report.positionOf(node.offset))] : [],
  );
  const invalid = items.filter(({ valid }) => !valid);
  return {
    servers,
    invalid: new Set(invalid.flatMap(({ names }) => names)),
    // What can be no server's name says nothing of which one is meant.
    complete: invalid.every(({ names }) => names.some(isLabel)),
    reserved: new Set(items.flatMap(({ node }) => reservedIn(node))),
    problems: report.sorted(),
  };
}

const namesOf = (node: Node): readonly string[] =>
  node.kind === 'mapping' ? node.pairs.flatMap(({ key, value }) => (key === 'name' ? (stringOf(value) ?? []) : [])) : [];

/** Secrets of the server itself; of a repeated key every one. */
const reservedIn = (node: Node): readonly string[] => [
  ...valuesAt(node, 'adminSecretRef').flatMap(namesOf),
  ...valuesAt(node, 'tls').flatMap((tls) => valuesAt(tls, 'caSecretRef').flatMap(namesOf)),
];

const valuesAt = (node: Node, key: string): readonly Node[] =>
  node.kind === 'mapping' ? node.pairs.flatMap((pair) => (pair.key === key ? [pair.value] : [])) : [];

/** Those of its policy. @returns undefined where anything is wrong with them, which is said. */
function guardrailsIn(node: Node, path: Path, report: ProblemReport): readonly Guardrail[] | undefined {
  const policy = node.kind === 'mapping' ? valueOf(node, 'policy') : undefined;
  return readGuardrails(policy?.kind === 'mapping' ? valueOf(policy, 'guardrails') : undefined, 'operator', report, path);
}

/** What shapes cannot say of one entry. */
function checkEntry(node: MappingNode, path: Path, complain: ComplainAt): void {
  const at = (...steps: Path): number => follow(node, steps).offset;
  const says = (...steps: Path): string | undefined => stringOf(follow(node, steps).node);
  if (valueOf(node, 'documents') === undefined && valueOf(node, 'authors') === undefined)
    complain(node.offset, path, 'it has neither `documents` nor `authors`, so nobody says what is on it; add one of them');
  const tls = valueOf(node, 'tls');
  if (tls?.kind === 'mapping' && valueOf(tls, 'caSecretRef') !== undefined && says('tls', 'mode') === 'disable')
    complain(at('tls', 'caSecretRef'), [...path, 'tls', 'caSecretRef'], 'is never used with `mode: disable`; leave one of them out');
  sayRepeated(valueOf(node, 'documents'), [...path, 'documents'], 'the document', complain);
  sayRepeated(valueOf(node, 'authors'), [...path, 'authors'], 'the author', complain);
  const authors = valueOf(node, 'authors');
  if (authors?.kind === 'list')
    for (const [index, author] of authors.items.entries()) {
      if (namesOf(author).includes(OPERATOR))
        complain(author.offset, [...path, 'authors', index, 'name'], `${show(OPERATOR)} is how \`movedTo\` calls you; choose another name`);
      if (author.kind === 'mapping' && valueOf(author, 'grace') !== undefined && stringOf(valueOf(author, 'onGone')) !== 'remove')
        complain(author.offset, [...path, 'authors', index, 'grace'], '`grace` means something only with `onGone: remove`; add that, or leave it out');
    }
}

function sayRepeated(list: Node | undefined, path: Path, what: string, complain: ComplainAt): void {
  const seen = new Set<string>();
  for (const [index, item] of (list?.kind === 'list' ? list.items : []).entries()) {
    const [name = ''] = namesOf(item);
    if (seen.has(name)) complain(item.offset, [...path, index], `${what} ${show(name)} stands there twice; keep one`);
    seen.add(name);
  }
}

/** Two entries that share what only one can have are both wrong. */
function checkAcross(items: readonly Item[], report: ProblemReport): void {
  sayShared(
    items,
    ({ names }) => names,
    (name) => `there are several servers called ${show(name)}; choose another name`,
    ['name'],
    report,
  );
  sayShared(items, documentsOf, (name) => `the document ${show(name)} belongs to several servers; give each its own`, ['documents'], report);
}

function sayShared(
  items: readonly Item[],
  of: (item: Item) => readonly string[],
  message: (shared: string) => string,
  within: Path,
  report: ProblemReport,
): void {
  const holders = new Map<string, Item[]>();
  for (const item of items) for (const name of new Set(of(item))) holders.set(name, [...(holders.get(name) ?? []), item]);
  for (const [shared, those] of holders)
    if (those.length > 1)
      for (const item of those) {
        item.valid = false;
        report.add({ offset: follow(item.node, within).offset, path: ['servers', item.index, ...within], message: message(shared) });
      }
}

function documentsOf({ node }: Item): readonly string[] {
  const list = node.kind === 'mapping' ? valueOf(node, 'documents') : undefined;
  return list?.kind === 'list' ? list.items.flatMap(namesOf) : [];
}

/** A server as its shape promises it. */
interface Written extends Omit<ServerEntry, 'hosts' | 'authors' | 'documents' | 'policy' | 'position'> {
  readonly hosts?: readonly string[];
  readonly documents?: ServerEntry['documents'];
  readonly policy?: ServerPolicy;
  readonly authors?: readonly WrittenAuthor[];
}

interface WrittenAuthor extends Omit<Author, 'may' | 'onGone' | 'grace' | 'maxDeletions'> {
  readonly may: Partial<Scope> & Pick<Scope, 'names'>;
  readonly onGone?: Author['onGone'];
  readonly grace?: string;
  readonly maxDeletions?: number;
}

function entryOf(node: MappingNode, guardrails: readonly Guardrail[], position: Position): ServerEntry {
  const written = plainOf(node) as Written;
  const { name, adminSecretRef, database, tls, connection, secretsSelector } = written;
  const hosts = (written.hosts ?? []).map(readHost).filter((host) => host !== undefined);
  const ca = tls?.caSecretRef;
  return {
    name,
    hosts,
    database,
    adminSecretRef,
    tls: tls && { mode: tls.mode, ...(ca === undefined ? {} : { caSecretRef: { name: ca.name, key: ca.key ?? 'ca.crt' } }) },
    connection,
    policy: { ...written.policy, ...(guardrails.length === 0 ? {} : { guardrails }) },
    secretsSelector,
    documents: (written.documents ?? []).map((document) => ({ name: document.name })),
    authors: (written.authors ?? []).map(authorOf),
    position,
  };
}

const authorOf = ({ name, from, may, onGone = 'keep', grace, maxDeletions }: WrittenAuthor): Author => ({
  name,
  from,
  may: {
    names: may.names,
    databases: may.databases ?? [],
    schemas: may.schemas ?? ['*'],
    roles: may.roles ?? [],
    users: may.users,
    declaredRoles: may.declaredRoles,
    connections: may.connections,
    settings: (may.settings ?? []).map((setting) => setting.toLowerCase()),
    create: may.create ?? false,
    connectionSecrets: may.connectionSecrets ?? false,
  },
  onGone,
  grace: grace === undefined ? DAY_MS : (durationMs(grace) ?? DAY_MS),
  maxDeletions,
});
