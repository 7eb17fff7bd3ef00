// history --verify: whether the audit log and the revisions are as they were written, and whether the chain is the one that was noted down.
import { oneLine } from '../document/show.ts';
import { type Finding, type Head, type Verdict, walkChain } from '../history/chain.ts';
import { readHeadText } from '../model/audit-head.ts';
import { type HistoryReader, readChain, readDocumentText, readRevisions } from '../postgres/read-history.ts';
import { harmless } from './harmless.ts';
import { askHistory, isText } from './history-session.ts';
import { settingsFrom } from './settings.ts';
import { createSource } from './source.ts';
import { type Given, type Program, say, UsageError } from './verb.ts';

interface Noted {
  readonly head: Head | undefined;
  /** Where it was noted, or why it is not known. */
  readonly where: string;
}

/** Says it. @returns 0; 2 where something is not as it was written. @throws UsageError */
export async function verifyHistory(given: Given, self: Program): Promise<number> {
  const noted = await notedHead(given, self);
  const verdict = await askHistory(given, self, async (reader) => {
    const walk = walkChain(noted.head);
    const rest = await readChain(reader, (links, rows) => walk.take(links, rows));
    const revisions = await readRevisions(reader);
    const found = walk.end(rest, revisions, revisions.at(-1)?.oldest);
    return { ...found, findings: [...found.findings, ...(await wrongDocuments(reader, revisions))] };
  });
  const isJson = given.options.get('output') === 'json';
  await say(
    self.stdout,
    isJson ? `${harmless(JSON.stringify(dataOf(verdict, noted), undefined, 2))}\n` : `${linesOf(verdict, noted).map(oneLine).join('\n')}\n`,
  );
  return verdict.findings.length === 0 ? 0 : 2;
}

async function wrongDocuments(reader: HistoryReader, revisions: Awaited<ReturnType<typeof readRevisions>>): Promise<readonly Finding[]> {
  const found: Finding[] = [];
  const known = new Map<string, boolean>();
  for (const { id, sources } of revisions)
    for (const { digest, ref } of sources) {
      const text = known.has(digest) ? undefined : await readDocumentText(reader, digest);
      if (!known.has(digest)) known.set(digest, text !== undefined && isText(text, digest));
      if (known.get(digest) === false) found.push({ what: 'document', message: `the document ${ref} of revision ${id} is not there as it was written` });
    }
  return found;
}

/** The head as somebody has kept it. @throws UsageError for one that is none. */
async function notedHead(given: Given, self: Program): Promise<Noted> {
  const { options } = given;
  const said = options.get('head');
  if (typeof said === 'string') {
    const head = readHeadText(said);
    if (head === undefined)
      throw new UsageError('--head is what auditHead of the status ConfigMap says: the number of a link, a colon and 64 hexadecimal digits');
    return { head, where: '--head' };
  }
  if (self.chosen === undefined && !NAMES_KUBERNETES.some((name) => (self.env[name] ?? '') !== ''))
    return { head: undefined, where: 'no source is named that could have it' };
  const warn = (message: string): void => void say(self.stderr, `pgsteward: ${oneLine(message)}\n`);
  const config = settingsFrom(given, self);
  const ports = self.chosen?.documents(warn).ports ?? (await createSource(config, warn));
  try {
    if (ports.statusPublisher?.published === undefined) return { head: undefined, where: 'a folder has no status ConfigMap' };
    const { auditHead } = await ports.statusPublisher.published(AbortSignal.timeout(30_000));
    const head = readHeadText(auditHead ?? '');
    const name = `${config.source.namespace}/${config.source.configMapName}-status`;
    return { head, where: head === undefined ? `the status ConfigMap ${name} has none` : `the status ConfigMap ${name}` };
  } catch (error) {
    return { head: undefined, where: error instanceof Error ? error.message : String(error) };
  } finally {
    await ports.close();
  }
}

/** Without a word of a cluster nobody waits for one that is not there. */
const NAMES_KUBERNETES = ['SOURCE', 'KUBECONFIG', 'KUBERNETES_SERVICE_HOST'];

const dataOf = ({ head, holdsHead, ...verdict }: Verdict, noted: Noted) => ({
  isIntact: verdict.findings.length === 0,
  ...verdict,
  head: head === undefined ? null : `${head.link}:${head.hash}`,
  noted: noted.head === undefined ? null : `${noted.head.link}:${noted.head.hash}`,
  notedIn: noted.where,
  isNotedPart: holdsHead ?? null,
});

function linesOf({ findings, rows, revisions, links, head, holdsHead, newer }: Verdict, noted: Noted): readonly string[] {
  return [
    `${rows} row(s) of the audit log and ${revisions} revision(s), in ${links} link(s) of the chain`,
    head === undefined ? 'there is no chain' : `its head is ${head.link}:${head.hash}`,
    ...aboutNoted(noted, holdsHead, newer),
    ...(findings.length === 0
      ? ['nothing was changed, removed, put in or put in another order']
      : findings.map(({ what, message }) => `${what.toUpperCase()}: ${message}`)),
  ];
}

function aboutNoted({ head, where }: Noted, holdsHead: boolean | undefined, newer: number): readonly string[] {
  if (head === undefined)
    return [`not compared with a head that was noted down elsewhere (${where}): whoever owns the ledger could have made all of the chain anew`];
  if (holdsHead === true)
    return [`what ${where} says is part of it${newer === 0 ? '' : `; ${newer} link(s) are newer, by pgsteward or by whoever can write there`}`];
  const said = `${where} says ${head.link}:${head.hash}`;
  return [
    holdsHead === undefined
      ? `${said}, which the chain that is kept does not have: where that is of before what is kept, nothing shows that the rest goes on from it, and whoever owns the ledger could have made all of it anew`
      : said,
  ];
}
