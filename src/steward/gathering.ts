// Gathering: the documents of the operator and those of authors, read side by side, as the one document of a server. What cannot be read keeps what it said.
import { aside, TooCostly } from '../async/aside.ts';
import { databaseKey } from '../changes/change.ts';
import type { ComposedTexts, SourceText, TextsInput } from '../document/compose-texts.ts';
import { digestOf } from '../model/digest.ts';
import type { Document } from '../model/entries.ts';
import type { Author } from '../model/fleet.ts';
import type { Origin } from '../model/provenance.ts';
import type { Requests } from '../model/requests.ts';
import { SourceError } from '../model/source-error.ts';
import { authorSource } from '../model/sources.ts';
import type { RecordedSources } from '../postgres/read-sources.ts';
import type { DocumentFinder, DocumentReading, DocumentSource, FoundDocument } from '../sources/ports.ts';
import { createGoneDocuments, type GoneDocuments } from './gone-documents.ts';

export interface OwnDocument extends Pick<DocumentSource, 'read'> {
  /** `namespace/name` */
  readonly ref: string;
}

export interface GatheringOptions {
  /** The operator's documents; the first of them says what is asked for by hand. */
  readonly own: { readonly source: string; readonly documents: readonly OwnDocument[] };
  readonly authors: readonly Author[];
  readonly finder: DocumentFinder | undefined;
  /** Whose roles are. @throws where that cannot be read: then nothing is put together. */
  readonly recorded: () => Promise<RecordedSources>;
  readonly defaultDatabase: string;
  /** In milliseconds; only differences of it count. */
  readonly now?: () => number;
}

/** What one source has. */
interface Found {
  readonly texts: readonly SourceText[];
  /** Why it could not be read, or has nothing. */
  readonly failure: SourceError | undefined;
}

const NO_REQUESTS: Requests = { paused: false, reconcileAt: undefined };

/** One document, made of many. One for the life of a steward. */
export function createGathering(options: GatheringOptions): DocumentSource {
  const { own, authors, defaultDatabase } = options;
  const gone = createGoneDocuments(options.now ?? (() => performance.now()));
  const memory = createTexts();
  let requests: Requests | undefined = own.documents.length === 0 ? NO_REQUESTS : undefined;
  let last: DocumentReading | undefined;

  const readOwn = async ({ ref, read }: OwnDocument, index: number, signal: AbortSignal, patience: AbortSignal | undefined): Promise<Found> => {
    const place = { id: `\0${ref}`, file: own.documents.length === 1 ? 'users.yaml' : ref };
    try {
      const reading = await read(signal, patience);
      if (index === 0) requests = reading.requests;
      return { texts: [memory.note(place, { content: reading.content }, reading)], failure: undefined };
    } catch (error) {
      const failure = failureIn(error, signal);
      if (index === 0) requests = failure.requests ?? requests;
      return { texts: [memory.note(place, { failure: failure.message }, { ref, version: failure.message })], failure };
    }
  };
  const readAuthor = async (author: Author, signal: AbortSignal, patience: AbortSignal | undefined): Promise<Found> => {
    try {
      if (options.finder === undefined) throw new SourceError('unavailable', 'this source finds no documents by their labels');
      const found = await options.finder.find(author.from, signal, patience);
      memory.keep(author.name, new Set(found.map(({ ref }) => `${author.name}\0${ref}`)));
      const texts = found.map((one) => memory.note({ id: `${author.name}\0${one.ref}`, file: one.ref }, one.said, one));
      return { texts, failure: found.length === 0 ? noneOf(author) : undefined };
    } catch (error) {
      return { texts: memory.of(author.name), failure: failureIn(error, signal) };
    }
  };
  const put = async (ours: readonly Found[], theirs: readonly (Found & { readonly author: Author })[], facts: RecordedSources, signal: AbortSignal) => {
    const texts = ours.flatMap((one) => one.texts);
    const input = {
      own: { source: own.source, texts },
      authors: theirs.map((one) => ({ author: one.author, texts: one.texts, ...heldOf(one, facts, gone) })),
      recorded: facts.sources,
      active: facts.active,
      defaultDatabase,
    };
    const version = digestOf([
      [...texts, ...theirs.flatMap((one) => one.texts)].map(memory.versionOf),
      input.authors.map(({ failure, gone: away }) => [failure, [...away]]),
      [...facts.sources],
      [...facts.active],
      requests,
    ]);
    if (last?.version === version) return last;
    const { document, usable } = await composed(input, memory.bytes(), signal);
    memory.used(usable);
    const whys = whysOf(document, (file) => memory.versionOfFile(file));
    return {
      version,
      ref: own.source,
      file: 'users.yaml',
      content: Buffer.from(version),
      requests: requests ?? NO_REQUESTS,
      document,
      whys,
      origins: memory.origins(),
    };
  };
  return {
    forget: () => {
      memory.forget();
      gone.forget();
      last = undefined;
    },
    read: async (signal, patience) => {
      const [ours, theirs, facts] = await Promise.all([
        Promise.all(own.documents.map((document, index) => readOwn(document, index, signal, patience))),
        Promise.all(authors.map(async (author) => ({ author, ...(await readAuthor(author, signal, patience)) }))),
        options.recorded(),
      ]);
      const [first] = ours;
      // Where none of the operator's can be read that is how it is with everything; and until the first was, nobody knows whether it asks for a pause.
      if (first?.failure !== undefined && (requests === undefined || ours.every(({ failure }) => failure !== undefined))) throw first.failure;
      return (last = await put(ours, theirs, facts, signal));
    },
  };
}

