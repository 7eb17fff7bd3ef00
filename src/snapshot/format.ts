// The file of a snapshot: versioned JSON in one order. It may be written by anybody: nothing in it is believed that its shape does not have, and nothing of it is ever run.
import { z } from 'zod';
import { LIMITS } from '../model/limits.ts';
import type { DefaultAcl, ObjectGroup } from '../model/contents.ts';
import { nameKey } from '../model/contents.ts';
import { databaseShape, headShape, snapshotShape } from './shapes.ts';
import type { RecordedDatabase, Snapshot, SnapshotHead } from './snapshot.ts';

const FORMAT = 'pgsteward snapshot';
/** One more for each change that an older program would not read right. */
const VERSION = 1;

/** One database as text: of many, none has to be kept in any other form. */
export const databaseText = (one: RecordedDatabase): string => JSON.stringify(z.encode(databaseShape, databaseInOrder(one) as z.output<typeof databaseShape>));

/**
 * A snapshot as text.
 * @param databases their texts by their names.
 * @throws SnapshotError where it is longer than what is read again.
 */
export function snapshotText(head: SnapshotHead, databases: ReadonlyMap<string, string>): string {
  const { now, place } = head.catalog.server;
  const facts = { takenAt: new Date(now).toISOString(), systemIdentifier: place.server };
  const first = JSON.stringify({ format: FORMAT, version: VERSION, ...z.encode(headShape, { ...facts, ...inOrder(head) } as z.output<typeof headShape>) });
  const pairs = sorted([...databases], ([name]) => [name]).map(([name, text]) => `[${JSON.stringify(name)},${text}]`);
  boundBytes([first, ...pairs]);
  return `${first.slice(0, -1)},"databases":[\n${pairs.join(',\n')}\n]}\n`;
}

/** @throws SnapshotError where they are longer than what is read again. */
export function boundBytes(texts: readonly string[]): void {
  if (texts.reduce((sum, text) => sum + Buffer.byteLength(text) + 2, 100) > LIMITS.snapshotBytes)
    throw new SnapshotError(`it would have more than ${LIMITS.snapshotBytes / 1_048_576} MiB, which is all that is read of one`);
}

/** What is wrong with a snapshot, or keeps one from being made. */
export class SnapshotError extends Error {
  override readonly name = 'SnapshotError';
}

/** The snapshot that a file holds. @throws SnapshotError saying what is wrong with it, without a word of what stands in it. */
export function readSnapshot(bytes: Uint8Array): Snapshot {
  const { format, version, ...rest } = headOf(bytes);
  if (format !== FORMAT) throw new SnapshotError('it is no snapshot of pgsteward');
  if (version !== VERSION)
    throw new SnapshotError(
      typeof version === 'number' && version > VERSION
        ? `a newer pgsteward made it: its version is ${version}, and this one reads version ${VERSION}; take another one, or update this one`
        : `its version is none that there is; this one reads version ${VERSION}`,
    );
  const result = z.safeDecode(snapshotShape, rest as z.input<typeof snapshotShape>);
  if (!result.success) throw new SnapshotError(`it is broken, or somebody changed it: ${where(result.error)}`);
  const { takenAt: _takenAt, systemIdentifier: _systemIdentifier, ...snapshot } = result.data;
  return snapshot;
}

function headOf(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  if (bytes.length > LIMITS.snapshotBytes)
    throw new SnapshotError(`it has more than ${LIMITS.snapshotBytes / 1_048_576} MiB, which is all that is read of one`);
  let found: unknown;
  try {
    found = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new SnapshotError('it is no snapshot of pgsteward, or only a part of one: it is no JSON');
  }
  return typeof found === 'object' && found !== null ? { ...found } : {};
}

/** The place of the first problem: field names of ours and numbers alone. */
function where({ issues }: z.ZodError): string {
  const [first] = issues;
  const path = (first?.path ?? []).filter((step) => typeof step === 'number' || /^[A-Za-z]{1,20}$/.test(String(step))).slice(0, 8);
  return `what stands at ${path.length === 0 ? 'its top' : path.join('.')} is not what a snapshot has there`;
}

/** Lists that the server gives in whichever order it has them; entries of an ACL stay as the server keeps them. */
const inOrder = (snapshot: SnapshotHead): SnapshotHead => ({
  ...snapshot,
  catalog: {
    ...snapshot.catalog,
    shared: groupsInOrder(snapshot.catalog.shared),
    cluster: {
      ...snapshot.catalog.cluster,
      memberships: sorted(snapshot.catalog.cluster.memberships, (row) => [row.role, row.member, row.grantor]),
      grants: sorted(snapshot.catalog.cluster.grants, (row) => [row.object.name, row.grantee, row.grantor]),
    },
    holders: new Map([...snapshot.catalog.holders].map(([database, roles]) => [database, roles.toSorted()])),
  },
  passedOn: sorted(snapshot.passedOn, ({ database, name }) => [database, name]),
});

const databaseInOrder = (one: RecordedDatabase): RecordedDatabase =>
  one.kind === 'unreadable'
    ? one
    : {
        ...one,
        contents: {
          ...one.contents,
          groups: groupsInOrder(one.contents.groups),
          defaults: sorted(one.contents.defaults, ({ creator, schema, kind }: DefaultAcl) => [creator, schema, kind]),
          creators: new Map([...one.contents.creators].map(([schema, roles]) => [schema, roles.toSorted()])),
          strays: sorted(one.contents.strays, ({ role, what }) => [role, what]),
        },
      };

/** Their names are in order already. */
const groupsInOrder = (groups: readonly ObjectGroup[]): readonly ObjectGroup[] =>
  sorted(groups, ({ kind, schema, owner, extension, untouched, names }) => [
    kind,
    schema,
    owner,
    extension,
    untouched,
    names[0] === undefined ? '' : nameKey(names[0]),
  ]);

function sorted<T>(items: readonly T[], parts: (item: T) => readonly unknown[]): readonly T[] {
  const keyed = items.map((item) => ({ item, key: JSON.stringify(parts(item)) }));
  return keyed.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)).map(({ item }) => item);
}
