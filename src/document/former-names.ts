// `renamedFrom`: what an entry's role was called. Whatever the documents alone show that cannot be followed is an error.
import { turnNames } from '../model/turns.ts';
import { type DatabaseDraft, type Draft, fileOfOther, type ItemDraft, type MemberDraft, type RoleDraft } from './draft.ts';
import { isStorable } from './names.ts';
import { show, showPath } from './show.ts';
import { type MappingNode, type Path, stringOf, valueOf } from './tree.ts';

const KEY = 'renamedFrom';

/** The name that the entry says, where the server can hold it. */
export function formerName(node: MappingNode): MemberDraft['former'] {
  const value = valueOf(node, KEY);
  const name = stringOf(value);
  return value === undefined || name === undefined || !isStorable(name) ? undefined : { name, offset: Math.max(value.offset, node.offset) };
}

/** Who has a name, or uses it. */
interface Use {
  readonly draft: ItemDraft;
  readonly path: Path;
  /** What stands before and behind the place. */
  readonly words: readonly [string, string];
  /** The entry of that name: whose role it is about nobody can tell. */
  readonly declared?: MemberDraft;
}

/** Reports former names that somebody has or still uses. @returns the drafts that are invalid because of it. */
export function checkFormerNames(users: readonly Draft[], roles: readonly RoleDraft[], databases: readonly DatabaseDraft[]): readonly MemberDraft[] {
  const all: readonly MemberDraft[] = [...users, ...roles];
  const renamed = all.flatMap((draft) => (draft.former === undefined ? [] : [{ draft, former: draft.former }]));
  if (renamed.length === 0) return [];
  const claims = Map.groupBy(renamed, ({ former }) => former.name);
  const uses = usesOf(users, all, databases);
  return renamed.flatMap(({ draft, former }) => {
    const use = uses.get(former.name);
    const twin = claims.get(former.name)?.find((other) => other.draft !== draft)?.draft;
    const problem = problemOf(draft, former.name, use, twin);
    if (problem === undefined) return [];
    draft.report.add({ offset: former.offset, path: [...draft.path, KEY], message: problem, username: draft.names[0] });
    const { declared } = use ?? {};
    if (declared === undefined || declared === draft) return [draft];
    const message = `${show(former.name)} is what the role of ${placeOf(draft, draft.path, declared)} was called, by its \`${KEY}\`: which of the two is meant cannot be told; take out that line once the role has its new name`;
    declared.report.add({ offset: declared.nameOffset, path: declared.path, message, username: former.name });
    return [draft, declared];
  });
}

function problemOf(draft: MemberDraft, name: string, use: Use | undefined, twin: MemberDraft | undefined): string | undefined {
  if (draft.names.includes(name)) return 'is the name that the entry has; write what the role was called before, or take out the line';
  const isInTurns = 'entry' in draft && (draft as Draft).entry?.rotation?.strategy === 'two-users';
  if (isInTurns) return 'with `strategy: two-users` would rename one of three users; write `strategy: in-place` until it has its name';
  if (use !== undefined) {
    const [before, behind] = use.words;
    return `${show(name)} ${before} ${placeOf(use.draft, use.path, draft)}${behind}; a role that is renamed leaves no other one behind, so write the new name there, or take out this line once the role has its new name`;
  }
  return twin === undefined ? undefined : `${show(name)} stands also in ${placeOf(twin, twin.path, draft)}; one role gets one name`;
}

/** `users[3]`, with its file where that is another one than the reader's. */
function placeOf(other: ItemDraft, path: Path, reader: ItemDraft): string {
  const file = fileOfOther(other, reader);
  return `\`${showPath(path)}\`${file === undefined ? '' : ` of ${show(file)}`}`;
}

/** By name; of several the first, and entries before all others. */
function usesOf(users: readonly Draft[], all: readonly MemberDraft[], databases: readonly DatabaseDraft[]): ReadonlyMap<string, Use> {
  const uses = new Map<string, Use>();
  const use = (name: string | undefined, found: Use): void => {
    if (name !== undefined && !uses.has(name)) uses.set(name, found);
  };
  const named = ['is still named in', ''] as const;
  for (const draft of all) for (const name of draft.names) use(name, { draft, path: draft.path, words: ['is declared in', ' as well'], declared: draft });
  for (const draft of users)
    if (draft.entry?.rotation?.strategy === 'two-users')
      for (const name of turnNames(draft.entry.username)) use(name, { draft, path: draft.path, words: ['is one of the two users of', ''] });
  for (const draft of all) for (const { name, path } of draft.roles) use(name, { draft, path, words: named });
  for (const draft of users) use(draft.entry?.assumeRole, { draft, path: [...draft.path, 'assumeRole'], words: named });
  for (const draft of databases)
    for (const name of [draft.entry?.owner, ...(draft.entry?.schemas ?? []).map(({ owner }) => owner), ...(draft.entry?.createdBy ?? [])])
      use(name, { draft, path: draft.path, words: named });
  return uses;
}