/** Why nothing of an author goes, and which of its ConfigMaps are gone. */
function heldOf({ author, texts, failure }: Found & { readonly author: Author }, { documents, gone: recordedGone }: RecordedSources, gone: GoneDocuments) {
  const named = documents.get(authorSource(author.name)) ?? new Set<string>();
  // What is recorded of no document goes, or stays, with the last of them.
  const recorded = texts.length === 0 ? named.union(new Set([''])) : named;
  const isListed = failure === undefined || failure.reason === 'not_found';
  const away = gone.of(author, recorded, isListed ? new Set(texts.map(({ file }) => file)) : undefined, recordedGone.get(authorSource(author.name)));
  const held = failure === undefined || (isListed && author.onGone === 'remove') ? undefined : failure.message;
  return { failure: failure?.message, heldBecause: held, gone: away };
}

function failureIn(error: unknown, signal: AbortSignal): SourceError {
  signal.throwIfAborted();
  if (error instanceof SourceError) return error;
  throw error;
}

const noneOf = ({ from: { namespace, matchLabels } }: Author): SourceError =>
  new SourceError(
    'not_found',
    `no ConfigMap of the namespace ${namespace} has the labels ${Object.entries(matchLabels)
      .map(([key, value]) => `${key}=${value}`)
      .join(', ')}`,
  );

/** All of it; without the authors whose documents cost more than there is, who are told of it: they hold up nobody else. */
async function composed(input: TextsInput, bytes: number, signal: AbortSignal): Promise<ComposedTexts> {
  const compose = (one: TextsInput): Promise<ComposedTexts> => aside('sources', bytes, [one], signal, input.own.source);
  try {
    return await compose(input);
  } catch (error) {
    if (!(error instanceof TooCostly)) throw error;
    const authors = [];
    for (const author of input.authors) {
      const why = await compose({ ...input, own: { ...input.own, texts: [] }, authors: [author] }).then(() => undefined, costOf);
      authors.push(why === undefined ? author : { ...author, texts: [], failure: why, heldBecause: why });
    }
    return compose({ ...input, authors }).catch((last: unknown) => {
      throw new SourceError('malformed', `the documents of all sources together ${costOf(last)}`);
    });
  }
}

/** @throws what is about something else. */
function costOf(error: unknown): string {
  if (error instanceof TooCostly) return error.message;
  throw error;
}

/** From which document each entry is. */
function whysOf({ users, roles, databases }: Document, versionOf: (file: string) => string): ReadonlyMap<string, string> {
  return new Map([
    ...users.map(({ username, position }) => [username, versionOf(position.file)] as const),
    ...roles.map(({ name, position }) => [name, versionOf(position.file)] as const),
    ...databases.map(({ name, position }) => [databaseKey(name), versionOf(position.file)] as const),
  ]);
}

type Place = Pick<SourceText, 'id' | 'file'>;

/** The texts that were read, each with what could be used of it last. */
function createTexts() {
  const known = new Map<string, { readonly text: SourceText; readonly version: string }>();
  const ofAuthor = new Map<string, ReadonlySet<string>>();
  const origins = new Map<string, Origin>();
  return {
    note: (place: Place, now: SourceText['now'], { ref, version, provenance }: Pick<FoundDocument, 'ref' | 'version' | 'provenance'>): SourceText => {
      const text = { ...place, now, good: known.get(place.id)?.text.good };
      known.set(place.id, { text, version });
      if ('content' in now) origins.set(place.file, { ref, version, ...provenance });
      return text;
    },
    /** Where each text was read last, by its file. */
    origins: (): ReadonlyMap<string, Origin> => new Map(origins),
    /** Those of an author that are there. */
    keep: (author: string, ids: ReadonlySet<string>): void => {
      for (const id of ofAuthor.get(author) ?? []) if (!ids.has(id)) known.delete(id);
      ofAuthor.set(author, ids);
    },
    of: (author: string): readonly SourceText[] => [...(ofAuthor.get(author) ?? [])].flatMap((id) => known.get(id)?.text ?? []),
    used: (usable: ReadonlySet<string>): void => {
      for (const id of usable) {
        const one = known.get(id);
        if (one !== undefined && 'content' in one.text.now) known.set(id, { ...one, text: { ...one.text, good: one.text.now.content } });
      }
    },
    versionOf: ({ id }: SourceText): string => `${id}@${known.get(id)?.version ?? ''}`,
    versionOfFile: (file: string): string => `${file}@${origins.get(file)?.version ?? ''}`,
    bytes: (): number =>
      [...known.values()].reduce((sum, { text: { now, good } }) => sum + ('content' in now ? now.content.length : 0) + (good?.length ?? 0), 0),
    forget: (): void => [known, ofAuthor, origins].forEach((map) => map.clear()),
  };
}
